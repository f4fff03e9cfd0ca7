"""`pycuda.tools`: contexts, memory pools and caches."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from trtflow.nvidia.pycuda.contexts import Context, Device
from trtflow.nvidia.pycuda.memory import DeviceAllocation, pagelocked_empty


def get_default_device(default: int = 0) -> Device:
    """Return the device."""
    return Device(0)


def make_default_context(ctx_maker: Callable[[Device], Context] | None = None) -> Context:
    """Return a new context of the device, which is the thread's own from now on."""
    return ctx_maker(Device(0)) if ctx_maker is not None else Device(0).make_context()


def context_dependent_memoize(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that keeps its answers."""
    return functools.lru_cache(maxsize=None)(function)


def clear_context_caches() -> None:
    """Do nothing: nothing is kept for a context."""


class PooledDeviceAllocation(DeviceAllocation):
    """Memory of a pool."""


class DeviceMemoryPool:
    """A pool of device memory; the host's own allocator is one, so it holds nothing back.

    Attributes:
        held_blocks: always 0.
        active_blocks: always 0.
    """

    held_blocks = active_blocks = 0

    def allocate(self, size: int) -> PooledDeviceAllocation:
        """Return device memory of a size in bytes."""
        return PooledDeviceAllocation(size)

    def free_held(self) -> None:
        """Do nothing: nothing is held."""

    def stop_holding(self) -> None:
        """Do nothing: nothing is held."""


class PageLockedMemoryPool:
    """A pool of page-locked memory, which holds nothing back."""

    def allocate(self, shape: Any, dtype: Any, order: str = "C") -> Any:
        """Return a page-locked array."""
        return pagelocked_empty(shape, dtype, order)

    def free_held(self) -> None:
        """Do nothing: nothing is held."""

    def stop_holding(self) -> None:
        """Do nothing: nothing is held."""
