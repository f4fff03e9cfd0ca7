"""Items of a data set go into one split each, in the order given, and too few are refused."""

import re

import numpy as np
import pytest

from trtflow.datasets.splits import deal
from trtflow.formats import UserError

ORDER = np.array([4, 2, 0, 1, 3])


def test_splits_are_consecutive_pieces_of_the_order():
    found = deal("letters", ORDER, {"val": 2, "train": 0, "calibration": 3})
    assert {split: places.tolist() for split, places in found.items()} == {
        "val": [4, 2],
        "train": [],
        "calibration": [0, 1, 3],
    }


def test_what_is_left_over_is_in_no_split():
    assert deal("letters", ORDER, {"val": 2})["val"].tolist() == [4, 2]


def test_too_few_items_name_the_data_set_what_there_is_and_what_is_wanted():
    fault = "letters: it has 5 items, 6 are wanted. Lower splits.train or splits.val."
    with pytest.raises(UserError, match=f"^{re.escape(fault)}$"):
        deal("letters", ORDER, {"train": 4, "val": 2})
