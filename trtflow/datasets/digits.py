"""Handwritten digits in MNIST's form: 28x28 grey pixels, split into train, calibration and val.

They are scikit-learn's 1,797 real ones (8x8 pixels, from UCI's Optical Recognition of Handwritten Digits), enlarged as
MNIST's are: 20x20 pixels in the middle of 28x28. No digit is in two splits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.formats.netpbm import write_pgm

SIDE, INNER = 28, 20  # pixels of a side of the picture, and of the digit in it
SPLITS = ("train", "calibration", "val")
CLASSES = tuple("0123456789")
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's ink, as PyTorch's examples have them


def write_digits(folder: Path, counts: Mapping[str, int], seed: int) -> None:
    """Write `<split>.npz` for each split, and ten held-out digits as the guide's pictures `0.pgm` to `9.pgm`.

    Args:
        folder: where to write.
        counts: digits of each split.
        seed: of the order in which digits are dealt out.

    Raises:
        UserError: there are not that many digits, or a value is missing among those of val.
    """
    from PIL import Image  # noqa: PLC0415 - reading a split needs neither Pillow nor scikit-learn
    from sklearn.datasets import load_digits  # noqa: PLC0415

    data = load_digits()
    if (wanted := sum(counts.values())) > len(data.images):
        raise UserError(f"{wanted} digits wanted, there are {len(data.images)}. Lower the splits.")
    order = iter(np.random.default_rng(seed).permutation(len(data.images)))
    images = np.zeros((len(data.images), SIDE, SIDE), np.uint8)
    border = (SIDE - INNER) // 2
    for image, small in zip(images, data.images, strict=True):
        ink = Image.fromarray((small * (255 / 16)).astype(np.float32)).resize((INNER, INNER), Image.Resampling.BICUBIC)
        image[border:-border, border:-border] = np.rint(np.asarray(ink).clip(0, 255))
    for split in SPLITS:
        chosen = [next(order) for _ in range(counts[split])]
        labels = data.target[chosen].astype(np.int64)
        write_arrays(folder / f"{split}.npz", {"images": images[chosen], "labels": labels})
    for digit, place in enumerate(first_of_each(labels)):
        write_pgm(folder / f"{digit}.pgm", 255 - images[chosen[place]])


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
