"""Optimization profiles: the range of shapes that the dynamic inputs of an engine may take."""

from __future__ import annotations

from typing import Any

from trtflow.reference.errors import RangeError
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.values import Dims

Range = tuple[Dims, Dims, Dims]  # smallest, best, largest


class IOptimizationProfile(Sealed):
    """Shapes by input; made by `Builder.create_optimization_profile`.

    Attributes:
        extra_memory_target: share of memory that TensorRT may spend on this profile beyond the first, in [0, 1];
            the reference runtime only records it.
    """

    def __init__(self) -> None:
        self.extra_memory_target = 1.0
        self._shapes: dict[str, Range] = {}
        self._values: dict[str, Range] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        """Set the smallest, best and largest shape of an input.

        Raises:
            RangeError: the shapes differ in rank, are negative or not in order.
        """
        self._shapes[input] = _ordered(f"input {input!r}", min, opt, max, least=0)

    def get_shape(self, input: str) -> list[Dims]:
        """Return the smallest, best and largest shape, or an empty list where none are set."""
        return [Dims(shape) for shape in self._shapes.get(input, ())]

    def set_shape_input(self, input: str, min: Any, opt: Any, max: Any) -> None:
        """Set the smallest, best and largest values of an input whose values are a shape.

        Raises:
            RangeError: the numbers of values differ, or the values are not in order.
        """
        self._values[input] = _ordered(f"shape input {input!r}", min, opt, max, least=None)

    def get_shape_input(self, input: str) -> list[list[int]]:
        """Return the smallest, best and largest values, or an empty list where none are set."""
        return [list(values) for values in self._values.get(input, ())]

    @property
    def values(self) -> dict[str, Range]:
        """The values that are set, by input."""
        return dict(self._values)

    def __bool__(self) -> bool:
        return True  # shapes that contradict each other are refused when they are set


def _ordered(what: str, smallest: Any, best: Any, largest: Any, least: int | None) -> Range:
    """Return the three shapes if they are of one rank and in order."""
    shapes = (Dims(smallest), Dims(best), Dims(largest))
    shown = f"min {shapes[0]}, opt {shapes[1]}, max {shapes[2]}"
    if len({len(shape) for shape in shapes}) != 1:
        raise RangeError(f"{what}: {shown} differ in their number of dimensions. Give all three the same.")
    for low, middle, high in zip(*shapes, strict=True):
        if not low <= middle <= high or (least is not None and low < least):
            raise RangeError(f"{what}: {shown} are not in order. Set 0 <= min <= opt <= max in each dimension.")
    return shapes
