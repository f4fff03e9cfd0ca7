"""How the arrays of an engine's inputs and outputs lie in memory: TensorRT's tensor formats."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

# TensorRT's names (NvInferRuntimeBase.h, TensorFormat): channels of an element, whether these come last, and how many
# axes stand behind the channels in a shape
FORMATS = {
    "LINEAR": (1, False, 0),
    "CHW2": (2, False, 2),
    "CHW4": (4, False, 2),
    "CHW16": (16, False, 2),
    "CHW32": (32, False, 2),
    "CDHW32": (32, False, 3),
    "HWC": (1, True, 2),
    "HWC8": (8, True, 2),
    "HWC16": (16, True, 2),
    "DHWC": (1, True, 3),
    "DHWC8": (8, True, 3),
}

_HALF, _FLOAT, _INT8 = "float16", "float32", "int8"
# types that TensorRT has a format of, by NumPy's names (ibid.); rows are of any
BOUND = {
    "CHW2": (_HALF,),
    "CHW4": (_INT8, _HALF),
    "CHW16": (_HALF,),
    "CHW32": (_FLOAT, _HALF, _INT8),
    "CDHW32": (_HALF, _INT8),
    "HWC": (_FLOAT, "uint8"),
    "HWC8": (_HALF,),
    "HWC16": (_HALF,),
    "DHWC": (_FLOAT,),
    "DHWC8": (_HALF,),
}


@dataclass(frozen=True)
class Layout:
    """The form of a binding.

    Channels fill elements of `components`: [N, C / 4, H, W, 4] for CHW4, where C is rounded up and what is added is
    zero; [N, H, W, C] for HWC, with C rounded up likewise for HWC8.

    Attributes:
        dtype: of a value.
        components: channels of an element.
        last: whether the channels come last as a whole.
        behind: how many axes stand behind the channels in the logical shape.
    """

    dtype: np.dtype
    components: int = 1
    last: bool = False
    behind: int = 0

    @property
    def is_linear(self) -> bool:
        """Whether values lie by rows, as in a NumPy array."""
        return self.components == 1 and not self.last

    def channel_axis(self, rank: int) -> int:
        """Return the axis of the channels in a logical shape of so many axes."""
        return rank - self.behind - 1

    def memory_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of an array in memory, of a logical shape (…, C, H, W)."""
        if self.is_linear:
            return shape
        place = self.channel_axis(len(shape))
        elements = -(-shape[place] // self.components)
        if self.last:
            return (*shape[:place], *shape[place + 1 :], elements * self.components)
        return (*shape[:place], elements, *shape[place + 1 :], self.components)

    def nbytes(self, shape: tuple[int, ...]) -> int:
        """Return the bytes that an array of a logical shape takes."""
        return prod(self.memory_shape(shape)) * self.dtype.itemsize

    def to_memory(self, values: np.ndarray) -> np.ndarray:
        """Return an array as it lies in memory, in the binding's type."""
        values = values.astype(self.dtype, copy=False)
        if self.is_linear:
            return values
        place = self.channel_axis(values.ndim)
        padding = [(0, 0)] * values.ndim
        padding[place] = (0, -values.shape[place] % self.components)
        padded = np.pad(values, padding)
        if self.last:
            return np.moveaxis(padded, place, -1)
        split = (*padded.shape[:place], -1, self.components, *padded.shape[place + 1 :])
        return np.moveaxis(padded.reshape(split), place + 1, -1)

    def from_memory(self, memory: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the array of a logical shape that lies in memory of `memory_shape`."""
        if self.is_linear:
            return memory
        place = self.channel_axis(len(shape))
        moved = np.moveaxis(memory, -1, place if self.last else place + 1)
        whole = moved.reshape(*shape[:place], -1, *shape[place + 1 :])
        return np.ascontiguousarray(whole[(slice(None),) * place + (slice(shape[place]),)])
