"""Attributes of layers that are read in another form than they are set in, as TensorRT's bindings have them."""

from __future__ import annotations

from typing import Any

from trtflow.reference.record.dims import MAX_DIMS, InvalidDims, Permutation, sizes_of
from trtflow.reference.record.values import Dims, Weights

PLACE = "_{}_weights"  # where a layer keeps the weights of an attribute


class WeightsAttribute:
    """Weights: set to weights, an array or None; read as a flat array of their type, not a copy, empty without any."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._place = PLACE.format(name)

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else vars(layer)[self._place].numpy().reshape(-1)

    def __set__(self, layer: Any, value: Any) -> None:
        object.__setattr__(layer, self._place, Weights.of(value))


class OrderAttribute:
    """An order of axes: set to one or None; read as eight axes, as they are where none was set.

    The layer itself has what was set under the name with a low line before it.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._place = f"_{name}"

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        order = vars(layer)[self._place]
        return Permutation(range(MAX_DIMS) if order is None else order)

    def __set__(self, layer: Any, order: Any) -> None:
        object.__setattr__(layer, self._place, None if order is None else tuple(map(int, order)))


class SizesAttribute:
    """Sizes of a reshape: set to some or None; read as a shape, which has no length where none were set."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._place = f"_{name}"

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        sizes = vars(layer)[self._place]
        return InvalidDims() if sizes is None else Dims(sizes)

    def __set__(self, layer: Any, sizes: Any) -> None:
        none = sizes is None or isinstance(sizes, InvalidDims)
        object.__setattr__(layer, self._place, None if none else sizes_of(sizes))
