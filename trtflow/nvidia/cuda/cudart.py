"""`cuda.cudart`: CUDA's runtime API on the host, with cuda-python's signatures."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from trtflow.nvidia.cuda.calls import (
    EVENTS,
    NOT_SUPPORTED,
    STREAMS,
    TEXTS,
    VERSION,
    CallError,
    Event,
    Handle,
    answered,
    check_device,
    copy_rows,
    device_range,
    host_range,
    module_getattr,
    need_stream,
)
from trtflow.nvidia.cuda.calls import device as device_in_use
from trtflow.nvidia.host import MEMORY, copy, fill
from trtflow.nvidia.pycuda.contexts import CAPABILITY, Device, init


class cudaError_t(IntEnum):
    """Error codes that the functions here give."""

    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInitializationError = 3
    cudaErrorInvalidPitchValue = 12
    cudaErrorInvalidMemcpyDirection = 21
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101
    cudaErrorInvalidResourceHandle = 400
    cudaErrorNotReady = 600
    cudaErrorIllegalAddress = 700
    cudaErrorNotSupported = 801
    cudaErrorUnknown = 999


class cudaMemcpyKind(IntEnum):
    """Between which memories a copy goes."""

    cudaMemcpyHostToHost = 0
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2
    cudaMemcpyDeviceToDevice = 3
    cudaMemcpyDefault = 4


class cudaDeviceAttr(IntEnum):
    """Attributes of a device."""

    cudaDevAttrMaxThreadsPerBlock = 1
    cudaDevAttrWarpSize = 10
    cudaDevAttrMultiProcessorCount = 16
    cudaDevAttrComputeCapabilityMajor = 75
    cudaDevAttrComputeCapabilityMinor = 76


cudaHostAllocDefault, cudaHostAllocPortable, cudaHostAllocMapped, cudaHostAllocWriteCombined = 0, 1, 2, 4
cudaHostRegisterDefault, cudaHostRegisterPortable, cudaHostRegisterMapped = 0, 1, 2
cudaMemAttachGlobal, cudaMemAttachHost, cudaMemAttachSingle = 1, 2, 4
cudaStreamDefault, cudaStreamNonBlocking = 0, 1
cudaEventDefault, cudaEventBlockingSync, cudaEventDisableTiming = 0, 1, 2
cudaDeviceScheduleAuto, cudaDeviceScheduleSpin, cudaDeviceScheduleYield = 0, 1, 2


class cudaStream_t(Handle):
    """A stream."""


class cudaEvent_t(Handle):
    """An event."""


class cudaDeviceProp:
    """Properties of the one device."""

    def __init__(self) -> None:
        self.name = device_in_use().name().encode()
        self.major, self.minor = CAPABILITY
        self.totalGlobalMem = MEMORY.total()
        self.multiProcessorCount, self.warpSize, self.maxThreadsPerBlock = 1, 32, 1024
        self.integrated, self.canMapHostMemory, self.unifiedAddressing, self.managedMemory = 1, 1, 1, 1


_answer = answered(cudaError_t)


@_answer
def cudaMalloc(size: int) -> int:
    """Return the address of device memory."""
    return MEMORY.allocate(int(size))


@_answer
def cudaMallocAsync(size: int, stream: Any) -> int:
    """Return the address of device memory."""
    need_stream(stream)
    return MEMORY.allocate(int(size))


@_answer
def cudaMallocManaged(size: int, flags: int = cudaMemAttachGlobal) -> int:
    """Return the address of memory that host and device see alike."""
    return MEMORY.allocate(int(size), "managed")


@_answer
def cudaMallocHost(size: int) -> int:
    """Return the address of page-locked memory."""
    return MEMORY.allocate(int(size), "host")


@_answer
def cudaHostAlloc(size: int, flags: int) -> int:
    """Return the address of page-locked memory."""
    return MEMORY.allocate(int(size), "host")


@_answer
def cudaFree(pointer: Any) -> None:
    """Give memory of the device back; address 0 is none."""
    if int(pointer):
        MEMORY.free(int(pointer))


@_answer
def cudaFreeAsync(pointer: Any, stream: Any) -> None:
    """Give memory of the device back."""
    need_stream(stream)
    if int(pointer):
        MEMORY.free(int(pointer))


@_answer
def cudaFreeHost(pointer: Any) -> None:
    """Give page-locked memory back."""
    if int(pointer):
        MEMORY.free(int(pointer))


@_answer
def cudaHostRegister(pointer: Any, size: int, flags: int) -> None:
    """Do nothing: all memory of the host is the device's."""


@_answer
def cudaHostUnregister(pointer: Any) -> None:
    """Do nothing: all memory of the host is the device's."""


@_answer
def cudaHostGetDevicePointer(pointer: Any, flags: int) -> int:
    """Return the device's address of page-locked memory, which is the host's."""
    return device_range(pointer, 0, "cudaHostGetDevicePointer")


def _ends(dst: Any, there: int, src: Any, here: int, kind: int) -> tuple[int, int]:
    """Return the addresses of a copy's two ends, each held against the memory that it is said to be of.

    Args:
        dst, src: the ends; on the host they may be addresses or arrays.
        there, here: bytes that they span.
        kind: a `cudaMemcpyKind`.
    """
    to_device = kind in (cudaMemcpyKind.cudaMemcpyHostToDevice, cudaMemcpyKind.cudaMemcpyDeviceToDevice)
    from_device = kind in (cudaMemcpyKind.cudaMemcpyDeviceToHost, cudaMemcpyKind.cudaMemcpyDeviceToDevice)
    target = device_range(dst, there, "destination") if to_device else host_range(dst, there, writable=True)
    return target, device_range(src, here, "source") if from_device else host_range(src, here)


def _copy(dst: Any, src: Any, count: int, kind: int) -> None:
    copy(*_ends(dst, count, src, count, cudaMemcpyKind(kind)), count)


@_answer
def cudaMemcpy(dst: Any, src: Any, count: int, kind: int) -> None:
    """Copy bytes; ends on the host may be addresses or arrays."""
    _copy(dst, src, int(count), kind)


@_answer
def cudaMemcpyAsync(dst: Any, src: Any, count: int, kind: int, stream: Any = 0) -> None:
    """Copy bytes; it is done on return."""
    need_stream(stream)
    _copy(dst, src, int(count), kind)


@_answer
def cudaMemcpy2D(dst: Any, dpitch: int, src: Any, spitch: int, width: int, height: int, kind: int) -> None:
    """Copy rows of a width in bytes that lie a pitch apart."""
    if not height:
        return
    if min(width, height, dpitch - width, spitch - width) < 0:
        raise CallError(
            cudaError_t.cudaErrorInvalidPitchValue, f"{height} rows of {width} bytes, {dpitch} and {spitch} apart"
        )
    there, here = dpitch * (height - 1) + width, spitch * (height - 1) + width
    target, source = _ends(dst, there, src, here, kind)
    copy_rows(target, (dpitch, spitch), source, width, height)


@_answer
def cudaMemset(pointer: Any, value: int, count: int) -> None:
    """Write a byte `count` times."""
    fill(device_range(pointer, int(count), "cudaMemset"), bytes([value & 255]), int(count))


@_answer
def cudaMemsetAsync(pointer: Any, value: int, count: int, stream: Any) -> None:
    """Write a byte `count` times; it is done on return."""
    need_stream(stream)
    fill(device_range(pointer, int(count), "cudaMemsetAsync"), bytes([value & 255]), int(count))


@_answer
def cudaMemGetInfo() -> tuple[int, int]:
    """Return the free and all bytes of memory."""
    return MEMORY.total() - MEMORY.used, MEMORY.total()


@_answer
def cudaStreamCreate() -> cudaStream_t:
    """Return a new stream."""
    return cudaStream_t(STREAMS.add("stream"))


@_answer
def cudaStreamCreateWithFlags(flags: int) -> cudaStream_t:
    """Return a new stream."""
    return cudaStream_t(STREAMS.add("stream"))


@_answer
def cudaStreamCreateWithPriority(flags: int, priority: int) -> cudaStream_t:
    """Return a new stream."""
    return cudaStream_t(STREAMS.add("stream"))


@_answer
def cudaStreamSynchronize(stream: Any) -> None:
    """Return at once."""
    need_stream(stream)


@_answer
def cudaStreamQuery(stream: Any) -> None:
    """Say that all is done."""
    need_stream(stream)


@_answer
def cudaStreamWaitEvent(stream: Any, event: Any, flags: int = 0) -> None:
    """Return at once."""
    need_stream(stream)
    EVENTS.get(event)


@_answer
def cudaStreamDestroy(stream: Any) -> None:
    """End a stream."""
    STREAMS.remove(stream)


@_answer
def cudaStreamBeginCapture(stream: Any, mode: int) -> None:
    """Refuse: a CPU has no CUDA graphs."""
    raise CallError(NOT_SUPPORTED, "a CPU has no CUDA graphs; enqueue the work itself")


@_answer
def cudaEventCreate() -> cudaEvent_t:
    """Return a new event."""
    return cudaEvent_t(EVENTS.add(Event()))


@_answer
def cudaEventCreateWithFlags(flags: int) -> cudaEvent_t:
    """Return a new event."""
    return cudaEvent_t(EVENTS.add(Event()))


@_answer
def cudaEventRecord(event: Any, stream: Any = 0) -> None:
    """Note the time."""
    need_stream(stream)
    EVENTS.get(event).record()


@_answer
def cudaEventSynchronize(event: Any) -> None:
    """Return at once."""
    EVENTS.get(event)


@_answer
def cudaEventQuery(event: Any) -> None:
    """Say that it is done."""
    EVENTS.get(event)


@_answer
def cudaEventElapsedTime(start: Any, end: Any) -> float:
    """Return the milliseconds between two events."""
    return EVENTS.get(end).ms_since(EVENTS.get(start))


@_answer
def cudaEventDestroy(event: Any) -> None:
    """End an event."""
    EVENTS.remove(event)


@_answer
def cudaGetDeviceCount() -> int:
    """Return the number of devices."""
    init()
    return Device.count()


@_answer
def cudaSetDevice(device: int) -> None:
    """Choose device 0."""
    check_device(device)


@_answer
def cudaGetDevice() -> int:
    """Return the device in use."""
    return 0


@_answer
def cudaGetDeviceProperties(device: int) -> cudaDeviceProp:
    """Return the properties of the device."""
    check_device(device)
    return cudaDeviceProp()


@_answer
def cudaDeviceGetAttribute(attr: int, device: int) -> int:
    """Return an attribute of the device."""
    check_device(device)
    return device_in_use().get_attributes()[cudaDeviceAttr(attr)]


@_answer
def cudaDeviceSynchronize() -> None:
    """Return at once: all work is done."""


@_answer
def cudaDeviceReset() -> None:
    """Keep all as it is: other parts of the script hold memory too."""


@_answer
def cudaSetDeviceFlags(flags: int) -> None:
    """Take note of nothing: the host waits for nothing."""


@_answer
def cudaRuntimeGetVersion() -> int:
    """Return the version of CUDA."""
    return VERSION


@_answer
def cudaDriverGetVersion() -> int:
    """Return the version of CUDA."""
    return VERSION


@_answer
def cudaGetErrorName(error: int) -> bytes:
    """Return the name of an error."""
    return cudaError_t(error).name.encode()


@_answer
def cudaGetErrorString(error: int) -> bytes:
    """Return what an error means, in CUDA's words."""
    return TEXTS[cudaError_t(error)]


@_answer
def cudaGetLastError() -> None:
    """Say that nothing is outstanding: each call has told its own error."""


@_answer
def cudaPeekAtLastError() -> None:
    """Say that nothing is outstanding: each call has told its own error."""


@_answer
def cudaProfilerStart() -> None:
    """Do nothing: no profiler listens."""


@_answer
def cudaProfilerStop() -> None:
    """Do nothing: no profiler listens."""


__getattr__ = module_getattr("cuda.cudart", "cuda")
