"""Memory layouts of inputs and outputs: by rows, in elements of several channels, or with the channels last."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.formats.layouts import FORMATS, Layout
from trtflow.reference.memory import read, write
from trtflow.reference.record.enums import DataType, TensorFormat
from trtflow.reference.record.values import DTYPES


def layout_of(dtype: DataType, layout: TensorFormat) -> Layout:
    """Return how values of a type lie in a format, which is none of a DLA's."""
    return Layout(np.dtype(DTYPES[dtype]), *FORMATS[layout.name])


def read_laid_out(address: Any, shape: tuple[int, ...], dtype: DataType, layout: TensorFormat) -> np.ndarray:
    """Return a copy of memory as an array of a shape (…, C, H, W), however it lies there.

    Raises:
        MemoryFaultError: there is no such memory.
    """
    form = layout_of(dtype, layout)
    return form.from_memory(read(address, form.memory_shape(shape), dtype), shape)


def write_laid_out(address: Any, values: np.ndarray, dtype: DataType, layout: TensorFormat) -> None:
    """Lay an array (…, C, H, W) at an address, as a format has it there.

    Raises:
        MemoryFaultError: there is no such memory, or it may only be read.
    """
    write(address, layout_of(dtype, layout).to_memory(values))


def strides_of(shape: tuple[int, ...], dtype: DataType, layout: TensorFormat) -> tuple[int, ...]:
    """Return how far apart neighbours lie along each axis of a shape, in elements, of which some hold several channels.

    Channels that come last are no such element: there a neighbour is one further.
    """
    form = layout_of(dtype, layout)
    place, sizes = form.channel_axis(len(shape)), list(form.memory_shape(shape))
    axes = list(range(len(shape)))
    if form.last:
        axes = [*axes[:place], *axes[place + 1 :], place]
    elif form.components > 1:
        sizes.pop()
    steps = {axis: int(np.prod(sizes[order + 1 :], dtype=np.int64)) for order, axis in enumerate(axes)}
    return tuple(steps[axis] for axis in range(len(shape)))
