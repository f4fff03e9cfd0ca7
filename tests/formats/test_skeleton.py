"""Files without their weights, and with others in their place."""

import itertools

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.skeleton import LEAST, cut, fill, read_skeleton, write_skeleton

RNG = np.random.default_rng(0)
ARRAYS = [RNG.normal(mean, deviation, LEAST).astype(np.float32) for mean, deviation in ((0, 0.1), (2, 3))]
SMALL = RNG.normal(size=LEAST - 1).astype(np.float32)
CONSTANT = np.zeros(LEAST, np.float32)
PARTS = [b"head", ARRAYS[1].tobytes(), b"-", SMALL.tobytes(), CONSTANT.tobytes(), ARRAYS[0].tobytes(), b"tail"]
DATA = b"".join(PARTS)


def filled(tmp_path, seed):
    path = tmp_path / "model.skeleton.npz"
    write_skeleton(path, cut(DATA, [*ARRAYS, SMALL, CONSTANT]))
    return fill(read_skeleton(path), seed)


def test_a_filled_file_differs_in_its_weights_only(tmp_path):
    data = filled(tmp_path, 0)
    assert len(data) == len(DATA) == cut(DATA, ARRAYS).size
    ends = np.cumsum([0, *map(len, PARTS)])
    for index, (first, last) in enumerate(itertools.pairwise(ends)):
        if index not in (1, 5):
            assert data[first:last] == PARTS[index]
    drawn = np.frombuffer(data[ends[1] : ends[2]], np.float32)
    assert abs(drawn.mean() - 2) < 0.2
    assert abs(drawn.std() - 3) < 0.2
    assert not np.array_equal(drawn, ARRAYS[1])


def test_a_seed_gives_the_same_bytes(tmp_path):
    assert filled(tmp_path, 1) == filled(tmp_path, 1) != filled(tmp_path, 2)


def test_an_array_that_is_not_in_the_file_is_an_error():
    with pytest.raises(ValueError, match="does not stand in the file"):
        cut(b"other", ARRAYS)


def test_a_damaged_skeleton_is_named(tmp_path):
    path = tmp_path / "model.skeleton.npz"
    path.write_bytes(b"PK no zip")
    with pytest.raises(FormatError, match="not a skeleton"):
        read_skeleton(path)
