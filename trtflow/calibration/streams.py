"""Calibration batches, read from files one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.formats.batch_file import read_batch, read_shape


class BatchStream:
    """Batch files in the given order; every one must have the first one's shape.

    Args:
        paths: the files.
        batch_size: images a batch, a divisor of the images a file; those of a file if None.
        max_batches: batches to serve; all if None.

    Attributes:
        batch_size: images a batch.
        shape: (C, H, W).
    """

    def __init__(self, paths: Sequence[Path], batch_size: int | None = None, max_batches: int | None = None) -> None:
        if not paths:
            raise UserError("no calibration batches. Give at least one batch file.")
        self.paths = list(paths)
        first = count, *shape = read_shape(self.paths[0])
        self.shape = tuple(shape)
        for path in self.paths[1:]:
            if (found := read_shape(path)) != first:
                fault = f"a batch of shape {found}, unlike {self.paths[0].name} {first}"
                raise FormatError(path, fault, "Write all batch files again with one batch size.")
        self.batch_size = count if batch_size is None else batch_size
        if self.batch_size < 1 or count % self.batch_size:
            raise UserError(f"batch files of {count} images cannot serve batches of {batch_size}. Take a divisor.")
        available = len(self.paths) * (count // self.batch_size)
        self.batches = available if max_batches is None else max_batches
        if not 0 < self.batches <= available:
            raise UserError(f"{max_batches} calibration batches asked of {available}. Write more, or ask for fewer.")

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield float32 [N, C, H, W] for each batch; one file is in memory at a time."""
        return islice(self._all(), self.batches)

    def _all(self) -> Iterator[np.ndarray]:
        for path in self.paths:
            yield from read_batch(path).images.reshape(-1, self.batch_size, *self.shape)
