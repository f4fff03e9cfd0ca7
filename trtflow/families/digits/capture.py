"""Batches as a network in training or test sees them, kept as INT8 batch files (guide §8.6.1).

NVIDIA's patch makes Caffe's data layer write every batch when TENSORRT_INT8_BATCH_DIRECTORY is set. (It writes to
./batches whatever the variable says; here the variable names the folder.)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from trtflow.formats.batch_file import Batch, write_batch

VARIABLE = "TENSORRT_INT8_BATCH_DIRECTORY"


def captured(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches unchanged; where the variable is set, write each as batch0, batch1, ... on the way."""
    folder = os.environ.get(VARIABLE)
    for index, batch in enumerate(batches):
        if folder:
            write_batch(Path(folder) / f"batch{index}", batch)
        yield batch
