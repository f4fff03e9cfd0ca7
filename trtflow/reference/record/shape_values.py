"""Values of tensors that shapes are made of, as far as the network tells them before it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.record.enums import ElementWiseOperation, LayerType

if TYPE_CHECKING:
    from trtflow.reference.record.tensor import ITensor

UNKNOWN = -1
ARITHMETIC: dict[ElementWiseOperation, Callable[..., Any]] = {
    ElementWiseOperation.SUM: np.add,
    ElementWiseOperation.SUB: np.subtract,
    ElementWiseOperation.PROD: np.multiply,
    ElementWiseOperation.MAX: np.maximum,
    ElementWiseOperation.MIN: np.minimum,
    ElementWiseOperation.DIV: lambda a, b: np.trunc(a / b).astype(int),
    ElementWiseOperation.FLOOR_DIV: np.floor_divide,
}


def constant_values(tensor: ITensor) -> np.ndarray | None:
    """Return the values of a constant, be it behind a cast, in the constant's shape; None where it is none."""
    layer: Any = tensor.producer
    while layer is not None and layer.layer_type in (LayerType.IDENTITY, LayerType.CAST):
        layer = layer.inputs[0].producer
    if layer is None or layer.layer_type != LayerType.CONSTANT:
        return None
    return np.asarray(layer.weights.reshape(layer.shape))


def known_values(tensor: ITensor, count: int) -> tuple[int, ...]:
    """Return the values of a tensor that gives `count` sizes; -1 where they are only known at run time."""
    values = _evaluated(tensor)
    return (UNKNOWN,) * count if values is None else tuple(int(value) for value in values.ravel())


def _evaluated(tensor: ITensor) -> np.ndarray | None:
    """Return the values of a tensor of sizes, UNKNOWN where they are; None where nothing is known."""
    layer: Any = tensor.producer
    if layer is not None and layer.layer_type == LayerType.PLUGIN_V2 and hasattr(layer, "known"):  # a node of ONNX
        return layer.known[tensor.index]
    if layer is None or layer.layer_type not in _RULES:
        return None
    sources = [] if layer.layer_type == LayerType.SHAPE else layer.inputs
    values = [value for source in sources if (value := _evaluated(source)) is not None]
    return _RULES[layer.layer_type](layer, values) if len(values) == len(sources) else None


def _elementwise(layer: Any, values: list[np.ndarray]) -> np.ndarray | None:
    if layer.op not in ARITHMETIC or any((value == UNKNOWN).any() for value in values):
        return None
    return np.asarray(ARITHMETIC[layer.op](*values))


def _slice(layer: Any, values: list[np.ndarray]) -> np.ndarray | None:
    if len(values) > 1 or values[0].ndim != 1:
        return None
    places = layer.start[0] + np.arange(layer.shape[0]) * layer.stride[0]
    return values[0][places] if ((places >= 0) & (places < values[0].size)).all() else None


def _shuffle(layer: Any, values: list[np.ndarray]) -> np.ndarray | None:
    return values[0].reshape(layer.output_shape(0)) if values[0].ndim <= 1 and len(values) == 1 else None


_RULES: dict[LayerType, Callable[[Any, list[np.ndarray]], np.ndarray | None]] = {
    LayerType.CONSTANT: lambda layer, values: layer.weights.reshape(layer.shape),
    LayerType.SHAPE: lambda layer, values: np.array(layer.inputs[0].shape),
    LayerType.CAST: lambda layer, values: values[0],
    LayerType.IDENTITY: lambda layer, values: values[0],
    LayerType.CONCATENATION: lambda layer, values: np.concatenate(values),
    LayerType.GATHER: lambda layer, values: values[0].take(values[1].astype(int), axis=layer.axis),
    LayerType.SLICE: _slice,
    LayerType.SHUFFLE: _shuffle,
    LayerType.ELEMENTWISE: _elementwise,
}
