"""Digits in MNIST's form: dealt out once, the same each time, as the guide's pictures too."""

import numpy as np
import pytest

from trtflow.datasets.digits import (
    first_of_each,
    normalised,
    paper,
    read_images,
    read_labels,
    read_mnist,
    unit,
    write_digits,
    write_mnist,
)
from trtflow.formats import FormatError, UserError
from trtflow.formats.idx import write_idx
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
    with pytest.raises(UserError, match="scikit-learn's digits: it has 1797 items, 2000 are wanted"):
        write_digits(tmp_path, {"train": 1800, "calibration": 100, "val": 100}, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_is_missing(tmp_path):
    with pytest.raises(UserError, match="Enlarge splits.val"):
        write_digits(tmp_path, {"train": 10, "calibration": 1, "val": 3}, seed=0)


def test_damaged_file(folder, tmp_path):
    (tmp_path / "val.npz").write_bytes((folder / "val.npz").read_bytes()[:1000])
    with pytest.raises(FormatError, match="val.npz: not the arrays images"):
        read_images(tmp_path, "val")


MNIST_COUNTS = {"train": 30, "calibration": 10, "val": 20}


def published(count, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28)).astype(np.uint8), np.arange(count, dtype=np.uint8) % 10


def test_published_digits_are_dealt_out_once_and_val_keeps_its_order(tmp_path):
    train, test = published(40, seed=0), published(20, seed=1)
    write_mnist(tmp_path, train, test, MNIST_COUNTS, seed=0)
    np.testing.assert_array_equal(read_images(tmp_path, "val")[0], test[0])
    np.testing.assert_array_equal(read_labels(tmp_path, "val"), test[1])
    dealt = [image.tobytes() for split in ("train", "calibration") for image in read_images(tmp_path, split)[0]]
    assert sorted(dealt) == sorted(image.tobytes() for image in train[0])
    places = {image.tobytes(): label for image, label in zip(*train, strict=True)}
    found = zip(read_images(tmp_path, "train")[0], read_labels(tmp_path, "train"), strict=True)
    assert all(places[image.tobytes()] == label for image, label in found)


@pytest.mark.parametrize(
    ("counts", "fault"),
    [
        ({"train": 31}, "MNIST's training set: it has 40 items, 41 are wanted. Lower splits.train or splits"),
        ({"val": 21}, "MNIST's test set: it has 20 items, 21 are wanted. Lower splits.val."),
    ],
)
def test_more_digits_than_were_published(tmp_path, counts, fault):
    with pytest.raises(UserError, match=fault):
        write_mnist(tmp_path, published(40, 0), published(20, 1), {**MNIST_COUNTS, **counts}, seed=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shape", "labels", "fault"),
    [
        ((4, 28, 28), [1, 2, 3], "labels: 3 labels, but .*images has 4 pictures"),
        ((4, 20, 28), [1, 2, 3, 4], "images: its pictures are 20x28, not 28x28"),
        ((2, 28, 28), [1, 10], "labels: label 1 is 10, not 0 to 9"),
    ],
)
def test_published_files_that_do_not_belong_together(tmp_path, shape, labels, fault):
    write_idx(tmp_path / "images", np.zeros(shape, np.uint8))
    write_idx(tmp_path / "labels", np.array(labels, np.uint8))
    with pytest.raises(FormatError, match=fault):
        read_mnist(tmp_path / "images", tmp_path / "labels")
