"""Handwritten digits in MNIST's form: 28x28 grey pixels, split into train, calibration and val.

They are MNIST's own, from its four files, or scikit-learn's 1,797 real ones (8x8 pixels, from UCI's Optical Recognition
of Handwritten Digits), enlarged as MNIST's are: 20x20 pixels in the middle of 28x28. No digit is in two splits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trtflow.datasets.splits import deal
from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.formats.idx import read_idx
from trtflow.formats.netpbm import write_pgm
from trtflow.job import Job
from trtflow.steps import required

Digits = tuple[np.ndarray, np.ndarray]  # ink and values
SIDE, INNER = 28, 20  # pixels of a side of the picture, and of the digit in it
SPLITS = ("train", "calibration", "val")
CLASSES = tuple("0123456789")
PUBLISHED = ("images", "labels", "val_images", "val_labels")  # inputs that are MNIST's files
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's ink, as PyTorch's examples have them


def make_data(job: Job) -> None:
    """Make digits, or deal out MNIST's own where its four files are given.

    They are train.npz, calibration.npz and val.npz, and ten held-out ones as 0.pgm to 9.pgm.
    """
    folder, seed = job.output("train").parent, job.setting("splits.seed", 0)
    counts = {split: required(job, f"splits.{split}") for split in SPLITS}
    published = [name for name in PUBLISHED if job.files(name)]
    if not published:
        write_digits(folder, counts, seed)
    elif len(published) < len(PUBLISHED):
        missing = [name for name in PUBLISHED if name not in published]
        raise UserError(f"{job.sample}: no {' and no '.join(missing)}. Give all of {', '.join(PUBLISHED)}, or none.")
    else:
        images, labels, val_images, val_labels = map(job.input, PUBLISHED)
        write_mnist(folder, read_mnist(images, labels), read_mnist(val_images, val_labels), counts, seed)


def write_digits(folder: Path, counts: Mapping[str, int], seed: int) -> None:
    """Write scikit-learn's digits: each split, and ten pictures, as `write_splits` does.

    Args:
        folder: where to write.
        counts: digits of each split.
        seed: of the order in which digits are dealt out.

    Raises:
        UserError: there are not that many digits, or a value is missing among those of val.
    """
    images, labels = enlarged_digits()
    order = np.random.default_rng(seed).permutation(len(images))
    chosen = deal("scikit-learn's digits", order, {split: counts[split] for split in SPLITS})
    write_splits(folder, {split: (images[places], labels[places]) for split, places in chosen.items()})


def write_mnist(folder: Path, train: Digits, test: Digits, counts: Mapping[str, int], seed: int) -> None:
    """Deal out published digits: train and calibration from the training set, val from the test set.

    Where val is all of the test set it keeps its order. Arguments and errors are those of `write_digits`, with the two
    sets as `read_mnist` returns them.
    """
    rng = np.random.default_rng(seed)
    learned = {split: counts[split] for split in ("train", "calibration")}
    chosen = deal("MNIST's training set", rng.permutation(len(train[0])), learned)
    splits = {split: (train[0][places], train[1][places]) for split, places in chosen.items()}
    order = np.arange(len(test[0])) if counts["val"] == len(test[0]) else rng.permutation(len(test[0]))
    places = deal("MNIST's test set", order, {"val": counts["val"]})["val"]
    splits["val"] = test[0][places], test[1][places]
    write_splits(folder, splits)


def read_mnist(images: Path, labels: Path) -> Digits:
    """Return the digits of a pair of MNIST's files: ink uint8 [N, 28, 28] and values uint8 [N].

    Raises:
        FormatError: they are no such files, of another size, or do not belong together.
    """
    ink, values = read_idx(images, 3), read_idx(labels, 1)
    if ink.shape[1:] != (SIDE, SIDE):
        fault = f"its pictures are {ink.shape[1]}x{ink.shape[2]}, not {SIDE}x{SIDE}"
        raise FormatError(images, fault, "Take the files of MNIST.")
    if len(ink) != len(values):
        fault = f"{len(values)} labels, but {images} has {len(ink)} pictures"
        raise FormatError(labels, fault, "Take two files of the same set.")
    if values.size and values.max() >= len(CLASSES):
        place = int(values.argmax())
        raise FormatError(labels, f"label {place} is {values[place]}, not 0 to 9", "Take the files of MNIST.")
    return ink, values


def enlarged_digits() -> Digits:
    """Return scikit-learn's digits in MNIST's form: ink uint8 [1797, 28, 28] and values int64 [1797]."""
    from PIL import Image  # noqa: PLC0415 - reading a split needs neither Pillow nor scikit-learn
    from sklearn.datasets import load_digits  # noqa: PLC0415

    data = load_digits()
    images = np.zeros((len(data.images), SIDE, SIDE), np.uint8)
    border = (SIDE - INNER) // 2
    for image, small in zip(images, data.images, strict=True):
        ink = Image.fromarray((small * (255 / 16)).astype(np.float32)).resize((INNER, INNER), Image.Resampling.BICUBIC)
        image[border:-border, border:-border] = np.rint(np.asarray(ink).clip(0, 255))
    return images, data.target


def write_splits(folder: Path, splits: Mapping[str, Digits]) -> None:
    """Write `<split>.npz` for each split, and ten of val as the guide's pictures `0.pgm` to `9.pgm`."""
    images, labels = splits["val"]
    ten = first_of_each(labels)
    for split, (ink, values) in splits.items():
        write_arrays(folder / f"{split}.npz", {"images": ink, "labels": values.astype(np.int64)})
    for digit, place in enumerate(ten):
        write_pgm(folder / f"{digit}.pgm", 255 - images[place])


def first_of_each(labels: np.ndarray) -> list[int]:
    """Return the place of the first 0, the first 1, … among labels int64 [N]."""
    places = [np.flatnonzero(labels == digit) for digit in range(len(CLASSES))]
    if missing := [str(digit) for digit, found in enumerate(places) if not len(found)]:
        raise UserError(f"no {' and no '.join(missing)} among {len(labels)} digits. Enlarge splits.val.")
    return [int(found[0]) for found in places]


def read_images(folder: Path, split: str) -> tuple[np.ndarray, list[str]]:
    """Return the ink of a split's digits, uint8 [N, 28, 28] (255 is full ink), and their names."""
    (images,) = read_arrays(folder / f"{split}.npz", "images")
    return images, [f"{index:06d}" for index in range(len(images))]


def read_labels(folder: Path, split: str) -> np.ndarray:
    """Return the values of a split's digits, int64 [N]."""
    (labels,) = read_arrays(folder / f"{split}.npz", "labels")
    return labels


def read_classes(folder: Path) -> tuple[str, ...]:
    """Return the names of the classes, the ten digits."""
    return CLASSES


def paper(images: np.ndarray) -> np.ndarray:
    """Return digits as the guide's PGM files hold them, black on white: float32 [N, 1, 28, 28] from 0 to 255."""
    return (255 - images[:, None]).astype(np.float32)


def unit(images: np.ndarray) -> np.ndarray:
    """Return ink from 0 to 1, float32 [N, 1, 28, 28]; of a PGM file's pixel p that is 1 - p / 255."""
    return images[:, None].astype(np.float32) / np.float32(255)


def normalised(images: np.ndarray) -> np.ndarray:
    """Return ink with MNIST's mean and deviation taken out, float32 [N, 1, 28, 28]."""
    return (unit(images) - np.float32(MEAN)) / np.float32(DEVIATION)


PIXELS = {"paper": paper, "unit": unit, "normalised": normalised}
