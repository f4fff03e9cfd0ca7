"""Values that shapes are made of, as far as a parse knows them: one function an operator, on arrays of sizes.

Each takes the node, the known values of its inputs (arrays of whole numbers, truths and `Size`; None where they are
unknown) and the inputs' shapes, and returns the values of the outputs, or None.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import onnx

from trtflow.reference.record.onnx.registry import attribute
from trtflow.reference.record.onnx.sizes import Shape, Size, product, quotient

LARGEST = 64  # elements of a value that shapes are made of
LARGEST_FLOAT = 2**24  # up to it float32 has every whole number
Values = np.ndarray | None
Rule = Callable[[onnx.NodeProto, list[Values], list[Shape | None]], list[np.ndarray] | None]


def known_results(node: onnx.NodeProto, values: list[Values], shapes: list[Shape | None]) -> list[np.ndarray] | None:
    """Return the values of a node's outputs, or None where they are not known."""
    rule = RULES.get(node.op_type)
    try:
        results = None if rule is None else rule(node, values, shapes)
    except (TypeError, ValueError, IndexError, ArithmeticError):  # undecidable, or a fault that inference tells
        return None
    return results if results and all(result.size <= LARGEST for result in results) else None


def as_known(array: np.ndarray) -> Values:
    """Return a small array of whole numbers or truths as one of objects; None for another.

    Floats are those that sizes may be computed with: whole, exact in float32, and no negative zero.
    """
    if array.size > LARGEST or array.dtype.kind not in "iubf":
        return None
    if array.dtype.kind == "f":
        wide = array.astype(np.float64)
        plain = (np.abs(wide) <= LARGEST_FLOAT) & ~(np.signbit(wide) & (wide == 0))
        if not plain.all() or not (array == np.trunc(array)).all():
            return None
    return _objects(array.astype(np.int64) if array.dtype.kind == "f" else array)


def _objects(array: Any) -> np.ndarray:
    made = np.empty(np.shape(array), object)
    if made.size:  # an empty list says nothing of its other sizes
        made[...] = np.asarray(array).tolist() if isinstance(array, np.ndarray) and array.dtype != object else array
    return made


def _first(function: Callable[..., Any]) -> Rule:
    """Return a rule of which all inputs must be known."""

    def rule(node: onnx.NodeProto, values: list[Values], shapes: list[Shape | None]) -> list[np.ndarray] | None:
        if any(value is None for value in values):
            return None
        result = function(node, *values)
        return None if result is None else [_objects(result)]

    return rule


def _each(function: Callable[..., Any]) -> Rule:
    """Return a rule for each element of inputs that are stretched to one shape."""
    return _first(lambda node, *values: np.frompyfunc(function, len(values), 1)(*values))


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, Size) or isinstance(second, Size):
        if first == second:
            return True
        unknown, other = (first, second) if isinstance(first, Size) else (second, first)
        if isinstance(other, int) and unknown.is_never(other):
            return False
        raise TypeError("undecidable")
    return bool(first == second)


def _decided(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def decide(first: Any, second: Any) -> Any:
        if isinstance(first, Size) or isinstance(second, Size):
            raise TypeError("undecidable")
        return function(first, second)

    return decide


def _extreme(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def extreme(first: Any, second: Any) -> Any:
        if first == second:
            return first
        if isinstance(first, Size) or isinstance(second, Size):
            return Size.named(f"{name}({first}, {second})")
        return function(first, second)

    return extreme


def _divided(first: Any, second: Any) -> Any:
    if isinstance(first, Size) or isinstance(second, Size):
        return quotient(first, second)
    return int(first / second) if (first < 0) != (second < 0) else first // second


def _chosen(condition: Any, first: Any, second: Any) -> Any:
    return first if condition else second


def _shape(node: onnx.NodeProto, values: list[Values], shapes: list[Shape | None]) -> list[np.ndarray] | None:
    shape = shapes[0]
    if shape is None:
        return None
    return [_objects(list(shape)[attribute(node, "start", 0) : attribute(node, "end", len(shape))])]


def _size(node: onnx.NodeProto, values: list[Values], shapes: list[Shape | None]) -> list[np.ndarray] | None:
    return None if shapes[0] is None else [_objects(product(shapes[0]))]


def _gather(node: onnx.NodeProto, data: np.ndarray, places: np.ndarray) -> np.ndarray:
    return data.take(places.astype(int), axis=attribute(node, "axis", 0))


def _slice(node: onnx.NodeProto, data: np.ndarray, starts: Any, ends: Any, *others: Any) -> np.ndarray:
    axes = others[0] if others else range(len(starts))
    steps = others[1] if len(others) > 1 else [1] * len(starts)
    cut = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cut[axis] = slice(*(operator.index(item) for item in (start, end, step)))
        if step < 0 and end < -data.shape[axis]:
            cut[axis] = slice(operator.index(start), None, operator.index(step))
    return data[tuple(cut)]


def _squeeze(node: onnx.NodeProto, data: np.ndarray, *axes: Any) -> np.ndarray:
    return data.squeeze(tuple(int(axis) for axis in axes[0]) if axes else None)


def _unsqueeze(node: onnx.NodeProto, data: np.ndarray, axes: Any) -> np.ndarray:
    return np.expand_dims(data, tuple(int(axis) for axis in axes))


def _reshape(node: onnx.NodeProto, data: np.ndarray, shape: Any) -> np.ndarray:
    sizes = [data.shape[axis] if size == 0 else int(size) for axis, size in enumerate(shape)]
    return data.reshape(sizes)


def _cast(node: onnx.NodeProto, data: np.ndarray) -> np.ndarray | None:
    kind = onnx.helper.tensor_dtype_to_np_dtype(attribute(node, "to")).kind
    if kind == "b":
        return None if any(isinstance(item, Size) for item in data.ravel()) else data.astype(bool)
    return np.frompyfunc(lambda item: item if isinstance(item, Size) else int(item), 1, 1)(data)


def _reduced(function: Callable[[Any, Any], Any], neutral: int) -> Callable[..., Any]:
    def reduction(node: onnx.NodeProto, data: np.ndarray, *axes: Any) -> Any:
        chosen = attribute(node, "axes") or ([int(axis) for axis in axes[0]] if axes else None)
        if data.ndim > 1 or chosen not in (None, [0], [-1]):
            return None
        total = reduce(function, data.ravel().tolist(), neutral)
        return [total] if attribute(node, "keepdims", 1) and data.ndim else total

    return reduction


def _expand(node: onnx.NodeProto, data: np.ndarray, shape: Any) -> np.ndarray:
    return data * np.ones([int(size) for size in shape], object)


def _filled(node: onnx.NodeProto, shape: Any) -> np.ndarray:
    value = attribute(node, "value")
    number = as_known(np.zeros(1, np.float32) if value is None else onnx.numpy_helper.to_array(value))
    if number is None:
        raise ValueError("no whole number")
    return np.full([operator.index(size) for size in shape], number.ravel()[0], object)


def _split(node: onnx.NodeProto, values: list[Values], shapes: list[Shape | None]) -> list[np.ndarray] | None:
    data, axis = values[0], attribute(node, "axis", 0)
    if data is None:
        return None
    given = values[1] if len(values) > 1 else None
    counts = [data.shape[axis] // len(node.output)] * len(node.output) if given is None else given.astype(int)
    return np.split(data, np.cumsum(counts)[:-1], axis)


def _remainder(node: onnx.NodeProto, values: list[Values], shapes: list[Shape | None]) -> list[np.ndarray] | None:
    """Return remainders with the sign of the divisor, with fmod with that of the dividend."""
    function = math.fmod if attribute(node, "fmod", 0) else operator.mod
    return _each(_decided(lambda first, second: int(function(first, second))))(node, values, shapes)


RULES: dict[str, Rule] = {
    "Shape": _shape,
    "Size": _size,
    "Split": _split,
    "Gather": _first(_gather),
    "Slice": _first(_slice),
    "Concat": _first(lambda node, *parts: np.concatenate(parts, attribute(node, "axis"))),
    "Squeeze": _first(_squeeze),
    "Unsqueeze": _first(_unsqueeze),
    "Reshape": _first(_reshape),
    "Flatten": _first(lambda node, data: data.reshape(1, -1) if data.ndim == 1 else None),
    "Identity": _first(lambda node, data: data),
    "Cast": _first(_cast),
    "Floor": _first(lambda node, data: data),
    "Ceil": _first(lambda node, data: data),
    "Add": _each(operator.add),
    "Sub": _each(operator.sub),
    "Mul": _each(operator.mul),
    "Div": _each(_divided),
    "Neg": _each(operator.neg),
    "Max": _each(_extreme(max, "max")),
    "Min": _each(_extreme(min, "min")),
    "Equal": _each(_equal),
    "Greater": _each(_decided(operator.gt)),
    "Less": _each(_decided(operator.lt)),
    "GreaterOrEqual": _each(_decided(operator.ge)),
    "LessOrEqual": _each(_decided(operator.le)),
    "And": _each(_decided(lambda first, second: bool(first and second))),
    "Or": _each(_decided(lambda first, second: bool(first or second))),
    "Not": _each(operator.not_),
    "Where": _each(_chosen),
    "Mod": _remainder,
    "ReduceProd": _first(_reduced(operator.mul, 1)),
    "ReduceSum": _first(_reduced(operator.add, 0)),
    "Expand": _first(_expand),
    "ConstantOfShape": _first(_filled),
}
