"""Devices and contexts of PyCUDA's driver: one device, the CPU, and a stack of contexts for each thread."""

from __future__ import annotations

import platform
import threading
from typing import Any

from trtflow.nvidia.host import MEMORY
from trtflow.nvidia.pycuda.errors import LogicError

_STATE = threading.local()
CAPABILITY = (8, 6)  # a GPU that TensorRT 8.6 has all precisions for
_started = False


class ctx_flags:
    """How the driver waits; recorded nowhere, as the host waits for nothing."""

    SCHED_AUTO, SCHED_SPIN, SCHED_YIELD, SCHED_BLOCKING_SYNC, SCHED_MASK = 0, 1, 2, 4, 7
    MAP_HOST, LMEM_RESIZE_TO_MAX, FLAGS_MASK = 8, 16, 31


class device_attribute:
    """Attributes of a device that scripts for TensorRT ask for."""

    MAX_THREADS_PER_BLOCK, WARP_SIZE, CLOCK_RATE, MULTIPROCESSOR_COUNT, INTEGRATED = 1, 10, 13, 16, 18
    CAN_MAP_HOST_MEMORY, UNIFIED_ADDRESSING, CONCURRENT_KERNELS, ASYNC_ENGINE_COUNT = 19, 41, 31, 40
    COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR, MANAGED_MEMORY = 75, 76, 83


_ATTRIBUTES = {
    device_attribute.MAX_THREADS_PER_BLOCK: 1024,
    device_attribute.WARP_SIZE: 32,
    device_attribute.CLOCK_RATE: 0,
    device_attribute.MULTIPROCESSOR_COUNT: 1,
    device_attribute.INTEGRATED: 1,
    device_attribute.CAN_MAP_HOST_MEMORY: 1,
    device_attribute.UNIFIED_ADDRESSING: 1,
    device_attribute.CONCURRENT_KERNELS: 0,
    device_attribute.ASYNC_ENGINE_COUNT: 1,
    device_attribute.COMPUTE_CAPABILITY_MAJOR: CAPABILITY[0],
    device_attribute.COMPUTE_CAPABILITY_MINOR: CAPABILITY[1],
    device_attribute.MANAGED_MEMORY: 1,
}


def init(flags: int = 0) -> None:
    """Start the driver, which contexts and devices need."""
    global _started  # noqa: PLW0603 - as the driver's own
    _started = True


def get_version() -> tuple[int, int, int]:
    """Return the version of CUDA that TensorRT 8.6 was built with."""
    return (12, 0, 0)


def get_driver_version() -> int:
    """Return the same as the driver writes it."""
    return 12000


def _stack() -> list[Context]:
    if not hasattr(_STATE, "stack"):
        _STATE.stack = []
    return _STATE.stack


def require_context(call: str) -> None:
    """Make sure that this thread has a context.

    Raises:
        LogicError: it has none, in PyCUDA's words with the way out.
    """
    if not _stack():
        raise LogicError(
            f"{call} failed: invalid device context - no currently active context? "
            "Write `import pycuda.autoinit`, or push a context in this thread."
        )


class Device:
    """The one device that there is.

    Args:
        number: 0, or its PCI bus id.

    Raises:
        LogicError: the driver is not started, or there is no such device.
    """

    def __init__(self, number: int | str) -> None:
        if not _started:
            raise LogicError("cuDeviceGet failed: not initialized. Call pycuda.driver.init() first.")
        if number not in (0, self.pci_bus_id()):
            raise LogicError(f"cuDeviceGet failed: invalid device ordinal: {number!r}; there is device 0 alone")

    @staticmethod
    def count() -> int:
        """Return the number of devices."""
        if not _started:
            raise LogicError("cuDeviceGetCount failed: not initialized. Call pycuda.driver.init() first.")
        return 1

    def name(self) -> str:
        """Return what the machine calls its processor."""
        return f"CPU ({platform.processor() or platform.machine()}) as CUDA device"

    def compute_capability(self) -> tuple[int, int]:
        """Return the compute capability that is answered."""
        return CAPABILITY

    def total_memory(self) -> int:
        """Return the bytes of memory of the machine."""
        return MEMORY.total()

    def pci_bus_id(self) -> str:
        """Return an address that no device of the bus has."""
        return "0000:00:00.0"

    def get_attribute(self, attribute: int) -> int:
        """Return an attribute; those that a CPU has nothing for are refused."""
        if attribute not in _ATTRIBUTES:
            raise LogicError(f"cuDeviceGetAttribute failed: invalid argument: a CPU has no attribute {attribute}")
        return _ATTRIBUTES[attribute]

    def get_attributes(self) -> dict[int, int]:
        """Return all attributes that there are."""
        return dict(_ATTRIBUTES)

    def __getattr__(self, name: str) -> Any:
        number = getattr(device_attribute, name.upper(), None)
        if number is None or name != name.lower():
            raise AttributeError(f"'Device' object has no attribute {name!r}")
        return self.get_attribute(number)

    def make_context(self, flags: int = 0) -> Context:
        """Return a new context, which is the thread's own from now on."""
        context = Context(self)
        context.push()
        return context

    def retain_primary_context(self) -> Context:
        """Return the context that the runtime API shares; it has to be pushed."""
        return Context(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device)

    def __hash__(self) -> int:
        return hash(self.pci_bus_id())


class Context:
    """A context; the one on top of a thread's stack is the current one. Made by `Device.make_context`."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._valid = True

    def push(self) -> None:
        """Make this the thread's current context."""
        if not self._valid:
            raise LogicError("cuCtxPushCurrent failed: invalid device context: the context was detached")
        _stack().append(self)

    @staticmethod
    def pop() -> None:
        """Take the current context away from the thread."""
        require_context("cuCtxPopCurrent")
        _stack().pop()

    def detach(self) -> None:
        """End the context; another detach is an error."""
        if not self._valid:
            raise LogicError("cuCtxDetach failed: invalid device context: it was detached already")
        self._valid = False
        _STATE.stack = [context for context in _stack() if context is not self]

    @staticmethod
    def synchronize() -> None:
        """Return at once: all work is done."""
        require_context("cuCtxSynchronize")

    @staticmethod
    def get_device() -> Device:
        """Return the device of the current context."""
        require_context("cuCtxGetDevice")
        return _stack()[-1]._device

    @staticmethod
    def get_current() -> Context | None:
        """Return the current context, or None."""
        return _stack()[-1] if _stack() else None

    @staticmethod
    def get_api_version() -> int:
        """Return the version of the driver's API."""
        return 3020

    @staticmethod
    def set_limit(limit: int, value: int) -> None:
        """Take note of nothing: a CPU has no such limits."""
        require_context("cuCtxSetLimit")

    @staticmethod
    def set_cache_config(config: int) -> None:
        """Take note of nothing: a CPU shares its caches by itself."""
        require_context("cuCtxSetCacheConfig")
