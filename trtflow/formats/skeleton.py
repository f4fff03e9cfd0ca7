"""Model files without their weights, and with weights drawn by chance in their place.

A model of full size with random weights is hundreds of megabytes of noise around some kilobytes of structure. A
skeleton has the file's bytes without the large float32 arrays, and for each of these where it stood, how many values it
had and their mean and deviation. Whatever the format is, NumPy alone makes a file of that size and structure again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtflow.formats.arrays import read_arrays
from trtflow.formats.errors import FormatError
from trtflow.formats.files import atomic_path

SUFFIX = ".skeleton.npz"
LEAST = 4096  # values of an array that is left out
MOST = 1 << 31  # bytes of a model's file: what protobuf allows
FLOAT = np.dtype("<f4")
AGAIN = "Make it again with scripts/export_sizes.py."


@dataclass(frozen=True)
class Skeleton:
    """A file without its large arrays.

    Attributes:
        kept: the other bytes, uint8 [n].
        places: offset in the whole file in bytes, and number of values, of each array in its order, int64 [m, 2].
        moments: mean and standard deviation of each, float64 [m, 2].
    """

    kept: np.ndarray
    places: np.ndarray
    moments: np.ndarray

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return int(len(self.kept) + self.places[:, 1].sum() * FLOAT.itemsize)


def cut(data: bytes, arrays: Iterable[np.ndarray]) -> Skeleton:
    """Leave arrays out of a file.

    Args:
        data: the file.
        arrays: float32 of any shape; small and constant ones stay. Their values are in the file as little-endian bytes,
            once each.

    Raises:
        ValueError: an array is not in the file.
    """
    found = []
    for array in (array for array in arrays if array.size >= LEAST and array.min() < array.max()):
        offset = data.find(np.ascontiguousarray(array, FLOAT).tobytes())
        if offset < 0:
            raise ValueError(f"an array of shape {array.shape} does not stand in the file")
        found.append((offset, array.size, float(array.mean(dtype=np.float64)), float(array.std(dtype=np.float64))))
    found.sort()
    whole = np.frombuffer(data, np.uint8)
    keep = np.ones(len(whole), bool)
    for offset, count, *_ in found:
        keep[offset : offset + count * FLOAT.itemsize] = False
    table = np.array(found, np.float64).reshape(-1, 4)
    return Skeleton(whole[keep], table[:, :2].astype(np.int64), table[:, 2:])


def fill(skeleton: Skeleton, seed: int) -> bytes:
    """Return a file with normally distributed weights; the same seed gives the same bytes."""
    parts: list[bytes] = []
    taken, end = 0, 0
    for index, ((offset, count), (mean, deviation)) in enumerate(zip(skeleton.places, skeleton.moments, strict=True)):
        kept = skeleton.kept[taken : taken + offset - end]
        values = np.random.default_rng([seed, index]).standard_normal(count, np.float32)
        weights = (values * np.float32(deviation) + np.float32(mean)).astype(FLOAT)
        parts += [kept.tobytes(), weights.tobytes()]
        taken, end = taken + len(kept), offset + count * FLOAT.itemsize
    return b"".join([*parts, skeleton.kept[taken:].tobytes()])


def write_skeleton(path: Path, skeleton: Skeleton) -> None:
    """Write a skeleton; the same one gives the same bytes."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, kept=skeleton.kept, places=skeleton.places, moments=skeleton.moments)


def read_skeleton(path: Path) -> Skeleton:
    """Read a skeleton.

    Raises:
        FormatError: the file is cut off, or no skeleton.
    """
    kept, places, moments = read_arrays(path, "kept", "places", "moments", what="a skeleton", remedy=AGAIN)
    forms = [(array.dtype.str[1:], array.ndim, array.shape[1:]) for array in (kept, places, moments)]
    if forms != [("u1", 1, ()), ("i8", 2, (2,)), ("f8", 2, (2,))] or len(places) != len(moments):
        raise FormatError(path, f"not a skeleton: its arrays are {forms}", AGAIN)
    # in Python's integers, which do not overflow
    end = 0
    for offset, count in places.tolist():
        if count < 0 or offset < end:
            raise FormatError(path, f"an array of {count} values at byte {offset}, behind one up to {end}", AGAIN)
        end = offset + count * FLOAT.itemsize
    unfolded = len(kept) + sum(places[:, 1].tolist()) * FLOAT.itemsize
    if end > unfolded or unfolded > MOST or not np.isfinite(moments).all():
        raise FormatError(path, f"its arrays stand beyond its end, or {unfolded} bytes are too many", AGAIN)
    return Skeleton(kept, places, moments)
