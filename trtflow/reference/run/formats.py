"""Memory layouts of inputs and outputs: by rows, or with the channels last."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.reference.memory import read, write
from trtflow.reference.record.enums import DataType, TensorFormat

CHANNELS_LAST = {TensorFormat.HWC: 3, TensorFormat.DHWC: 4}  # and how many dimensions, from the channels on, they have


def read_laid_out(address: Any, shape: tuple[int, ...], dtype: DataType, layout: TensorFormat) -> np.ndarray:
    """Return a copy of memory as an array of a shape (…, C, H, W), however it lies there.

    Raises:
        MemoryFaultError: there is no such memory.
    """
    order = order_of(len(shape), layout)
    values = read(address, tuple(shape[axis] for axis in order), dtype)
    return values.transpose(np.argsort(order)) if layout in CHANNELS_LAST else values


def write_laid_out(address: Any, values: np.ndarray, layout: TensorFormat) -> None:
    """Lay an array (…, C, H, W) at an address, as a format has it there.

    Raises:
        MemoryFaultError: there is no such memory, or it may only be read.
    """
    write(address, values.transpose(order_of(values.ndim, layout)) if layout in CHANNELS_LAST else values)


def order_of(rank: int, layout: TensorFormat) -> list[int]:
    """Return the axes in the order in which they lie in memory."""
    if layout == TensorFormat.LINEAR:
        return list(range(rank))
    channels = rank - CHANNELS_LAST[layout]
    return [*range(channels), *range(channels + 1, rank), channels]
