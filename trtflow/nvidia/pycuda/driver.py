"""`pycuda.driver`: the names that scripts for TensorRT use, and the refusal of those that compile or launch kernels."""

from __future__ import annotations

import time
from typing import Any

from trtflow.nvidia.pycuda.contexts import (
    Context,
    Device,
    ctx_flags,
    device_attribute,
    get_driver_version,
    get_version,
    init,
    require_context,
)
from trtflow.nvidia.pycuda.errors import (
    CompileError,
    Error,
    LaunchError,
    LogicError,
    MemoryError,
    RuntimeError,
    refuse_kernels,
)
from trtflow.nvidia.pycuda.memory import (
    DeviceAllocation,
    ManagedAllocation,
    PagelockedHostAllocation,
    PointerHolderBase,
    RegisteredHostMemory,
    aligned_empty,
    aligned_zeros,
    from_device,
    from_device_like,
    host_alloc_flags,
    managed_empty,
    managed_empty_like,
    managed_zeros,
    managed_zeros_like,
    mem_alloc,
    mem_alloc_like,
    mem_alloc_pitch,
    mem_attach_flags,
    mem_get_info,
    mem_host_register_flags,
    memcpy_dtod,
    memcpy_dtod_async,
    memcpy_dtoh,
    memcpy_dtoh_async,
    memcpy_htod,
    memcpy_htod_async,
    memcpy_peer,
    memcpy_peer_async,
    memset_d8,
    memset_d8_async,
    memset_d16,
    memset_d16_async,
    memset_d32,
    memset_d32_async,
    pagelocked_empty,
    pagelocked_empty_like,
    pagelocked_zeros,
    pagelocked_zeros_like,
    register_host_memory,
    to_device,
)

__all__ = [
    "CompileError", "Context", "Device", "DeviceAllocation", "Error", "Event", "In", "InOut", "LaunchError",
    "LogicError", "ManagedAllocation", "MemoryError", "Out", "PagelockedHostAllocation", "PointerHolderBase",
    "RegisteredHostMemory", "RuntimeError", "Stream", "aligned_empty", "aligned_zeros", "ctx_flags",
    "device_attribute", "event_flags", "from_device", "from_device_like", "get_driver_version", "get_version",
    "host_alloc_flags", "init", "managed_empty", "managed_empty_like", "managed_zeros", "managed_zeros_like",
    "mem_alloc", "mem_alloc_like", "mem_alloc_pitch", "mem_attach_flags", "mem_get_info", "mem_host_register_flags",
    "memcpy_dtod", "memcpy_dtod_async", "memcpy_dtoh", "memcpy_dtoh_async", "memcpy_htod", "memcpy_htod_async",
    "memcpy_peer", "memcpy_peer_async", "memset_d8", "memset_d8_async", "memset_d16", "memset_d16_async", 
    "memset_d32", "memset_d32_async",
    "module_from_buffer", "module_from_file", "pagelocked_empty", "pagelocked_empty_like",
    "pagelocked_zeros", "pagelocked_zeros_like", "register_host_memory", "start_profiler", "stop_profiler", "to_device",
]  # fmt: skip


class event_flags:
    """How an event waits; on a host it does not."""

    DEFAULT, BLOCKING_SYNC, DISABLE_TIMING, INTERPROCESS = 0, 1, 2, 4


class Event:
    """A moment on the host, whose work is done as soon as it is given."""

    def __init__(self, flags: int = 0) -> None:
        require_context("cuEventCreate")
        self._seconds: float | None = None

    def record(self, stream: Stream | None = None) -> Event:
        """Note the time."""
        self._seconds = time.perf_counter()
        return self

    def synchronize(self) -> Event:
        """Return at once."""
        return self

    def query(self) -> bool:
        """Return True: what was given is done."""
        return True

    def time_since(self, event: Event) -> float:
        """Return the milliseconds from another event to this one.

        Raises:
            LogicError: one of them was not recorded.
        """
        if self._seconds is None or event._seconds is None:
            raise LogicError("cuEventElapsedTime failed: invalid resource handle: an event that was not recorded")
        return (self._seconds - event._seconds) * 1000

    def time_till(self, event: Event) -> float:
        """Return the milliseconds from this event to another one."""
        return event.time_since(self)


class Stream:
    """Work on the host, done as soon as it is given.

    Attributes:
        handle: a number of its own, as TensorRT's `stream_handle` wants one.
    """

    def __init__(self, flags: int = 0) -> None:
        require_context("cuStreamCreate")
        self.handle = id(self)

    def synchronize(self) -> None:
        """Return at once."""

    def is_done(self) -> bool:
        """Return True."""
        return True

    def wait_for_event(self, event: Event) -> None:
        """Return at once."""

    def __int__(self) -> int:
        return self.handle

    __index__ = __int__


class _Argument:
    """An array for a kernel's call; there are no kernels."""

    def __init__(self, array: Any) -> None:
        raise refuse_kernels(f"A kernel that pycuda.driver.{type(self).__name__} is for")


class In(_Argument):
    """What a kernel reads."""


class Out(_Argument):
    """What a kernel writes."""


class InOut(_Argument):
    """What a kernel reads and writes."""


def module_from_file(filename: str) -> Any:
    """Refuse a compiled kernel.

    Raises:
        CompileError: always.
    """
    raise refuse_kernels(f"{filename}: a module of kernels, which pycuda.driver.module_from_file loads,")


def module_from_buffer(buffer: Any, *options: Any) -> Any:
    """Refuse a compiled kernel.

    Raises:
        CompileError: always.
    """
    raise refuse_kernels("A module of kernels, which pycuda.driver.module_from_buffer loads,")


def start_profiler() -> None:
    """Do nothing: no profiler listens."""


def stop_profiler() -> None:
    """Do nothing: no profiler listens."""


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"pycuda.driver.{name} is not answered on a CPU (docs/run.md names what is); "
        "run the script where there is a GPU, or leave the call out"
    )
