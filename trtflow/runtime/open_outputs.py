"""Outputs whose sizes depend on values, such as what a suppression selects: TensorRT asks an allocator for memory.

No bound is asked for: what a detector could find at most, of each class in each place, may be far more than there is
memory, and TensorRT knows none of some networks.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.layouts import Layout
from trtflow.runtime.devices import Buffer, Device

LEAST = 4096  # bytes: a few rows more than last time need no other memory


class OpenMemory:
    """Memory of an output whose size its values tell: none at first, and more whenever a batch needs more.

    Args:
        device: where it is.
        layout: of the output.

    Attributes:
        shape: that the output came out with last.
        fault: why there was no memory; None where there was.
    """

    def __init__(self, device: Device, layout: Layout) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.fault: UserError | None = None
        self._device, self._layout = device, layout
        self._buffer: Buffer | None = None
        self._size = 0

    def reserve(self, nbytes: int) -> int:
        """Return the address of at least so many bytes, 0 where there are not so many; what was there may be lost."""
        if self._buffer is None or nbytes > self._size:
            self.free()
            self._size = 1 << (max(nbytes, LEAST) - 1).bit_length()
            try:
                self._buffer = self._device.allocate(self._size)
            except UserError as error:  # which could not pass TensorRT, whose C++ calls this
                self.fault = error
                return 0
        return self._buffer.pointer

    def download(self, stream: Any) -> None:
        """Let the stream copy what the output holds from the device, of the shape that is known by now."""
        if self._buffer is not None:
            self._buffer.download(self._layout.nbytes(self.shape), stream)

    def values(self) -> np.ndarray:
        """Return what was downloaded as a new array."""
        form = self._layout.memory_shape(self.shape)
        empty = np.zeros(form, self._layout.dtype)
        return self._layout.from_memory(
            empty if self._buffer is None else self._buffer.values(form, self._layout.dtype), self.shape
        )

    def free(self) -> None:
        """Give the memory back; harmless when that was done."""
        if self._buffer is not None:
            self._buffer.free()
        self._buffer, self._size = None, 0


def allocator_of(trt: ModuleType, memory: OpenMemory) -> Any:
    """Return what TensorRT asks for an output's memory, and tells its shape, while it enqueues.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        memory: what it is given.
    """

    class Allocator(trt.IOutputAllocator):  # type: ignore[name-defined]
        """TensorRT 8.6's interface."""

        def reallocate_output(self, tensor_name: str, memory_now: int, size: int, alignment: int) -> int:
            """Return the address of so many bytes, or 0."""
            return memory.reserve(size)

        def notify_shape(self, tensor_name: str, shape: Any) -> None:
            """Take note of the output's shape."""
            memory.shape = tuple(shape)

    return Allocator()
