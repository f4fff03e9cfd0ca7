"""Coloured digit pictures: the same from run to run, digits of the validation split in no other, damage named."""

import numpy as np
import pytest

from trtflow.datasets.digit_pictures import CLASSES, read_images, read_labels, write_split
from trtflow.datasets.images import fit, read_image, to_centred_input, to_imagenet_input
from trtflow.formats import FormatError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    write_split(root, "val", 6, 64, 0)
    return root


def test_pictures_and_labels_belong_together(folder):
    paths, names = read_images(folder, "val")
    labels = read_labels(folder, "val")
    assert names[0] == "val/000000.jpg"
    assert len(paths) == len(names) == len(labels) == 6
    assert labels.dtype == np.int64
    assert set(labels) <= set(range(len(CLASSES)))
    assert {read_image(path).shape for path in paths} == {(64, 64, 3)}


def test_same_seed_gives_the_same_bytes_and_a_longer_split_begins_alike(folder, tmp_path):
    write_split(tmp_path, "val", 8, 64, 0)
    for name in read_images(folder, "val")[1]:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    write_split(tmp_path / "other", "val", 1, 64, 1)
    assert (tmp_path / "other/val/000000.jpg").read_bytes() != (folder / "val/000000.jpg").read_bytes()


@pytest.mark.parametrize("line", ["val/000000.jpg", "val/000000.jpg seven", "val/000000.jpg 10"])
def test_damaged_list_is_an_error(tmp_path, line):
    (tmp_path / "val.txt").write_text(f"{line}\n")
    with pytest.raises(FormatError, match=r"val\.txt: line 1: .* is not <file> <label below 10>"):
        read_labels(tmp_path, "val")


def test_empty_list_is_an_error(tmp_path):
    (tmp_path / "val.txt").write_text("")
    with pytest.raises(FormatError, match="the list is empty"):
        read_images(tmp_path, "val")


def test_picture_of_another_size_is_scaled_and_cut():
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 50:150] = 255  # the middle square is white
    fitted = fit(picture, 32)
    assert fitted.shape == (32, 32, 3)
    assert fitted.mean() > 250
    same = np.zeros((32, 32, 3), np.uint8)
    assert fit(same, 32) is same


def test_forms_take_out_their_moments():
    white = np.full((4, 4, 3), 255, np.uint8)
    imagenet = to_imagenet_input([white, white])
    assert (imagenet.shape, imagenet.dtype) == ((2, 3, 4, 4), np.float32)
    np.testing.assert_allclose(
        imagenet[0, :, 0, 0], (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], 1e-5
    )
    np.testing.assert_allclose(to_centred_input([white])[0, :, 0, 0], [(1 - 0.45) / 0.225] * 3, 1e-5)
