"""Coloured pictures of one handwritten digit each, on textured grounds: what classifiers of the ImageNet kind train on.

Pictures are JPEG files, listed with their labels as Caffe's tools want it: `val.txt` has a line `val/000000.jpg 7` for
each. The digits are scikit-learn's, dealt out as those of the scenes are: none of the validation split is in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trtflow.datasets.images import read_pictures
from trtflow.datasets.manifest import SUFFIX, write_manifest
from trtflow.formats import FormatError
from trtflow.formats.damage import is_name_within, read_lines, whole_number
from trtflow.formats.files import atomic_path, write_text
from trtflow.job import Job
from trtflow.steps import required

CLASSES = tuple("0123456789")
NAMES = "classes.txt"  # names of other classes than the ten digits, a line each
SPLITS = ("train", "calibration", "val")
SIZE = 64  # side of a picture where none is given, pixels
LEAST = 0.7  # of the picture's side: the smallest width and height of a digit with its margin
TURN = 12.0  # degrees a digit is turned at most
CALM = 0.5  # contrast of the grounds, as a share of the scenes'
AGAIN = "Make the data set again."


def make_train(job: Job) -> None:
    """Draw the pictures to train on."""
    _make(job, "train")


def make_val(job: Job) -> None:
    """Draw the pictures to score on."""
    _make(job, "val")


def make_calibration(job: Job) -> None:
    """Draw the pictures to calibrate with."""
    _make(job, "calibration")


def _make(job: Job, split: str) -> None:
    root = job.output("split").parent  # of the pictures' folder, or of their list, which comes first without a manifest
    size, seed = job.setting("model.size", SIZE), job.setting("splits.seed", 0)
    write_split(root, split, required(job, f"splits.{split}"), size, seed)
    list_split(root, split, job.outputs["split"])


def list_split(root: Path, split: str, outputs: Sequence[Path]) -> None:
    """Write the manifest of a split where it is one of a step's outputs."""
    paths, _ = read_images(root, split)
    for path in outputs:
        if path.suffix == SUFFIX:
            write_manifest(path, root, [root / f"{split}.txt", *paths])


def make_picture(rng: np.random.Generator, digits: np.ndarray, values: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """Return one picture, uint8 [size, size, 3], and the digit on it.

    Args:
        rng: what is drawn from.
        digits: ink from 0 to 1, float32 [n, h, w].
        values: int64 [n].
        size: side of the picture, pixels.
    """
    from PIL import Image  # noqa: PLC0415 - reading a split needs neither Pillow nor scikit-learn

    from trtflow.datasets.digit_scenes import ground, paint  # noqa: PLC0415

    picture = CALM * ground(rng, size) + (1 - CALM) * 128
    index = int(rng.integers(len(digits)))
    width, height = (int(side) for side in rng.integers(int(LEAST * size), size + 1, 2))
    digit = Image.fromarray(digits[index]).resize((width, height), Image.Resampling.BICUBIC)
    ink = np.asarray(digit.rotate(rng.uniform(-TURN, TURN), Image.Resampling.BILINEAR)).clip(0, 1)
    left, top = (int(rng.integers(0, room + 1)) for room in (size - width, size - height))
    paint(picture[top : top + height, left : left + width], ink, rng)
    return picture.clip(0, 255).astype(np.uint8), int(values[index])


def write_split(root: Path, split: str, count: int, size: int, seed: int) -> None:
    """Write `count` pictures of a split below `root`, and the list of them; a picture depends on its number alone."""
    from PIL import Image  # noqa: PLC0415

    from trtflow.datasets.digit_scenes import digits_of  # noqa: PLC0415
    from trtflow.progress import track  # noqa: PLC0415

    digits, values = digits_of(split)
    lines = []
    for index in track(range(count), f"Drawing {split} pictures"):
        image, label = make_picture(np.random.default_rng([seed, SPLITS.index(split), index]), digits, values, size)
        name = f"{split}/{index:06d}.jpg"
        with atomic_path(root / name, durable=False) as temporary:
            Image.fromarray(image).save(temporary, "JPEG", quality=95, subsampling=0)
        lines.append(f"{name} {label}\n")
    write_text(root / f"{split}.txt", "".join(lines))


def read_images(root: Path, split: str) -> tuple[list[Path], list[str]]:
    """Return the paths and the names of a split's pictures."""
    entries = _entries(root, split)
    return [root / name for name, _ in entries], [name for name, _ in entries]


def read_inputs(root: Path, split: str, pixels: str, size: int) -> tuple[np.ndarray, list[str]]:
    """Return a split's pictures as a network takes them, and their names.

    Args:
        root: folder of the pictures.
        split: which.
        pixels: name of their form, of `trtflow.datasets.images.FORMS`.
        size: side of the network's input, pixels.

    Returns:
        float32 [N, 3, size, size], and N names.
    """
    paths, names = read_images(root, split)
    return read_pictures(paths, pixels, size), names


def read_labels(root: Path, split: str) -> np.ndarray:
    """Return the digits, or other classes, of a split's pictures, int64 [N]."""
    return np.array([label for _, label in _entries(root, split)], np.int64)


def read_classes(root: Path) -> tuple[str, ...]:
    """Return the names of the classes: the ten digits, or those that lie beside the pictures."""
    path = root / NAMES
    return tuple(read_lines(path, AGAIN)) if path.exists() else CLASSES


def _entries(root: Path, split: str) -> list[tuple[str, int]]:
    path = root / f"{split}.txt"
    entries = read_listing(path, len(read_classes(root)))
    if not entries:
        raise FormatError(path, "the list is empty", AGAIN)
    return entries


def read_listing(path: Path, classes: int) -> list[tuple[str, int]]:
    """Return file and label of each picture of a list such as `val.txt`.

    Raises:
        FormatError: a line is no file and label, or the label is no class.
    """
    return [_entry(path, number, line, classes) for number, line in enumerate(read_lines(path, AGAIN), 1)]


def _entry(path: Path, number: int, line: str, classes: int) -> tuple[str, int]:
    name, _, text = line.strip("\r").rpartition(" ")
    try:
        label = whole_number(text)
    except ValueError:
        label = classes
    if label >= classes or not name or not is_name_within(name):
        raise FormatError(path, f"line {number}: {line[:60]!r} is not <file> <label below {classes}>", AGAIN)
    return name, label
