"""Batches as a network in training or test sees them, kept as INT8 batch files (guide §8.6.1).

NVIDIA's patch makes Caffe's data layer write every batch when TENSORRT_INT8_BATCH_DIRECTORY is set. (It writes to
./batches whatever the variable says; here the variable names the folder.)
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from trtflow.formats.batch_file import Batch, write_batch

VARIABLE = "TENSORRT_INT8_BATCH_DIRECTORY"


def folders(*known: Path) -> list[Path]:
    """Return these folders, and the one that the variable names where it is set."""
    named = os.environ.get(VARIABLE)
    return [*known, *([Path(named)] if named else [])]


def captured(batches: Iterable[Batch], into: Collection[Path]) -> Iterator[Batch]:
    """Yield batches unchanged; on the way write each as batch0, batch1, ... into every folder."""
    for index, batch in enumerate(batches):
        for folder in into:
            write_batch(folder / f"batch{index}", batch)
        yield batch
