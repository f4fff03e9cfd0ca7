"""The GPU through PyCUDA: device memory with pinned host memory, streams, events and CUDA graphs.

Only for the engine's Python, which has PyCUDA. TensorRT uses CUDA's runtime API, hence the primary context.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pycuda.autoprimaryctx  # noqa: F401 - makes the context, and leaves it when Python ends
import pycuda.driver as cuda

from trtflow.formats import UserError
from trtflow.runtime.devices import lay, nothing

DEPTH = 2  # as trtexec: the copies of one batch while the other computes
CAPTURE_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL


class CudaEvent:
    """A moment on a stream of the GPU."""

    def __init__(self) -> None:
        self.event = cuda.Event()

    def record(self, stream: CudaStream) -> None:
        """Mark the moment at which the stream has done what it was given so far."""
        self.recording(stream)()

    def recording(self, stream: CudaStream) -> Callable[[], object]:
        """Return a call that does what `record` does: PyCUDA's own, with its arguments."""
        return partial(self.event.record, stream.stream)

    def synchronize(self) -> None:
        """Wait for that moment."""
        self.event.synchronize()

    def ms_since(self, earlier: CudaEvent) -> float:
        """Return the milliseconds between two events, by the GPU's own clock."""
        return float(self.event.time_since(earlier.event))


class CudaStream:
    """Work of the GPU that is done in the order in which it was given."""

    def __init__(self) -> None:
        self.stream = cuda.Stream()
        self.handle = int(self.stream.handle)

    def waiting(self, event: CudaEvent) -> Callable[[], object]:
        """Return a call that lets the stream do nothing further before that moment."""
        return partial(self.stream.wait_for_event, event.event)

    def synchronize(self) -> None:
        """Wait until all is done."""
        self.stream.synchronize()


class CudaBuffer:
    """Device memory with pinned host memory of the same size, from and to which the GPU copies on its own.

    Both begin as zeros: an engine that is timed on what they hold may take it for places in a table.

    Args:
        nbytes: size.

    Raises:
        UserError: there is not so much memory.
    """

    def __init__(self, nbytes: int) -> None:
        self._device: Any = None
        self._host: Any = None
        self._nbytes = max(nbytes, 1)
        try:
            self._device = cuda.mem_alloc(self._nbytes)
            cuda.memset_d8(self._device, 0, self._nbytes)
            self._host = cuda.pagelocked_zeros(self._nbytes, np.uint8)
        except cuda.MemoryError as error:
            self.free()
            free, total = cuda.mem_get_info()
            raise UserError(
                f"out of device memory: {nbytes} bytes wanted, {free} of {total} free. Lower max_batch_size, "
                "or end what else uses the GPU (nvidia-smi shows it)."
            ) from error
        self.pointer = int(self._device)

    def copy_from(self, values: np.ndarray) -> None:
        """Fill the memory from its start with the bytes of an array, and return when they are there."""
        self.stage(values)
        cuda.memcpy_htod(self._device, self._host[: values.nbytes])

    def stage(self, values: np.ndarray) -> None:
        """Lay an array into the pinned memory."""
        lay(self._host, values)

    def upload(self, nbytes: int, stream: CudaStream) -> None:
        """Let the stream copy the first bytes of what was staged to the device."""
        self.uploading(nbytes, stream)()

    def uploading(self, nbytes: int, stream: CudaStream) -> Callable[[], object]:
        """Return a call that does what `upload` does: PyCUDA's own, with its arguments."""
        return partial(cuda.memcpy_htod_async, self._device, self._host[:nbytes], stream.stream) if nbytes else nothing

    def download(self, nbytes: int, stream: CudaStream) -> None:
        """Let the stream copy the first bytes from the device into the pinned memory."""
        self.downloading(nbytes, stream)()

    def downloading(self, nbytes: int, stream: CudaStream) -> Callable[[], object]:
        """Return a call that does what `download` does: PyCUDA's own, with its arguments."""
        return partial(cuda.memcpy_dtoh_async, self._host[:nbytes], self._device, stream.stream) if nbytes else nothing

    def values(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return what was downloaded as a new array."""
        nbytes = int(np.prod(shape)) * dtype.itemsize
        return self._host[:nbytes].view(dtype).reshape(shape).copy()

    def clear(self, stream: CudaStream) -> None:
        """Let the stream fill the device's memory with zeros."""
        cuda.memset_d8_async(self._device, 0, self._nbytes, stream.stream)

    def copy_rows(
        self, source: CudaBuffer, rows: int, nbytes: int, pitches: tuple[int, int], offset: int, stream: CudaStream
    ) -> None:
        """Let the stream copy rows from the start of another buffer; see `trtflow.runtime.devices.Buffer`."""
        if rows == 1:
            cuda.memcpy_dtod_async(self.pointer + offset, source.pointer, nbytes, stream.stream)
            return
        copy = cuda.Memcpy2D()
        copy.set_src_device(source.pointer)
        copy.set_dst_device(self.pointer + offset)
        copy.width_in_bytes, copy.height = nbytes, rows
        copy.src_pitch, copy.dst_pitch = pitches
        copy(stream.stream)

    def free(self) -> None:
        """Give both memories back; harmless when that was done."""
        if self._device is not None:
            self._device.free()
        if self._host is not None:
            self._host.base.free()
        self._device = self._host = None


class CudaGraph:
    """What a function gives to a stream, recorded once and launched as a whole.

    Args:
        enqueue: gives work to the stream and waits for nothing.
        stream: the stream.

    Raises:
        RuntimeError: the work cannot be recorded, for example because a plugin waits for the GPU.
    """

    def __init__(self, enqueue: Callable[[], None], stream: CudaStream) -> None:
        self._driver = ctypes.CDLL("libcuda.so.1")  # PyCUDA has no graphs
        self._stream, self._launchable = ctypes.c_void_p(stream.handle), ctypes.c_void_p()
        graph = ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", self._stream, CAPTURE_THREAD_LOCAL)
        try:
            try:
                enqueue()
            except cuda.Error as error:  # which is no RuntimeError of Python's
                raise RuntimeError(f"the work cannot be recorded ({error})") from error
            finally:  # a stream that is left capturing takes no other work
                status = self._driver.cuStreamEndCapture(self._stream, ctypes.byref(graph))
            if status or not graph:
                raise RuntimeError(f"cuStreamEndCapture failed with status {status}")
            self._call("cuGraphInstantiateWithFlags", ctypes.byref(self._launchable), graph, ctypes.c_ulonglong(0))
            self._launch = partial(self._driver.cuGraphLaunch, self._launchable, self._stream)
        finally:
            if graph:
                self._driver.cuGraphDestroy(graph)

    def launch(self) -> None:
        """Give the recorded work to the stream."""
        if status := self._launch():
            raise RuntimeError(f"cuGraphLaunch failed with status {status}")

    def free(self) -> None:
        """Forget the work; harmless when that was done."""
        if self._launchable:
            self._driver.cuGraphExecDestroy(self._launchable)
        self._launchable = ctypes.c_void_p()

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._driver, name)(*arguments)
        if status:
            raise RuntimeError(f"{name} failed with status {status}")


class CudaDevice:
    """The GPU."""

    depth = DEPTH
    allocate, create_stream, create_event = CudaBuffer, CudaStream, CudaEvent

    def capture(self, enqueue: Callable[[], None], stream: CudaStream) -> CudaGraph:
        """Return a CUDA graph of what a function gives to a stream; raises RuntimeError where that cannot be."""
        return CudaGraph(enqueue, stream)


@cache
def cuda_device() -> CudaDevice:
    """Return the GPU of this process; CUDA_VISIBLE_DEVICES chooses it."""
    return CudaDevice()
