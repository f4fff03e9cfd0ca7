"""What the functions of CUDA's runtime and driver API have in common on the host."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np

from trtflow.nvidia.host import MEMORY, AddressError, check_count, copy, span
from trtflow.nvidia.pycuda.contexts import Device, init

VERSION = 12000  # of CUDA, as TensorRT 8.6 was built with
SUCCESS, INVALID_VALUE, OUT_OF_MEMORY = 0, 1, 2  # codes that both interfaces share
INVALID_DEVICE, INVALID_HANDLE, NOT_SUPPORTED = 101, 400, 801
TEXTS = {  # CUDA's own, which both interfaces share
    SUCCESS: b"no error",
    INVALID_VALUE: b"invalid argument",
    OUT_OF_MEMORY: b"out of memory",
    3: b"initialization error",
    12: b"invalid pitch argument",
    21: b"invalid copy direction for memcpy",
    35: b"CUDA driver version is insufficient for CUDA runtime version",
    100: b"no CUDA-capable device is detected",
    INVALID_DEVICE: b"invalid device ordinal",
    201: b"invalid device context",
    INVALID_HANDLE: b"invalid resource handle",
    600: b"device not ready",
    700: b"an illegal memory access was encountered",
    NOT_SUPPORTED: b"operation not supported",
    999: b"unknown error",
}


class CallError(Exception):
    """A call fails with a code.

    Args:
        code: CUDA's.
        message: what was wrong, and the way out.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Handle(int):
    """A number that stands for an object of CUDA's."""

    def getPtr(self) -> int:
        """Return the number."""
        return int(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} 0x{int(self):x}>"


class Event:
    """When something was done; NaN until it is recorded."""

    def __init__(self) -> None:
        self.seconds = float("nan")

    def record(self) -> None:
        """Note the time."""
        self.seconds = time.perf_counter()

    def ms_since(self, earlier: Event) -> float:
        """Return the milliseconds from another event.

        Raises:
            CallError: one of the two was not recorded.
        """
        found = (self.seconds - earlier.seconds) * 1000
        if np.isnan(found):
            raise CallError(INVALID_HANDLE, "an event that was not recorded")
        return found


class Objects:
    """Streams and events by their handles.

    Args:
        name: of a kind, for errors.
    """

    def __init__(self, name: str) -> None:
        self._name, self._next = name, 1
        self._objects: dict[int, Any] = {}

    def add(self, value: Any) -> int:
        """Return the handle of a new object."""
        handle, self._next = self._next << 8, self._next + 1
        self._objects[handle] = value
        return handle

    def get(self, handle: Any) -> Any:
        """Return an object.

        Raises:
            CallError: it was destroyed, or never was.
        """
        if int(handle) not in self._objects:
            raise CallError(INVALID_HANDLE, f"there is no {self._name} {int(handle)}; was it destroyed?")
        return self._objects[int(handle)]

    def remove(self, handle: Any) -> None:
        """Forget an object."""
        self.get(handle)
        del self._objects[int(handle)]


STREAMS, EVENTS = Objects("stream"), Objects("event")
DEFAULT_STREAMS = (0, 1, 2)  # null, legacy and per thread


def need_stream(stream: Any) -> None:
    """Make sure that a stream is there."""
    if int(stream or 0) not in DEFAULT_STREAMS:
        STREAMS.get(stream)


def device() -> Device:
    """Return the one device, with the driver started."""
    init()
    return Device(0)


def check_device(number: Any) -> None:
    """Make sure that a number is that of the one device."""
    if int(number) != 0:
        raise CallError(INVALID_DEVICE, f"device {int(number)}; there is device 0 alone")


def answered(codes: type[IntEnum]) -> Callable[[Callable[..., Any]], Callable[..., tuple[Any, ...]]]:
    """Return a decorator for a function that raises: it gives CUDA's code, followed by what the function returns.

    Args:
        codes: the error codes of the interface.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> tuple[Any, ...]:
            try:
                found = function(*arguments, **named)
            except (CallError, AddressError, MemoryError, ValueError) as error:
                print(f"{function.__name__}: {error}", file=sys.stderr)
                code = OUT_OF_MEMORY if isinstance(error, MemoryError) else getattr(error, "code", INVALID_VALUE)
                return (codes(code), *[None] * _values(function))
            if found is None:
                return (codes(SUCCESS),)
            return (codes(SUCCESS), *(found if isinstance(found, tuple) else (found,)))

        return call

    return decorate


def _values(function: Callable[..., Any]) -> int:
    """Return how many values a function returns, by its annotation; cuda-python gives as many where it fails."""
    kind = str(function.__annotations__.get("return"))
    return 0 if kind == "None" else kind.count(",") + 1


def host_range(value: Any, nbytes: int, writable: bool = False) -> int:
    """Return the address of an argument that is memory of the host: an address, an array or other buffer.

    Raises:
        AddressError: it is smaller than what is to be copied, which has a number of bytes.
    """
    check_count(nbytes, "host")
    if not isinstance(value, np.ndarray) and hasattr(value, "__index__"):
        MEMORY.guard(int(value), nbytes)
        return int(value)
    address, size = span(value, writable)
    if size < nbytes:
        raise AddressError(f"{nbytes} bytes, but the array on the host has {size}")
    return address


def device_range(value: Any, nbytes: int, what: str) -> int:
    """Return the address of an argument that is memory of the device.

    Raises:
        AddressError: it is not there, or smaller than what is to be copied.
    """
    MEMORY.require(int(value), nbytes, what)
    return int(value)


def copy_rows(target: int, pitches: tuple[int, int], source: int, width: int, height: int) -> None:
    """Copy rows.

    Args:
        target: address of the first row.
        pitches: bytes from one row to the next, there and in the source.
        source: address of the first row.
        width: bytes of a row.
        height: rows.
    """
    for row in range(height):
        copy(target + row * pitches[0], source + row * pitches[1], width)


def module_getattr(module: str, prefix: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module of CUDA's names: an unknown one is an error that says what to do."""

    def missing(name: str) -> Any:
        if name.lower().startswith(prefix):
            raise AttributeError(
                f"{module}.{name} is not answered on a CPU (docs/run.md names what is); "
                "run the script where there is a GPU, or leave the call out"
            )
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return missing
