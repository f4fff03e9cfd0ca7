"""Memory layouts of inputs and outputs: by rows, or with the channels last."""

from __future__ import annotations

import numpy as np

from trtflow.reference.memory import view
from trtflow.reference.record.enums import DataType, TensorFormat

CHANNELS_LAST = {TensorFormat.HWC: 3, TensorFormat.DHWC: 4}  # and how many dimensions, from the channels on, they have


def view_of(address: int, shape: tuple[int, ...], dtype: DataType, layout: TensorFormat) -> np.ndarray:
    """Return memory as an array of a shape (…, C, H, W), however it lies there."""
    order = order_of(len(shape), layout)
    return view(address, tuple(shape[axis] for axis in order), dtype).transpose(np.argsort(order))


def order_of(rank: int, layout: TensorFormat) -> list[int]:
    """Return the axes in the order in which they lie in memory."""
    if layout == TensorFormat.LINEAR:
        return list(range(rank))
    channels = rank - CHANNELS_LAST[layout]
    return [*range(channels), *range(channels + 1, rank), channels]
