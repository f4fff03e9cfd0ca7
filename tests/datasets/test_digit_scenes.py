"""Digit scenes: the same bytes again, digits of their own for validation, and boxes that fit."""

import numpy as np
import pytest
from PIL import Image

from trtflow.datasets import digit_scenes, voc
from trtflow.datasets.images import read_image


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("val")
    digit_scenes.write_split(path, "val", 4, seed=0)
    return path


def content(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_same_seed_gives_the_same_bytes(root, tmp_path):
    digit_scenes.write_split(tmp_path, "val", 4, seed=0)
    assert content(tmp_path) == content(root)


def test_a_scene_depends_on_seed_split_and_number_but_not_on_the_count(root, tmp_path):
    digit_scenes.write_split(tmp_path / "fewer", "val", 2, seed=0)
    digit_scenes.write_split(tmp_path / "seed", "val", 1, seed=1)
    digit_scenes.write_split(tmp_path / "train", "train", 1, seed=0)
    image = [voc.image_path(place, "000000").read_bytes() for place in (root, *sorted(tmp_path.iterdir()))]
    assert image[0] == image[1]
    assert len(set(image)) == 3


def test_layout(root):
    annotations = voc.read_split(root, "val", digit_scenes.CLASSES)
    assert [item.image_id for item in annotations] == ["000000", "000001", "000002", "000003"]
    for item in annotations:
        assert read_image(voc.image_path(root, item.image_id)).shape == (300, 300, 3)
        assert item.size == (300, 300)
    with Image.open(voc.image_path(root, "000000")) as image:
        assert image.layer[1][1:3] == (1, 1)  # colour at full resolution


def test_validation_digits_are_in_no_other_split():
    digits = {split: {digit.tobytes() for digit in digit_scenes.digits_of(split)[0]} for split in digit_scenes.SPLITS}
    assert not digits["val"] & digits["train"]
    assert not digits["val"] & digits["calibration"]
    values = digit_scenes.digits_of("val")[1]
    assert np.bincount(values).min() >= 30


def test_objects_lie_apart_in_the_image_and_are_of_every_class():
    digits = digit_scenes.digits_of("train")
    scenes = [digit_scenes.make_scene(np.random.default_rng(seed), *digits)[1] for seed in range(60)]
    assert {1, 2, 3} <= {len(scene.labels) for scene in scenes} <= {1, 2, 3, 4}
    assert set(np.concatenate([scene.labels for scene in scenes])) == set(range(1, 11))
    for scene in scenes:
        assert scene.boxes.min() >= 0
        assert scene.boxes.max() <= 300
        low, high = scene.boxes[:, None, :2], scene.boxes[:, None, 2:]
        shared = np.minimum(high, scene.boxes[:, 2:]) - np.maximum(low, scene.boxes[:, :2])
        assert ((shared > 0).all(-1).sum(1) == 1).all()  # each only with itself


def test_box_is_where_the_digit_is_half_painted(monkeypatch):
    monkeypatch.setattr(digit_scenes, "MOST_DIGITS", 1)
    monkeypatch.setattr(digit_scenes, "ground", lambda rng, size: np.full((300, 300, 3), 128, np.float32))
    digits = digit_scenes.digits_of("train")
    for seed in range(10):
        image, annotation = digit_scenes.make_scene(np.random.default_rng(seed), *digits)
        half = (128 + image[..., 0].min()) / 2
        rows, columns = (np.flatnonzero((image[..., 0] < half).any(axis)) for axis in (1, 0))
        found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_allclose(annotation.boxes[0], found, atol=1)
