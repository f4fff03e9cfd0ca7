"""Calibration batches, read from files one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.formats.batch_file import read_batch, read_shape


class BatchStream:
    """Batch files in the given order; every one must have the first one's shape.

    Args:
        paths: the files.

    Attributes:
        batch_size: images a batch.
        shape: (C, H, W).
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        if not paths:
            raise UserError("no calibration batches. Give at least one batch file.")
        self.paths = list(paths)
        self.batch_size, *shape = read_shape(self.paths[0])
        self.shape = tuple(shape)
        for path in self.paths[1:]:
            if read_shape(path) != (self.batch_size, *self.shape):
                fault = f"a batch of shape {read_shape(path)}, unlike {self.paths[0].name} {self.batch_size, *self.shape}"
                raise FormatError(path, fault, "Write all batch files again with one batch size.")

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield float32 [N, C, H, W] for each file; one batch is in memory at a time."""
        for path in self.paths:
            yield read_batch(path).images
