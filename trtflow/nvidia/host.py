"""The memory of the stand-ins for CUDA: allocations of the host that are known by their addresses.

A device address is a real address of this process, so what the reference runtime is given as a binding it can read.
Every copy is held against the allocations that there are. Freed memory goes back to the system at once, but its
addresses are given out again only much later, so that a use after `free` is told from a use of new memory.
"""

from __future__ import annotations

import bisect
import ctypes
import mmap
import os
import threading
from collections import deque
from typing import Any

import numpy as np

from trtflow.formats import UserError

REMEMBERED = 1024  # freed allocations whose addresses are kept from being used again
# a process that is forked writes into memory of its own; Windows has no such choice, and no fork
PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}


class AddressError(UserError):
    """Memory was used that is not allocated, is allocated no longer, or is smaller than what was wanted."""


class Allocation:
    """Memory of its own pages, zeros at first.

    Attributes:
        address: of its first byte.
        nbytes: its size as it was asked for.
        kind: "device", "host" (page-locked) or "managed".
    """

    def __init__(self, nbytes: int, kind: str) -> None:
        self.nbytes, self.kind = nbytes, kind
        self._pages = mmap.mmap(-1, max(nbytes, 1), **PRIVATE)
        self.buffer = (ctypes.c_char * max(nbytes, 1)).from_buffer(self._pages)
        self.address = ctypes.addressof(self.buffer)

    def release(self) -> None:
        """Give the pages back to the system; the addresses stay taken."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)

    def __str__(self) -> str:
        return f"{self.kind} memory of {self.nbytes} bytes at 0x{self.address:x}"


class Memory:
    """The allocations of a process."""

    def __init__(self) -> None:
        self._live: dict[int, Allocation] = {}
        self._starts: list[int] = []  # of `_live`, sorted
        self._freed: deque[Allocation] = deque(maxlen=REMEMBERED)
        self._lock = threading.RLock()
        self.used = 0

    @staticmethod
    def total() -> int:
        """Return the bytes of memory that the machine has."""
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def allocate(self, nbytes: int, kind: str = "device") -> int:
        """Return the address of new memory.

        Args:
            nbytes: its size; 0 is 1, as no two allocations have one address.
            kind: "device", "host" or "managed".

        Raises:
            MemoryError: the machine has not so much.
        """
        if nbytes < 0 or self.used + nbytes > self.total():
            raise MemoryError(f"{nbytes} bytes wanted, {self.total() - self.used} of {self.total()} free")
        try:
            allocation = Allocation(nbytes, kind)
        except OSError as error:
            raise MemoryError(f"{nbytes} bytes wanted: {error.strerror}") from error
        with self._lock:
            self._live[allocation.address] = allocation
            bisect.insort(self._starts, allocation.address)
            self.used += nbytes
        return allocation.address

    def free(self, address: int) -> None:
        """Give memory back.

        Raises:
            AddressError: no allocation begins there.
        """
        with self._lock:
            allocation = self._live.pop(address, None)
            if allocation is None:
                raise AddressError(f"free of 0x{address:x}: {self._of_freed(address) or 'no allocation begins there'}")
            del self._starts[bisect.bisect_left(self._starts, address)]
            self.used -= allocation.nbytes
            self._freed.append(allocation)
        allocation.release()

    def find(self, address: int) -> Allocation | None:
        """Return the allocation that an address lies in, or None."""
        with self._lock:
            index = bisect.bisect_right(self._starts, address) - 1
            if index < 0:
                return None
            allocation = self._live[self._starts[index]]
        return allocation if address < allocation.address + max(allocation.nbytes, 1) else None

    def require(self, address: int, nbytes: int, what: str) -> None:
        """Make sure that an allocation has a number of bytes from an address on.

        Args:
            address: of the first byte.
            nbytes: how many are wanted.
            what: what wants them, for the error.

        Raises:
            AddressError: it has not.
        """
        check_count(nbytes, what)
        allocation = self.find(address)
        if allocation is None:
            fault = "no address was given" if not address else f"nothing is allocated at 0x{address:x}"
            raise AddressError(f"{what}: {self._of_freed(address) or fault}")
        room = allocation.address + allocation.nbytes - address
        if nbytes > room:
            raise AddressError(f"{what}: {nbytes} bytes, but only {room} are left of {allocation}")

    def guard(self, address: int, nbytes: int) -> None:
        """Make sure that an address which may be of any memory is not one of ours that is freed or too small.

        Raises:
            AddressError: it is.
        """
        if self.find(address) is not None or self._of_freed(address):
            self.require(address, nbytes, "a binding of the engine")

    def _of_freed(self, address: int) -> str | None:
        with self._lock:
            for allocation in reversed(self._freed):
                if allocation.address <= address < allocation.address + max(allocation.nbytes, 1):
                    return f"0x{address:x} is of {allocation}, which was freed; keep it until its last use"
        return None


MEMORY = Memory()


def check_count(count: int, what: str) -> None:
    """Refuse a negative number of bytes.

    Raises:
        AddressError: it is.
    """
    if count < 0:
        raise AddressError(f"{what}: {count} bytes")


def span(values: Any, writable: bool = False) -> tuple[int, int]:
    """Return address and size of an object's contiguous memory: an array, bytes, or whatever has a buffer.

    Raises:
        TypeError: the object has no buffer, or only one that cannot be written.
        ValueError: its memory has gaps.
    """
    found = memoryview(values)
    if not (found.c_contiguous or found.f_contiguous):
        raise ValueError("the array has gaps between its elements. Copy it: np.ascontiguousarray(array).")
    if writable and found.readonly:
        raise TypeError("the memory cannot be written")
    if not found.nbytes:
        return 0, 0
    array = values if isinstance(values, np.ndarray) else np.frombuffer(found, np.uint8)
    return int(array.ctypes.data), found.nbytes


def copy(target: int, source: int, nbytes: int) -> None:
    """Copy bytes from one address to another; the two ranges may overlap.

    Raises:
        AddressError: at one of them there is no such memory.
    """
    from trtflow.reference.memory import MemoryFaultError, move  # noqa: PLC0415 - children load as little as they can

    if nbytes:
        try:
            move(target, source, nbytes)
        except MemoryFaultError as error:
            raise AddressError(f"copy: {error}") from error


def fill(target: int, value: bytes, count: int) -> None:
    """Write a value of one, two or four bytes a number of times."""
    if len(value) == 1:
        ctypes.memset(target, value[0], count)
    else:
        ctypes.memmove(target, value * count, len(value) * count)
