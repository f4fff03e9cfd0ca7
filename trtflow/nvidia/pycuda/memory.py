"""Memory of PyCUDA's driver: of the device, page-locked and managed, and the copies between them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from trtflow.nvidia.host import MEMORY, copy, fill, span
from trtflow.nvidia.pycuda.contexts import require_context
from trtflow.nvidia.pycuda.errors import LogicError, driver_call


class host_alloc_flags:
    """Kinds of page-locked memory; on a host all are one."""

    PORTABLE, DEVICEMAP, WRITECOMBINED = 1, 2, 4


class mem_attach_flags:
    """Who may see managed memory; on a host all do."""

    GLOBAL, HOST, SINGLE = 1, 2, 4


class mem_host_register_flags:
    """Kinds of registration; on a host all are one."""

    PORTABLE, DEVICEMAP = 1, 2


class PointerHolderBase:
    """What may stand where a device address is wanted; a subclass has `get_pointer`."""

    def get_pointer(self) -> int:
        """Return the address."""
        raise NotImplementedError(f"{type(self).__name__} lacks get_pointer")

    def __int__(self) -> int:
        return int(self.get_pointer())

    __index__ = __int__


class DeviceAllocation:
    """Memory of the device, freed when nothing holds it any more; `int()` gives its address."""

    def __init__(self, nbytes: int) -> None:
        self._address = 0
        require_context("cuMemAlloc")
        with driver_call("cuMemAlloc"):
            self._address = MEMORY.allocate(int(nbytes))
        self._nbytes = int(nbytes)

    def free(self) -> None:
        """Give the memory back; a second time is an error."""
        with driver_call("cuMemFree"):
            MEMORY.free(int(self))
        self._address = 0

    def as_buffer(self, size: int, offset: int = 0) -> memoryview:
        """Return the memory as a buffer."""
        with driver_call("DeviceAllocation.as_buffer"):
            MEMORY.require(int(self) + offset, size, "as_buffer")
        return memoryview((ctypes.c_char * size).from_address(int(self) + offset)).cast("B")

    def __int__(self) -> int:
        if not self._address:
            raise LogicError("device_allocation: invalid argument: the memory was freed; keep it until its last use")
        return self._address

    __index__ = __int__

    def __del__(self) -> None:
        if getattr(self, "_address", 0):
            MEMORY.free(self._address)
            self._address = 0


class PagelockedHostAllocation:
    """Page-locked memory, the `base` of an array; freed with it."""

    kind = "host"

    def __init__(self, nbytes: int, flags: int = 0) -> None:
        self._address, self._flags, self.size = 0, flags, nbytes
        require_context("cuMemHostAlloc")
        with driver_call("cuMemHostAlloc"):
            self._address = MEMORY.allocate(nbytes, self.kind)

    def __del__(self) -> None:
        if getattr(self, "_address", 0):
            MEMORY.free(self._address)

    def free(self) -> None:
        """Do nothing yet: the array still shows the memory, which goes with it."""

    def get_flags(self) -> int:
        """Return the flags that it was made with."""
        return self._flags

    def get_device_pointer(self) -> int:
        """Return the device's address of the memory, which is the host's."""
        return self._address

    def array(self, shape: tuple[int, ...], dtype: np.dtype, order: str) -> np.ndarray:
        """Return the memory as an array whose `base` is this allocation."""
        steps = np.cumprod([dtype.itemsize, *(shape[:0:-1] if order == "C" else shape[:-1])], dtype=np.int64)
        self.__array_interface__ = {
            "version": 3,
            "data": (self._address, False),
            "shape": shape,
            "typestr": dtype.str,
            "descr": dtype.descr,
            "strides": tuple(int(step) for step in (steps[::-1] if order == "C" else steps))[: len(shape)],
        }
        return np.asarray(self)


class ManagedAllocation(PagelockedHostAllocation):
    """Memory that host and device see alike."""

    kind = "managed"

    def attach(self, flags: int, stream: Any = None) -> None:
        """Take note of nothing: all see it."""


class RegisteredHostMemory:
    """The registration of an array's memory as page-locked."""

    def __init__(self, array: np.ndarray) -> None:
        self.base = array

    def unregister(self) -> None:
        """End the registration."""

    def get_device_pointer(self) -> int:
        """Return the device's address of the memory, which is the host's."""
        return int(self.base.ctypes.data)


def _shape(shape: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in shape) if np.ndim(shape) else (int(shape),)


def _array(allocation: type[PagelockedHostAllocation], shape: Any, dtype: Any, order: str, flags: int) -> np.ndarray:
    kind, sizes = np.dtype(dtype), _shape(shape)
    return allocation(int(np.prod(sizes, dtype=np.int64)) * kind.itemsize, flags).array(sizes, kind, order)


def pagelocked_empty(shape: Any, dtype: Any, order: str = "C", mem_flags: int = 0) -> np.ndarray:
    """Return a page-locked array.

    Args:
        shape: sizes, or one size.
        dtype: of the elements.
        order: "C" or "F".
        mem_flags: bits of `host_alloc_flags`.
    """
    return _array(PagelockedHostAllocation, shape, dtype, order, mem_flags)


pagelocked_zeros = pagelocked_empty  # new pages are zeros


def pagelocked_empty_like(array: np.ndarray, mem_flags: int = 0) -> np.ndarray:
    """Return a page-locked array of another's shape and type."""
    return pagelocked_empty(array.shape, array.dtype, "F" if array.flags.fnc else "C", mem_flags)


pagelocked_zeros_like = pagelocked_empty_like


def managed_empty(shape: Any, dtype: Any, order: str = "C", mem_flags: int = 0) -> np.ndarray:
    """Return an array that host and device see alike."""
    return _array(ManagedAllocation, shape, dtype, order, mem_flags)


managed_zeros = managed_empty


def managed_empty_like(array: np.ndarray, mem_flags: int = 0) -> np.ndarray:
    """Return a managed array of another's shape and type."""
    return managed_empty(array.shape, array.dtype, "F" if array.flags.fnc else "C", mem_flags)


managed_zeros_like = managed_empty_like


def aligned_empty(shape: Any, dtype: Any, order: str = "C", alignment: int = 4096) -> np.ndarray:
    """Return an array that begins at a page, as `register_host_memory` wants it."""
    return managed_empty(shape, dtype, order)


aligned_zeros = aligned_empty


def register_host_memory(array: np.ndarray, flags: int = 0) -> np.ndarray:
    """Return the array, whose `base` gives its device address."""
    require_context("cuMemHostRegister")
    holder = RegisteredHostMemory(array)
    holder.__array_interface__ = array.__array_interface__  # type: ignore[attr-defined]
    return np.asarray(holder)


def mem_alloc(nbytes: int) -> DeviceAllocation:
    """Return device memory of a size in bytes.

    Raises:
        MemoryError: there is not so much.
        LogicError: this thread has no context.
    """
    return DeviceAllocation(nbytes)


def mem_alloc_like(ary: Any) -> DeviceAllocation:
    """Return device memory of an array's size."""
    return mem_alloc(ary.nbytes)


def mem_alloc_pitch(width: int, height: int, access_size: int) -> tuple[DeviceAllocation, int]:
    """Return device memory for rows, and the bytes from one row to the next."""
    pitch = -(-width // 256) * 256
    return DeviceAllocation(pitch * height), pitch


def mem_get_info() -> tuple[int, int]:
    """Return the free and all bytes of memory."""
    require_context("cuMemGetInfo")
    return MEMORY.total() - MEMORY.used, MEMORY.total()


def _on_device(call: str, pointer: Any, nbytes: int) -> int:
    """Return the address of device memory, after a look whether it is there and large enough."""
    require_context(call)
    address = int(pointer)
    with driver_call(call):
        MEMORY.require(address, nbytes, call)
    return address


def memcpy_htod(dest: Any, src: Any) -> None:
    """Copy an array, or whatever has a contiguous buffer, to the device.

    Args:
        dest: device memory or an address in it.
        src: what is copied, in whole.

    Raises:
        LogicError: the memory is not there, or smaller.
    """
    source, nbytes = span(src)
    copy(_on_device("cuMemcpyHtoD", dest, nbytes), source, nbytes)


def memcpy_dtoh(dest: Any, src: Any) -> None:
    """Copy from the device into an array, as many bytes as it has.

    Raises:
        LogicError: the memory is not there, or smaller.
    """
    target, nbytes = span(dest, writable=True)
    copy(target, _on_device("cuMemcpyDtoH", src, nbytes), nbytes)


def memcpy_dtod(dest: Any, src: Any, size: int) -> None:
    """Copy bytes from device memory to device memory."""
    target, source = _on_device("cuMemcpyDtoD", dest, size), _on_device("cuMemcpyDtoD", src, size)
    copy(target, source, size)


def memcpy_htod_async(dest: Any, src: Any, stream: Any = None) -> None:
    """Copy like `memcpy_htod`; it is done on return."""
    memcpy_htod(dest, src)


def memcpy_dtoh_async(dest: Any, src: Any, stream: Any = None) -> None:
    """Copy like `memcpy_dtoh`; it is done on return."""
    memcpy_dtoh(dest, src)


def memcpy_dtod_async(dest: Any, src: Any, size: int, stream: Any = None) -> None:
    """Copy like `memcpy_dtod`; it is done on return."""
    memcpy_dtod(dest, src, size)


def memcpy_peer(dest: Any, src: Any, size: int, dest_context: Any = None, src_context: Any = None) -> None:
    """Copy between devices, of which there is one."""
    memcpy_dtod(dest, src, size)


def memcpy_peer_async(
    dest: Any, src: Any, size: int, dest_context: Any = None, src_context: Any = None, stream: Any = None
) -> None:
    """Copy between devices, of which there is one; it is done on return."""
    memcpy_dtod(dest, src, size)


def _memset(dest: Any, data: int, count: int, width: int) -> None:
    call = f"cuMemsetD{width * 8}"
    fill(_on_device(call, dest, count * width), int(data).to_bytes(width, "little"), count)


def memset_d8(dest: Any, data: int, count: int) -> None:
    """Write a byte `count` times."""
    _memset(dest, data, count, 1)


def memset_d16(dest: Any, data: int, count: int) -> None:
    """Write two bytes `count` times."""
    _memset(dest, data, count, 2)


def memset_d32(dest: Any, data: int, count: int) -> None:
    """Write four bytes `count` times."""
    _memset(dest, data, count, 4)


def memset_d8_async(dest: Any, data: int, count: int, stream: Any = None) -> None:
    """Write a byte `count` times; it is done on return."""
    _memset(dest, data, count, 1)


def memset_d16_async(dest: Any, data: int, count: int, stream: Any = None) -> None:
    """Write two bytes `count` times; it is done on return."""
    _memset(dest, data, count, 2)


def memset_d32_async(dest: Any, data: int, count: int, stream: Any = None) -> None:
    """Write four bytes `count` times; it is done on return."""
    _memset(dest, data, count, 4)


def to_device(bf_obj: Any) -> DeviceAllocation:
    """Return new device memory with the bytes of an array."""
    memory = DeviceAllocation(span(bf_obj)[1])
    memcpy_htod(memory, bf_obj)
    return memory


def from_device(devptr: Any, shape: Any, dtype: Any, order: str = "C") -> np.ndarray:
    """Return a new array with what device memory holds."""
    array = np.empty(_shape(shape), dtype, order)  # type: ignore[call-overload]
    memcpy_dtoh(array, devptr)
    return array


def from_device_like(devptr: Any, other_ary: np.ndarray) -> np.ndarray:
    """Return a new array with what device memory holds, of another array's shape and type."""
    return from_device(devptr, other_ary.shape, other_ary.dtype, "F" if other_ary.flags.fnc else "C")
