"""`cuda.cuda`: CUDA's driver API on the host, with cuda-python's signatures."""

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
    device_range,
    host_range,
    module_getattr,
    need_stream,
)
from trtflow.nvidia.cuda.calls import device as device_in_use
from trtflow.nvidia.host import MEMORY, copy, fill
from trtflow.nvidia.pycuda.contexts import init


class CUresult(IntEnum):
    """Error codes that the functions here give."""

    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NOT_INITIALIZED = 3
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_INVALID_DEVICE = 101
    CUDA_ERROR_INVALID_CONTEXT = 201
    CUDA_ERROR_INVALID_HANDLE = 400
    CUDA_ERROR_NOT_READY = 600
    CUDA_ERROR_ILLEGAL_ADDRESS = 700
    CUDA_ERROR_NOT_SUPPORTED = 801
    CUDA_ERROR_UNKNOWN = 999


class CUdevice_attribute(IntEnum):
    """Attributes of a device."""

    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1
    CU_DEVICE_ATTRIBUTE_WARP_SIZE = 10
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76


class CUstream_flags(IntEnum):
    """Kinds of streams; on a host all are one."""

    CU_STREAM_DEFAULT = 0
    CU_STREAM_NON_BLOCKING = 1


class CUctx_flags(IntEnum):
    """How the driver waits; the host waits for nothing."""

    CU_CTX_SCHED_AUTO = 0
    CU_CTX_SCHED_SPIN = 1
    CU_CTX_SCHED_YIELD = 2
    CU_CTX_SCHED_BLOCKING_SYNC = 4
    CU_CTX_MAP_HOST = 8


class CUevent_flags(IntEnum):
    """Kinds of events; on a host all are one."""

    CU_EVENT_DEFAULT = 0
    CU_EVENT_BLOCKING_SYNC = 1
    CU_EVENT_DISABLE_TIMING = 2


class CUdeviceptr(Handle):
    """An address of the device."""


class CUdevice(Handle):
    """A device."""


class CUcontext(Handle):
    """A context."""


class CUstream(Handle):
    """A stream."""


class CUevent(Handle):
    """An event."""


_answer = answered(CUresult)
_CONTEXT = CUcontext(1 << 8)  # the one context that there is
NO_KERNELS = "kernels cannot run on a CPU; compute with NumPy, or run it where there is a GPU"


@_answer
def cuInit(Flags: int) -> None:
    """Start the driver."""
    init()


@_answer
def cuDriverGetVersion() -> int:
    """Return the version of CUDA."""
    return VERSION


@_answer
def cuDeviceGetCount() -> int:
    """Return the number of devices."""
    return 1


@_answer
def cuDeviceGet(ordinal: int) -> CUdevice:
    """Return the device of a number."""
    check_device(ordinal)
    return CUdevice(ordinal)


@_answer
def cuDeviceGetName(length: int, device: Any) -> bytes:
    """Return the name of the device, of at most `length` bytes."""
    check_device(device)
    return device_in_use().name().encode()[: length - 1]


@_answer
def cuDeviceTotalMem(device: Any) -> int:
    """Return the bytes of memory."""
    check_device(device)
    return MEMORY.total()


@_answer
def cuDeviceGetAttribute(attribute: int, device: Any) -> int:
    """Return an attribute of the device."""
    check_device(device)
    return device_in_use().get_attributes()[CUdevice_attribute(attribute)]


@_answer
def cuCtxCreate(*arguments: Any) -> CUcontext:
    """Return a context; the device is the last argument."""
    check_device(arguments[-1])
    return _CONTEXT


@_answer
def cuCtxGetCurrent() -> CUcontext:
    """Return the context."""
    return _CONTEXT


@_answer
def cuCtxSetCurrent(context: Any) -> None:
    """Do nothing: there is one context."""


@_answer
def cuCtxPushCurrent(context: Any) -> None:
    """Do nothing: there is one context."""


@_answer
def cuCtxPopCurrent() -> CUcontext:
    """Return the context."""
    return _CONTEXT


@_answer
def cuCtxSynchronize() -> None:
    """Return at once: all work is done."""


@_answer
def cuCtxDestroy(context: Any) -> None:
    """Do nothing: there is one context."""


@_answer
def cuDevicePrimaryCtxRetain(device: Any) -> CUcontext:
    """Return the context."""
    check_device(device)
    return _CONTEXT


@_answer
def cuDevicePrimaryCtxRelease(device: Any) -> None:
    """Do nothing: there is one context."""
    check_device(device)


@_answer
def cuMemAlloc(bytesize: int) -> CUdeviceptr:
    """Return the address of device memory."""
    return CUdeviceptr(MEMORY.allocate(int(bytesize)))


@_answer
def cuMemAllocManaged(bytesize: int, flags: int) -> CUdeviceptr:
    """Return the address of memory that host and device see alike."""
    return CUdeviceptr(MEMORY.allocate(int(bytesize), "managed"))


@_answer
def cuMemAllocAsync(bytesize: int, stream: Any) -> CUdeviceptr:
    """Return the address of device memory."""
    need_stream(stream)
    return CUdeviceptr(MEMORY.allocate(int(bytesize)))


@_answer
def cuMemFree(dptr: Any) -> None:
    """Give device memory back."""
    MEMORY.free(int(dptr))


@_answer
def cuMemFreeAsync(dptr: Any, stream: Any) -> None:
    """Give device memory back."""
    need_stream(stream)
    MEMORY.free(int(dptr))


@_answer
def cuMemAllocHost(bytesize: int) -> int:
    """Return the address of page-locked memory."""
    return MEMORY.allocate(int(bytesize), "host")


@_answer
def cuMemHostAlloc(bytesize: int, Flags: int) -> int:
    """Return the address of page-locked memory."""
    return MEMORY.allocate(int(bytesize), "host")


@_answer
def cuMemFreeHost(pointer: Any) -> None:
    """Give page-locked memory back."""
    MEMORY.free(int(pointer))


@_answer
def cuMemGetInfo() -> tuple[int, int]:
    """Return the free and all bytes of memory."""
    return MEMORY.total() - MEMORY.used, MEMORY.total()


@_answer
def cuMemcpyHtoD(dstDevice: Any, srcHost: Any, ByteCount: int) -> None:
    """Copy to the device from an address or an array."""
    target = device_range(dstDevice, int(ByteCount), "destination")
    copy(target, host_range(srcHost, int(ByteCount)), int(ByteCount))


@_answer
def cuMemcpyDtoH(dstHost: Any, srcDevice: Any, ByteCount: int) -> None:
    """Copy from the device to an address or an array."""
    target = host_range(dstHost, int(ByteCount), writable=True)
    copy(target, device_range(srcDevice, int(ByteCount), "source"), int(ByteCount))


@_answer
def cuMemcpyDtoD(dstDevice: Any, srcDevice: Any, ByteCount: int) -> None:
    """Copy from device memory to device memory."""
    target = device_range(dstDevice, int(ByteCount), "destination")
    copy(target, device_range(srcDevice, int(ByteCount), "source"), int(ByteCount))


def cuMemcpyHtoDAsync(dstDevice: Any, srcHost: Any, ByteCount: int, hStream: Any) -> tuple[Any, ...]:
    """Copy to the device; it is done on return."""
    return cuMemcpyHtoD(dstDevice, srcHost, ByteCount)


def cuMemcpyDtoHAsync(dstHost: Any, srcDevice: Any, ByteCount: int, hStream: Any) -> tuple[Any, ...]:
    """Copy from the device; it is done on return."""
    return cuMemcpyDtoH(dstHost, srcDevice, ByteCount)


def cuMemcpyDtoDAsync(dstDevice: Any, srcDevice: Any, ByteCount: int, hStream: Any) -> tuple[Any, ...]:
    """Copy from device memory to device memory; it is done on return."""
    return cuMemcpyDtoD(dstDevice, srcDevice, ByteCount)


@_answer
def cuMemsetD8(dstDevice: Any, uc: int, N: int) -> None:
    """Write a byte N times."""
    fill(device_range(dstDevice, int(N), "destination"), bytes([uc & 255]), int(N))


@_answer
def cuMemsetD32(dstDevice: Any, ui: int, N: int) -> None:
    """Write four bytes N times."""
    fill(device_range(dstDevice, 4 * int(N), "destination"), int(ui).to_bytes(4, "little"), int(N))


@_answer
def cuStreamCreate(Flags: int) -> CUstream:
    """Return a new stream."""
    return CUstream(STREAMS.add("stream"))


@_answer
def cuStreamSynchronize(hStream: Any) -> None:
    """Return at once."""
    need_stream(hStream)


@_answer
def cuStreamQuery(hStream: Any) -> None:
    """Say that all is done."""
    need_stream(hStream)


@_answer
def cuStreamWaitEvent(hStream: Any, hEvent: Any, Flags: int) -> None:
    """Return at once."""
    need_stream(hStream)
    EVENTS.get(hEvent)


@_answer
def cuStreamDestroy(hStream: Any) -> None:
    """End a stream."""
    STREAMS.remove(hStream)


@_answer
def cuEventCreate(Flags: int) -> CUevent:
    """Return a new event."""
    return CUevent(EVENTS.add(Event()))


@_answer
def cuEventRecord(hEvent: Any, hStream: Any) -> None:
    """Note the time."""
    need_stream(hStream)
    EVENTS.get(hEvent).record()


@_answer
def cuEventSynchronize(hEvent: Any) -> None:
    """Return at once."""
    EVENTS.get(hEvent)


@_answer
def cuEventElapsedTime(hStart: Any, hEnd: Any) -> float:
    """Return the milliseconds between two events."""
    return EVENTS.get(hEnd).ms_since(EVENTS.get(hStart))


@_answer
def cuEventDestroy(hEvent: Any) -> None:
    """End an event."""
    EVENTS.remove(hEvent)


@_answer
def cuModuleLoadData(image: Any) -> int:
    """Refuse: kernels need a GPU."""
    raise CallError(NOT_SUPPORTED, NO_KERNELS)


@_answer
def cuModuleLoad(fname: Any) -> int:
    """Refuse: kernels need a GPU."""
    raise CallError(NOT_SUPPORTED, NO_KERNELS)


@_answer
def cuLaunchKernel(*arguments: Any) -> None:
    """Refuse: kernels need a GPU."""
    raise CallError(NOT_SUPPORTED, NO_KERNELS)


@_answer
def cuGetErrorName(error: int) -> bytes:
    """Return the name of an error."""
    return CUresult(error).name.encode()


@_answer
def cuGetErrorString(error: int) -> bytes:
    """Return what an error means, in CUDA's words."""
    return TEXTS[CUresult(error)]


__getattr__ = module_getattr("cuda.cuda", "cu")
