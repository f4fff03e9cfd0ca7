"""Calibration batches, read from files one at a time."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.formats.batch_file import read_batch, read_shape

NUMBERED = re.compile(r"(.*?)(\d+)(\.[A-Za-z]\w*)?")  # batch0, batch_calibration0.batch
logger = logging.getLogger(__name__)


def find_batches(folder: Path, count: int | None = None, pattern: str = "*") -> list[Path]:
    """Return the batch files of a folder, by their numbers.

    Args:
        folder: of files that are called alike but for a number at the end, as batch0 and batch1, or
            batch_calibration0.batch and batch_calibration1.batch.
        count: how many to take, from the first on; all if None.
        pattern: which files to look at, as the shell would match them.

    Raises:
        UserError: there are none, or files of several series, or one is missing between others, or fewer than `count`.
    """
    series: dict[str, dict[int, Path]] = {}
    for path in folder.glob(pattern):
        match = NUMBERED.fullmatch(path.name)
        if match and path.is_file() and not path.name.startswith("."):
            series.setdefault(f"{match[1]}N{match[3] or ''}", {})[int(match[2])] = path
    if not series:
        where = folder / pattern if pattern != "*" else folder
        raise UserError(f"{where}: no batch files; their names end in a number, as batch0 or batch_calibration0.batch.")
    if len(series) > 1:
        names = ", ".join(sorted(series))
        raise UserError(f"{folder}: batch files of several series, {names}. Name one with --batch-files.")
    ((name, files),) = series.items()
    numbers = sorted(files)
    gaps = [number + 1 for number, following in pairwise(numbers) if following != number + 1]
    if gaps:
        raise UserError(f"{folder}: {name.replace('N', str(gaps[0]))} is missing among {len(files)} batch files.")
    if count is not None and not 0 < count <= len(numbers):
        raise UserError(f"{folder}: {count} batch files asked of {len(numbers)}. Write more, or ask for fewer.")
    return [files[number] for number in numbers[:count]]


class BatchStream:
    """The images of batch files, in the files' order, in batches of one size.

    Images that are left at the end, too few for a batch, are not served; a warning says how many.

    Args:
        paths: the files; each may hold another number of images, of one shape.
        batch_size: images a batch; those of the first file if None.
        max_batches: batches to serve; all if None.

    Attributes:
        batch_size: images a batch.
        shape: (C, H, W).
    """

    def __init__(self, paths: Sequence[Path], batch_size: int | None = None, max_batches: int | None = None) -> None:
        if not paths:
            raise UserError("no calibration batches. Give at least one batch file.")
        self.paths = list(paths)
        counts, self.shape = _shapes(self.paths)
        images = sum(counts)
        self.batch_size = counts[0] if batch_size is None else batch_size
        if not 0 < self.batch_size <= images:
            raise UserError(f"{images} calibration images make no batch of {batch_size}. Write more, or ask for fewer.")
        available, left = divmod(images, self.batch_size)
        self.batches = available if max_batches is None else max_batches
        if not 0 < self.batches <= available:
            raise UserError(f"{max_batches} calibration batches asked of {available}. Write more, or ask for fewer.")
        if left and max_batches is None:
            logger.warning(
                "calibration: the last %d of %d images are too few for a batch of %d, and are left out",
                *(left, images, self.batch_size),
            )

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield float32 [N, C, H, W] for each batch; one file and one batch are in memory at a time.

        Raises:
            FormatError: a file holds values that are no numbers.
        """
        return islice(self._all(), self.batches)

    def _all(self) -> Iterator[np.ndarray]:
        parts: list[np.ndarray] = []
        lacking = self.batch_size
        for path in self.paths:
            images = _checked(path, read_batch(path).images)
            while len(images):
                taken, images = images[:lacking], images[lacking:]
                parts.append(taken)
                lacking -= len(taken)
                if not lacking:
                    yield parts[0] if len(parts) == 1 else np.concatenate(parts)
                    parts, lacking = [], self.batch_size


def _checked(path: Path, images: np.ndarray) -> np.ndarray:
    """Return the images of a file, which must be numbers: TensorRT passes over NaN, and takes infinity for a range."""
    if count := images.size - int(np.isfinite(images).sum()):
        fault = f"{count} of its {images.size} values are no numbers (NaN or infinite)"
        raise FormatError(path, fault, "Look at the pictures that it came from, and write the batch files again.")
    return images


def _shapes(paths: Sequence[Path]) -> tuple[list[int], tuple[int, ...]]:
    """Return the number of images of each file, and the shape of all."""
    counts: list[int] = []
    shape: tuple[int, ...] = ()
    for path in paths:
        count, *found = read_shape(path)
        if counts and tuple(found) != shape:
            fault = f"images of shape {tuple(found)}, unlike {shape} of {paths[0].name}"
            raise FormatError(path, fault, "Write all batch files again from images of one size.")
        counts.append(count)
        shape = tuple(found)
    return counts, shape
