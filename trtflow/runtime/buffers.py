"""Memory that engines read and write."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Buffer(Protocol):
    """Contiguous memory at the address `pointer`, which is what TensorRT takes as a binding."""

    pointer: int

    def copy_from(self, values: np.ndarray) -> None:
        """Fill the memory from its start with the bytes of an array."""
        ...

    def copy_to(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return what the memory holds at its start as a new array."""
        ...


class HostBuffer:
    """Memory of the host, which is the device of the reference runtime.

    Args:
        nbytes: size.
    """

    def __init__(self, nbytes: int) -> None:
        self._memory = np.zeros(nbytes, np.uint8)
        self.pointer = self._memory.ctypes.data

    def copy_from(self, values: np.ndarray) -> None:
        """Fill the memory from its start with the bytes of an array."""
        raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self._memory[: raw.size] = raw

    def copy_to(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return what the memory holds at its start as a new array."""
        nbytes = int(np.prod(shape)) * dtype.itemsize
        return self._memory[:nbytes].view(dtype).reshape(shape).copy()
