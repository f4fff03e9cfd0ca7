"""Memory that an application gives: to engines and contexts, and to outputs whose sizes their values tell."""

from __future__ import annotations

import weakref
from typing import Any, TypeVar

from trtflow.reference.errors import PlanError
from trtflow.reference.record.enums import ErrorCodeTRT
from trtflow.reference.record.values import Dims

ALIGNMENT = 256  # in bytes


Allocator = TypeVar("Allocator")


def checked_allocator(value: Allocator, kind: type[Any], setter: str) -> Allocator:
    """Return an allocator or None, as it was given.

    Raises:
        TypeError: it is of no class that is derived from TensorRT's.
    """
    if value is not None and not isinstance(value, kind):
        raise TypeError(
            f"{setter}: {value!r:.60} is no {kind.__name__}; derive its class from tensorrt.{kind.__name__}"
        )
    return value


class IGpuAllocator:
    """Gives the memory of engines and contexts, the host's here; a subclass has `allocate` and `deallocate`."""

    def allocate(self, size: int, alignment: int, flags: int) -> int | None:
        """Return an address with room for `size` bytes, 0 or None where there is none.

        Args:
            size: in bytes.
            alignment: of the address.
            flags: bits of AllocatorFlag.
        """
        raise NotImplementedError

    def reallocate(self, address: int, alignment: int, new_size: int) -> int | None:
        """Return an address with room for more bytes that holds what another one holds; by default there is none."""
        return None

    def deallocate(self, memory: int) -> bool:
        """Take memory back; return whether that went well. By default `free` does it."""
        self.free(memory)
        return True

    def free(self, memory: int) -> None:
        """Take memory back, as it was called before TensorRT 8."""


class IOutputAllocator:
    """Gives the memory of an output whose sizes are known after it is computed; a subclass has both methods."""

    tensorrt_version = property(lambda self: 8600, doc="Version of the interface.")

    def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
        """Return an address with room for `size` bytes, 0 where there is none.

        Args:
            tensor_name: the output.
            memory: what `set_tensor_address` gave for it, or 0.
            size: in bytes.
            alignment: of the address.
        """
        raise NotImplementedError

    def notify_shape(self, tensor_name: str, shape: Dims) -> None:
        """Take note of the shape that an output came out with."""
        raise NotImplementedError


def hold(owner: Any, allocator: IGpuAllocator | None, size: int, what: str) -> None:
    """Take memory of an allocator for as long as an object lives.

    TensorRT works in that memory; the reference runtime takes it and gives it back, and computes in its own.

    Raises:
        PlanError: the allocator gives none.
    """
    if allocator is None or size == 0:
        return
    address = allocator.allocate(size, ALIGNMENT, 0)
    if not address:
        fault = f"the GPU allocator gave no memory for {what}, {size} bytes. Free some."
        raise PlanError(fault, ErrorCodeTRT.FAILED_ALLOCATION)
    weakref.finalize(owner, allocator.deallocate, address)
