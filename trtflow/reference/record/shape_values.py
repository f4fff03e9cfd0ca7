"""Values of tensors that shapes are made of, as far as the network tells them before it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.record.enums import DataType, ElementWiseOperation, LayerType, ReduceOperation

if TYPE_CHECKING:
    from trtflow.reference.record.tensor import ITensor

ARITHMETIC: dict[ElementWiseOperation, Callable[..., Any]] = {
    ElementWiseOperation.SUM: np.add,
    ElementWiseOperation.SUB: np.subtract,
    ElementWiseOperation.PROD: np.multiply,
    ElementWiseOperation.MAX: np.maximum,
    ElementWiseOperation.MIN: np.minimum,
    ElementWiseOperation.DIV: np.divide,
    ElementWiseOperation.FLOOR_DIV: np.floor_divide,
}
TRUTHS: dict[ElementWiseOperation, Callable[..., Any]] = {
    ElementWiseOperation.EQUAL: np.equal,
    ElementWiseOperation.GREATER: np.greater,
    ElementWiseOperation.LESS: np.less,
    ElementWiseOperation.AND: np.logical_and,
    ElementWiseOperation.OR: np.logical_or,
    ElementWiseOperation.XOR: np.logical_xor,
}
REDUCTIONS: dict[ReduceOperation, Callable[..., Any]] = {
    ReduceOperation.SUM: np.sum,
    ReduceOperation.PROD: np.prod,
    ReduceOperation.MAX: np.max,
    ReduceOperation.MIN: np.min,
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
    if values is None:
        return (-1,) * count
    return tuple(int(value) if np.isfinite(value) else -1 for value in values.ravel())


def _evaluated(tensor: ITensor) -> np.ndarray | None:
    """Return the values of a tensor of sizes, float64, NaN where they are not known; None where nothing is."""
    layer: Any = tensor.producer
    if layer is not None and layer.layer_type == LayerType.PLUGIN_V2 and hasattr(layer, "known"):  # a node of ONNX
        known = layer.known[tensor.index]
        return None if known is None else _sizes(known)
    if layer is None or layer.layer_type not in _RULES:
        return None
    sources = [] if layer.layer_type == LayerType.SHAPE else layer.inputs
    values = [value for source in sources if (value := _evaluated(source)) is not None]
    if len(values) != len(sources):
        return None
    with np.errstate(all="ignore"):
        found = _RULES[layer.layer_type](layer, values)
    if found is not None and tensor.native_dtype == DataType.INT32:
        return np.trunc(found)
    return found


def _sizes(values: Any) -> np.ndarray:
    """Return sizes in which -1 stands for one that is not known, with NaN for that."""
    sizes = np.asarray(values, np.float64)
    return np.where(sizes < 0, np.nan, sizes)


def _elementwise(layer: Any, values: list[np.ndarray]) -> np.ndarray | None:
    if layer.op in ARITHMETIC:
        return np.asarray(ARITHMETIC[layer.op](*values))
    if layer.op not in TRUTHS:
        return None
    unknown = np.isnan(values[0]) | np.isnan(values[1])
    return np.where(unknown, np.nan, TRUTHS[layer.op](*values))


def _select(layer: Any, values: list[np.ndarray]) -> np.ndarray:
    condition, chosen, other = values
    return np.where(np.isnan(condition), np.where(chosen == other, chosen, np.nan), np.where(condition, chosen, other))


def _reduce(layer: Any, values: list[np.ndarray]) -> np.ndarray | None:
    if layer.op not in REDUCTIONS or values[0].ndim != 1:
        return None
    return np.asarray(REDUCTIONS[layer.op](values[0], keepdims=layer.keep_dims))


def _slice(layer: Any, values: list[np.ndarray]) -> np.ndarray | None:
    if len(values) > 1 or values[0].ndim != 1:
        return None
    places = layer.start[0] + np.arange(layer.shape[0]) * layer.stride[0]
    return values[0][places] if ((places >= 0) & (places < values[0].size)).all() else None


def _shuffle(layer: Any, values: list[np.ndarray]) -> np.ndarray | None:
    return values[0].reshape(layer.output_shape(0)) if values[0].ndim <= 1 and len(values) == 1 else None


_RULES: dict[LayerType, Callable[[Any, list[np.ndarray]], np.ndarray | None]] = {
    LayerType.CONSTANT: lambda layer, values: layer.weights.reshape(layer.shape).astype(np.float64),
    LayerType.SHAPE: lambda layer, values: _sizes(layer.inputs[0].shape),
    LayerType.CAST: lambda layer, values: values[0],
    LayerType.IDENTITY: lambda layer, values: values[0],
    LayerType.CONCATENATION: lambda layer, values: np.concatenate(values),
    LayerType.GATHER: lambda layer, values: (
        None if np.isnan(values[1]).any() else values[0].take(values[1].astype(int), axis=layer.axis)
    ),
    LayerType.SLICE: _slice,
    LayerType.SHUFFLE: _shuffle,
    LayerType.ELEMENTWISE: _elementwise,
    LayerType.SELECT: _select,
    LayerType.REDUCE: _reduce,
}
