"""Digits in MNIST's form: dealt out once, the same each time, as the guide's pictures too."""

import numpy as np
import pytest

from trtflow.datasets.digits import first_of_each, normalised, paper, read_images, read_labels, unit, write_digits
from trtflow.formats import FormatError, UserError
from trtflow.formats.netpbm import read_pgm

COUNTS = {"train": 300, "calibration": 40, "val": 120}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder, COUNTS, seed=0)
    return folder


def test_pictures_are_28_pixels_with_a_blank_border(folder):
    images, names = read_images(folder, "train")
    assert images.shape == (300, 28, 28)
    assert images.dtype == np.uint8
    assert names[:2] == ["000000", "000001"]
    inside = np.zeros((28, 28), bool)
    inside[4:24, 4:24] = True
    assert not images[:, ~inside].any()
    assert images.max() == 255


def test_no_digit_is_in_two_splits(folder):
    rows = [image.tobytes() for split in COUNTS for image in read_images(folder, split)[0]]
    assert len(set(rows)) == sum(COUNTS.values())


def test_same_seed_same_bytes_other_seed_others(folder, tmp_path):
    write_digits(tmp_path / "same", COUNTS, seed=0)
    write_digits(tmp_path / "other", COUNTS, seed=1)
    for split in COUNTS:
        wanted = (folder / f"{split}.npz").read_bytes()
        assert (tmp_path / "same" / f"{split}.npz").read_bytes() == wanted
        assert (tmp_path / "other" / f"{split}.npz").read_bytes() != wanted


def test_ten_pgm_files_are_held_out_digits_black_on_white(folder):
    images, labels = read_images(folder, "val")[0], read_labels(folder, "val")
    for digit, place in enumerate(first_of_each(labels)):
        assert labels[place] == digit
        np.testing.assert_array_equal(read_pgm(folder / f"{digit}.pgm"), 255 - images[place])


def test_forms_of_the_pixels(folder):
    ink = read_images(folder, "val")[0]
    assert paper(ink).shape == unit(ink).shape == (120, 1, 28, 28)
    np.testing.assert_allclose(unit(ink), 1 - paper(ink) / 255, atol=1e-7)
    np.testing.assert_allclose(normalised(ink), (unit(ink) - 0.1307) / 0.3081, rtol=1e-5)


def test_more_digits_than_there_are(tmp_path):
    with pytest.raises(UserError, match="2000 digits wanted, there are 1797"):
        write_digits(tmp_path, {"train": 1800, "calibration": 100, "val": 100}, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_is_missing(tmp_path):
    with pytest.raises(UserError, match="Enlarge splits.val"):
        write_digits(tmp_path, {"train": 10, "calibration": 1, "val": 3}, seed=0)


def test_damaged_file(folder, tmp_path):
    (tmp_path / "val.npz").write_bytes((folder / "val.npz").read_bytes()[:1000])
    with pytest.raises(FormatError, match="val.npz: not the arrays images"):
        read_images(tmp_path, "val")
