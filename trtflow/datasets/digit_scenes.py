"""Scenes of handwritten digits on textured grounds, with exact boxes, in VOC's layout.

The digits are scikit-learn's 1,797 real ones (8x8 pixels, from UCI's Optical Recognition of Handwritten Digits). A
scene depends on the seed, the split and its number alone, and no digit of the validation split is in another.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from trtflow.datasets import objects
from trtflow.datasets.voc import (
    Annotation,
    annotation_path,
    image_path,
    list_split,
    root_of,
    write_annotation,
    write_image_set,
)
from trtflow.formats import UserError
from trtflow.formats.files import atomic_path
from trtflow.job import Job
from trtflow.progress import track
from trtflow.steps import required

CLASSES = objects.DIGITS
SIZE = 300  # pixels of a side
SPLITS = ("train", "calibration", "val")
VALIDATION_DIGITS = 400  # the last ones, which no other split has
SIDES = (80, 200)  # smallest and largest digit with its margin, pixels
MOST_DIGITS = 4
TRIES = 4  # places tried for each digit before the scene goes without it
INK = 0.35  # of full ink: where a digit begins


def make_train(job: Job) -> None:
    """Draw the scenes to train on."""
    _make(job, "train")


def make_val(job: Job) -> None:
    """Draw the scenes to score on."""
    _make(job, "val")


def make_calibration(job: Job) -> None:
    """Draw the scenes to calibrate with."""
    _make(job, "calibration")


def _make(job: Job, split: str) -> None:
    root = root_of(job.outputs["split"])
    shape = tuple(job.setting("splits.shape", (SIZE, SIZE)))
    write_split(root, split, required(job, f"splits.{split}"), job.setting("splits.seed", 0), shape)
    list_split(root, split, job.outputs["split"])


def digits_of(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the digits that a split draws from: ink from 0 to 1, float32 [n, 10, 10], and values int64 [n]."""
    data = load_digits()
    images, values = (data.images / 16).astype(np.float32), data.target.astype(np.int64)
    images = np.pad(images, ((0, 0), (1, 1), (1, 1)))  # else a stroke at the border ends in a straight cut
    part = slice(-VALIDATION_DIGITS, None) if split == "val" else slice(None, -VALIDATION_DIGITS)
    return images[part], values[part]


def make_scene(
    rng: np.random.Generator, digits: np.ndarray, values: np.ndarray, shape: tuple[int, int] = (SIZE, SIZE)
) -> tuple[np.ndarray, Annotation]:
    """Return one scene, uint8 [H, W, 3] of the shape (H, W), and its objects."""
    scene = ground(rng, max(shape))[: shape[0], : shape[1]]
    boxes: list[np.ndarray] = []
    labels: list[int] = []
    wanted = rng.integers(1, MOST_DIGITS + 1)
    for _ in range(wanted * TRIES):
        if len(boxes) == wanted:
            break
        index = int(rng.integers(len(digits)))
        side = int(rng.integers(*SIDES))
        ink = np.asarray(Image.fromarray(digits[index]).resize((side, side), Image.Resampling.BICUBIC)).clip(0, 1)
        left, top = (int(rng.integers(0, length - side + 1)) for length in shape[::-1])
        rows, columns = np.flatnonzero((ink > INK).any(1)), np.flatnonzero((ink > INK).any(0))
        box = np.array([left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1], np.float32)
        if any(_overlap(box, other) for other in boxes):
            continue
        paint(scene[top : top + side, left : left + side], ink, rng)
        boxes.append(box)
        labels.append(int(values[index]) + 1)
    image = scene.clip(0, 255).astype(np.uint8)
    none_difficult = np.zeros(len(boxes), bool)
    return image, Annotation("", shape, np.stack(boxes), np.array(labels, np.int64), none_difficult)


def ground(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return a smooth random ground of middling brightness with a little grain, float32 [size, size, 3]."""
    coarse = rng.uniform(60, 196, (5, 5, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC), np.float32)
    return smooth + rng.integers(-8, 9, (size, size, 1), np.int8).astype(np.float32)


def paint(patch: np.ndarray, ink: np.ndarray, rng: np.random.Generator) -> None:
    """Blend a digit into a patch of the scene, much darker or much lighter than the ground there."""
    light = patch.mean() < 128
    colour = rng.uniform(205, 255, 3) if light else rng.uniform(0, 50, 3)
    strength = np.minimum(ink / (2 * INK), 1)[..., None]
    patch[...] = patch * (1 - strength) + colour.astype(np.float32) * strength


def _overlap(first: np.ndarray, second: np.ndarray) -> bool:
    return bool((np.maximum(first[:2], second[:2]) < np.minimum(first[2:], second[2:])).all())


def write_split(root: Path, split: str, count: int, seed: int, shape: tuple[int, int] = (SIZE, SIZE)) -> None:
    """Write `count` scenes of a split below `root`.

    Raises:
        UserError: the largest digit does not fit into scenes of that height and width.
    """
    if min(shape) < SIDES[1]:
        raise UserError(f"scenes of {shape[0]}x{shape[1]} pixels cannot hold digits of {SIDES[1]}. Make them larger.")
    digits, values = digits_of(split)
    ids = [f"{index:06d}" for index in range(count)]
    for index, image_id in enumerate(track(ids, f"Drawing {split} scenes")):
        rng = np.random.default_rng([seed, SPLITS.index(split), index])
        image, annotation = make_scene(rng, digits, values, shape)
        annotation.image_id = image_id
        with atomic_path(image_path(root, image_id), durable=False) as temporary:
            Image.fromarray(image).save(temporary, "JPEG", quality=95, subsampling=0)
        write_annotation(annotation_path(root, image_id), annotation, CLASSES)
    write_image_set(root, split, ids)
