"""Memory by its address, as TensorRT's API passes it around."""

from __future__ import annotations

import ctypes

import numpy as np

from trtflow.reference.record.enums import DataType
from trtflow.reference.record.values import DTYPES, volume


def guard(address: int, nbytes: int) -> None:
    """Take an address as it is; who knows where memory is allocated puts a look at it in this place."""


def view(address: int, shape: tuple[int, ...], dtype: DataType) -> np.ndarray:
    """Return contiguous memory at an address as an array that shares it."""
    guard(address, volume(shape) * dtype.itemsize)
    memory = (ctypes.c_char * (volume(shape) * dtype.itemsize)).from_address(address)
    return np.frombuffer(memoryview(memory).cast("B"), DTYPES[dtype]).reshape(shape)
