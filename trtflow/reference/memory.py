"""Memory by its address, as TensorRT's API passes it around.

An address may be anything. The kernel copies from and to it where it can (process_vm_readv and process_vm_writev of
Linux, on this very process): unlike a processor, it answers where there is no memory, or none that may be written. It
is asked each time, at the cost of some microseconds: memory that was there once may have been given back since.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from trtflow.reference.record.enums import DataType
from trtflow.reference.record.values import DTYPES


class MemoryFaultError(Exception):
    """An address at which there is not the memory that is wanted; the message says why, without a full stop."""


class NullAddressError(MemoryFaultError):
    """The address is null."""

    def __init__(self) -> None:
        super().__init__("its address is null")


def read(address: Any, shape: tuple[int, ...], dtype: DataType) -> np.ndarray:
    """Return what contiguous memory at an address holds, as a new array.

    Raises:
        MemoryFaultError: there is no such memory.
    """
    values = np.empty(shape, DTYPES[dtype])
    _copy(_READ, checked(address, values), _place(values), values.nbytes, "cannot be read")
    return values


def write(address: Any, values: np.ndarray) -> None:
    """Lay an array at an address.

    Raises:
        MemoryFaultError: there is no such memory, or it may only be read.
    """
    whole = np.ascontiguousarray(values)
    _copy(_WRITE, checked(address, values), _place(whole), whole.nbytes, "cannot be written")


def move(target: int, source: int, nbytes: int) -> None:
    """Copy bytes from one address to another; the two ranges may overlap.

    Raises:
        MemoryFaultError: at one of them there is no such memory, or what is to be written may only be read.
    """
    for address in (target, source):
        if not 0 < address < (1 << 64) - nbytes:
            raise MemoryFaultError(f"{address:#x} is no address of {nbytes} bytes")
    fault = f"cannot be read, or those from {target:#x} on not be written"
    if abs(target - source) >= nbytes:
        _copy(_READ, source, target, nbytes, fault)
        return
    between = np.empty(nbytes, np.uint8)  # the kernel goes forward, whatever the ranges
    _copy(_READ, source, _place(between), nbytes, fault)
    _copy(_WRITE, target, _place(between), nbytes, fault)


def guard(address: int, nbytes: int) -> None:
    """Take an address as it is; who knows where memory is allocated puts a look at it in this place."""


def checked(address: Any, values: np.ndarray) -> int:
    """Return an address as a number, which must be one at which values of a type can begin.

    Raises:
        MemoryFaultError: it is null, no number, or not a multiple of the values' size.
    """
    found = as_number(address)
    if values.nbytes and not found:
        raise NullAddressError
    if not 0 <= found < 1 << 64:
        raise MemoryFaultError(f"{found} is no address")
    guard(found, values.nbytes)
    if found % values.dtype.itemsize:
        size = values.dtype.itemsize
        raise MemoryFaultError(f"its address {found:#x} is not a multiple of {size}, the bytes of a {values.dtype}")
    return found


def as_number(address: Any) -> int:
    """Return what stands for an address, a number or what has one, as one.

    Raises:
        MemoryFaultError: it is none, as a fraction, a text or an array of values in place of where they lie.
    """
    try:
        if isinstance(address, (float, np.floating)) or not hasattr(address, "__int__"):
            raise TypeError
        return int(address)
    except (TypeError, ValueError):
        told = " ".join(repr(address).split())
        raise MemoryFaultError(f"{told:.60} is no address") from None


_Vectors = ctypes.c_size_t * 4  # two of struct iovec, local and remote: where memory begins and its bytes
SECOND = 2 * ctypes.sizeof(ctypes.c_size_t)
Call = Callable[[int, int, int], int]  # local and remote address, bytes; returns the bytes that were copied, or -1


def _call(name: str) -> Call | None:
    """Return a call of the kernel that copies between local and remote memory; None where there is none."""
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_ulong
    function.argtypes, function.restype = (ctypes.c_int, pointer, size, pointer, size, size), ctypes.c_ssize_t

    def call(local: int, remote: int, nbytes: int) -> int:
        vectors = _Vectors(local, nbytes, remote, nbytes)
        return int(function(os.getpid(), ctypes.byref(vectors), 1, ctypes.byref(vectors, SECOND), 1, 0))

    return call


def _read_plainly(local: int, remote: int, nbytes: int) -> int:
    ctypes.memmove(local, remote, nbytes)
    return nbytes


def _write_plainly(local: int, remote: int, nbytes: int) -> int:
    return _read_plainly(remote, local, nbytes)


_READ = (_call("process_vm_readv"), _read_plainly)
_WRITE = (_call("process_vm_writev"), _write_plainly)


def _place(values: np.ndarray) -> int:
    return int(values.__array_interface__["data"][0])


def _copy(calls: tuple[Call | None, Call], address: int, local: int, nbytes: int, fault: str) -> None:
    """Copy all bytes between an address and a local one; the kernel may do less at once than is asked."""
    kernel, plain = calls
    done = 0
    while done < nbytes:
        count = kernel(local + done, address + done, nbytes - done) if kernel is not None else -1
        if count < 0:
            if kernel is not None and ctypes.get_errno() == errno.EFAULT:
                raise MemoryFaultError(f"byte {done} of {nbytes} from its address {address:#x} on {fault}")
            count = plain(local + done, address + done, nbytes - done)  # no such call, or one that is forbidden here
        done += count
