"""Outputs whose sizes depend on values, such as what a suppression selects: TensorRT asks an allocator for memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import ModuleType
from typing import Any

from trtflow.formats import UserError
from trtflow.runtime.devices import Buffer


def largest_sizes(context: Any, names: Collection[str]) -> dict[str, int]:
    """Return the most bytes that outputs can take, by name, with the shapes of the inputs as a context has them.

    Raises:
        UserError: TensorRT knows no bound.
    """
    sizes = {name: int(context.get_max_output_size(name)) for name in names}
    for name, nbytes in sizes.items():
        if nbytes < 0:
            fault = f"output {name!r} depends on the values of the inputs, and has no largest size"
            raise UserError(f"{fault}. Export the model with a constant number of detections at most.")
    return sizes


def allocators_of(trt: ModuleType, buffers: Mapping[str, Buffer], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Return an allocator for each of some outputs, which gives a buffer that is there, and is told the shape.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        buffers: of one batch, by name.
        sizes: bytes of the buffers of these outputs.
    """

    class Fixed(trt.IOutputAllocator):  # type: ignore[name-defined]
        """Gives a buffer of the largest size; `shape` is that of the last batch."""

        def __init__(self, pointer: int, nbytes: int) -> None:
            super().__init__()
            self._pointer, self._nbytes = pointer, nbytes
            self.shape: tuple[int, ...] = ()

        def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
            """Return the buffer's address, or 0 where it is too small."""
            return self._pointer if size <= self._nbytes else 0

        def notify_shape(self, tensor_name: str, shape: Any) -> None:
            """Take note of an output's shape."""
            self.shape = tuple(shape)

    return {name: Fixed(buffers[name].pointer, nbytes) for name, nbytes in sizes.items()}
