"""Devices that engines run on, seen through what a session needs of them: memory, streams and events.

`HostDevice` is the CPU of the reference runtime; the GPU is `trtflow.runtime.cuda.CudaDevice`, with the same methods.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from trtflow.formats import UserError
from trtflow.runtime.plugins import is_reference


class Event(Protocol):
    """A moment on a stream."""

    def record(self, stream: Stream) -> None:
        """Mark the moment at which the stream has done what it was given so far."""
        ...

    def recording(self, stream: Any) -> Callable[[], object]:
        """Return a call that does what `record` does, made ready to be repeated."""
        ...

    def synchronize(self) -> None:
        """Wait for that moment."""
        ...

    def ms_since(self, earlier: Any) -> float:
        """Return the milliseconds from another event of the same device to this one."""
        ...


class Stream(Protocol):
    """Work that is done in the order in which it was given; `handle` is what TensorRT takes."""

    handle: int

    def waiting(self, event: Any) -> Callable[[], object]:
        """Return a call that lets the stream do nothing further before that moment."""
        ...

    def synchronize(self) -> None:
        """Wait until all is done."""
        ...


class Buffer(Protocol):
    """Contiguous memory at the address `pointer`, which is what TensorRT takes as a binding."""

    pointer: int

    def copy_from(self, values: np.ndarray) -> None:
        """Fill the memory from its start with the bytes of an array, and return when they are there."""
        ...

    def stage(self, values: np.ndarray) -> None:
        """Lay an array where `upload` finds it."""
        ...

    def upload(self, nbytes: int, stream: Any) -> None:
        """Let the stream copy the first bytes of what was staged to the device."""
        ...

    def uploading(self, nbytes: int, stream: Any) -> Callable[[], object]:
        """Return a call that does what `upload` does, made ready to be repeated."""
        ...

    def download(self, nbytes: int, stream: Any) -> None:
        """Let the stream copy the first bytes from the device to where `values` finds them."""
        ...

    def downloading(self, nbytes: int, stream: Any) -> Callable[[], object]:
        """Return a call that does what `download` does, made ready to be repeated."""
        ...

    def values(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return what was downloaded as a new array."""
        ...

    def clear(self, stream: Any) -> None:
        """Let the stream fill the device's memory with zeros."""
        ...

    def copy_rows(
        self, source: Any, rows: int, nbytes: int, pitches: tuple[int, int], offset: int, stream: Any
    ) -> None:
        """Let the stream copy rows from the start of another buffer of the same device.

        Args:
            source: the other buffer.
            rows: how many.
            nbytes: how much of each.
            pitches: bytes from one row to the next, there and here.
            offset: bytes from the start of this memory to its first row.
            stream: the stream.
        """
        ...

    def free(self) -> None:
        """Give the memory back; harmless when that was done."""
        ...


class Device(Protocol):
    """Where engines run.

    Attributes:
        depth: batches that a session keeps under way, so that copies overlap with computing.
    """

    depth: int

    def allocate(self, nbytes: int) -> Buffer:
        """Return memory of a size."""
        ...

    def create_stream(self) -> Any:
        """Return a new stream."""
        ...

    def create_event(self) -> Any:
        """Return a new event."""
        ...

    def capture(self, enqueue: Callable[[], None], stream: Any) -> Any:
        """Return a CUDA graph of what a function gives to a stream; raises RuntimeError where that cannot be."""
        ...


def lay(memory: np.ndarray, values: np.ndarray) -> None:
    """Fill memory, uint8 [nbytes], from its start with the bytes of an array.

    Raises:
        UserError: the array is larger.
    """
    if values.nbytes > memory.size:
        raise UserError(
            f"an array of shape {values.shape} and type {values.dtype} has {values.nbytes} bytes; the memory that was "
            f"allocated for it has {memory.size}. Give arrays of one shape, or allocate for the largest."
        )
    memory[: values.nbytes] = np.ascontiguousarray(values).reshape(-1).view(np.uint8)


def nothing() -> None:
    """Do nothing: what is left to do where no copy is."""


class HostEvent:
    """A moment on the host, whose work is done as soon as it is given."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def record(self, stream: Any) -> None:
        """Note the time."""
        self._seconds = time.perf_counter()

    def recording(self, stream: Any) -> Callable[[], object]:
        """Return a call that notes the time."""
        return partial(self.record, stream)

    def synchronize(self) -> None:
        """Return at once."""

    def ms_since(self, earlier: HostEvent) -> float:
        """Return the milliseconds between two events."""
        return (self._seconds - earlier._seconds) * 1000


class HostStream:
    """Work on the host, done as soon as it is given."""

    handle = 0

    def waiting(self, event: Any) -> Callable[[], object]:
        """Return a call that returns at once."""
        return nothing

    def synchronize(self) -> None:
        """Return at once."""


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
        lay(self._memory, values)

    stage = copy_from

    def upload(self, nbytes: int, stream: Any) -> None:
        """Do nothing: host and device have the same memory."""

    def uploading(self, nbytes: int, stream: Any) -> Callable[[], object]:
        """Return a call that does what `upload` does."""
        return partial(self.upload, nbytes, stream)

    def downloading(self, nbytes: int, stream: Any) -> Callable[[], object]:
        """Return a call that does what `download` does."""
        return partial(self.download, nbytes, stream)

    def download(self, nbytes: int, stream: Any) -> None:
        """Do nothing: host and device have the same memory."""

    def values(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return what the memory holds at its start as a new array."""
        nbytes = int(np.prod(shape)) * dtype.itemsize
        return self._memory[:nbytes].view(dtype).reshape(shape).copy()

    def clear(self, stream: Any) -> None:
        """Fill the memory with zeros."""
        self._memory[:] = 0

    def copy_rows(
        self, source: HostBuffer, rows: int, nbytes: int, pitches: tuple[int, int], offset: int, stream: Any
    ) -> None:
        """Copy rows from the start of another buffer."""
        for row in range(rows):
            first, place = row * pitches[0], offset + row * pitches[1]
            self._memory[place : place + nbytes] = source._memory[first : first + nbytes]

    def free(self) -> None:
        """Leave it to Python."""


class HostDevice:
    """The CPU, on which the reference runtime runs."""

    depth = 1
    allocate, create_stream, create_event = HostBuffer, HostStream, HostEvent

    def capture(self, enqueue: Callable[[], None], stream: Any) -> Any:
        """Refuse: a CPU has no CUDA graphs."""
        raise RuntimeError("only a GPU has CUDA graphs")


def device_of(trt: ModuleType) -> Device:
    """Return the device that an implementation of TensorRT's API runs on.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
    """
    if is_reference(trt):
        return HostDevice()
    return open_gpu()


def open_gpu() -> Device:
    """Return the GPU, after making the context that TensorRT shares: it crashes where it has to make one and cannot.

    Raises:
        UserError: the GPU gives none.
    """
    import pycuda.driver as cuda  # noqa: PLC0415 - PyCUDA is there only where TensorRT is

    try:
        from trtflow.runtime.cuda import cuda_device  # noqa: PLC0415
    except (cuda.Error, RuntimeError) as error:  # RuntimeError is PyCUDA's, where no device gave it a context
        raise UserError(
            f"the GPU cannot be opened ({error}). Most often no device memory is free: end what else uses the GPU "
            "(nvidia-smi shows it)."
        ) from error
    return cuda_device()
