"""Shapes that a graph computes while it runs, as far as they can be told ahead.

Keras and TF-Slim write a reshape to [batch, 1083, 1, 4] by way of Shape, StridedSlice and Pack, to keep the batch open.
TensorFlow tells such values only where it knows the shapes of all inputs, and with them the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trtflow.converters.uff.graph import Conversion


# What gives a value of the shape of its largest input.
KEEPING = (
    *("Add", "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "Pow", "SquaredDifference", "BiasAdd"),
    *("Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Softmax", "Cast"),
    *("Neg", "Exp", "Log", "Abs", "Sqrt", "Rsqrt", "Square", "Erf"),
)


class Open(Enum):
    """What stands in place of a size that is not known ahead."""

    BATCH = "the size of the batch"
    UNKNOWN = "no one knows"


Size = int | Open


@dataclass(frozen=True)
class Sizes:
    """A value made of sizes: one, or a list, of which only the first are known where it is `endless`."""

    values: tuple[Size, ...]
    scalar: bool = False
    endless: bool = False

    def __getitem__(self, index: int) -> Size:
        if self.endless and not 0 <= index < len(self.values):
            return Open.UNKNOWN
        return self.values[index]


def sizes_of(conversion: Conversion, name: str) -> Sizes | None:
    """Return a value that is a size or a list of sizes, or None where it is computed otherwise.

    Args:
        conversion: the graph.
        name: of the value.
    """
    name = conversion.source(name)
    if name in conversion.constants:
        return _constant(conversion.constants[name])
    node = conversion.node(name)
    compute = _OPERATIONS.get(node.op)
    return None if compute is None else compute(conversion, node)


def shape_of(conversion: Conversion, name: str) -> list[int | None] | None:
    """Return a value's shape, None for an open size, also where a reshape that TensorFlow cannot tell ahead made it."""
    name = conversion.source(name)
    shape = conversion.shapes.get(name)
    if shape is not None and None not in shape[1:]:
        return shape
    node = conversion.node(name)
    inputs = [] if ":" in name else conversion.inputs_of(node)
    if node.op == "Reshape":
        sizes = sizes_of(conversion, inputs[1])
        known = sizes is not None and not sizes.endless and -1 not in sizes.values[1:]
        made = (
            [size if isinstance(size, int) and size >= 0 else None for size in sizes.values]
            if known and sizes
            else None
        )
        return made or shape
    if node.op not in KEEPING or not inputs:
        return shape
    found = [other for other in (shape_of(conversion, source) for source in inputs) if other is not None]
    return max(found, key=lambda other: (len(other), -other.count(None)), default=shape)


def _made_by_reshape(sizes: Sizes | None) -> list[int | None] | None:
    if sizes is None or sizes.endless or -1 in sizes.values[1:]:
        return None
    return [size if isinstance(size, int) and size >= 0 else None for size in sizes.values]


def _constant(array: np.ndarray) -> Sizes | None:
    if array.dtype.kind not in "iu" or array.ndim > 1:
        return None
    return Sizes(tuple(int(size) for size in array.ravel()), scalar=array.ndim == 0)


def _shape(conversion: Conversion, node: Any) -> Sizes:
    """Return a value's shape; an open first size is that of the batch."""
    inputs = conversion.inputs_of(node)  # none where graphsurgeon has removed what it read
    shape = shape_of(conversion, inputs[0]) if inputs else None
    if shape is None:
        return Sizes((Open.BATCH,), endless=True)
    rest: list[Size] = [Open.UNKNOWN if size is None else size for size in shape[1:]]
    return Sizes((Open.BATCH if shape[:1] == [None] else shape[0] or 0, *rest) if shape else ())


def _strided_slice(conversion: Conversion, node: Any) -> Sizes | None:
    """Return one size, or a run of them."""
    data, *bounds = conversion.inputs_of(node)
    sizes = sizes_of(conversion, data)
    known = [conversion.constants.get(bound) for bound in bounds]
    if sizes is None or any(bound is None or bound.size != 1 for bound in known):
        return None
    begin, end, step = (int(bound.item()) for bound in known if bound is not None)
    if node.attr["shrink_axis_mask"].i:
        return Sizes((sizes[begin],), scalar=True)
    first = None if node.attr["begin_mask"].i else begin
    last = None if node.attr["end_mask"].i else end
    if sizes.endless and (last is None or last < 0 or (first or 0) < 0 or step < 0):
        return None
    length = last if sizes.endless and last is not None else len(sizes.values)
    return Sizes(tuple(sizes[index] for index in range(*slice(first, last, step).indices(length))))


def _pack(conversion: Conversion, node: Any) -> Sizes | None:
    parts = [sizes_of(conversion, name) for name in conversion.inputs_of(node)]
    if any(part is None or not part.scalar for part in parts):
        return None
    return Sizes(tuple(part[0] for part in parts if part is not None))


def _concat(conversion: Conversion, node: Any) -> Sizes | None:
    parts = [sizes_of(conversion, name) for name in conversion.inputs_of(node)[:-1]]
    if any(part is None or part.scalar or part.endless for part in parts):
        return None
    return Sizes(tuple(size for part in parts if part is not None for size in part.values))


def _gather(conversion: Conversion, node: Any) -> Sizes | None:
    data, places, *_ = conversion.inputs_of(node)
    sizes, indices = sizes_of(conversion, data), conversion.constants.get(places)
    if sizes is None or indices is None or indices.ndim > 1:
        return None
    return Sizes(tuple(sizes[int(index)] for index in indices.ravel()), scalar=indices.ndim == 0)


def _as_it_is(conversion: Conversion, node: Any) -> Sizes | None:
    return sizes_of(conversion, conversion.inputs_of(node)[0])


def _as_list(conversion: Conversion, node: Any) -> Sizes | None:
    sizes = _as_it_is(conversion, node)
    return Sizes(sizes.values) if sizes is not None and sizes.scalar else None


def _as_one(conversion: Conversion, node: Any) -> Sizes | None:
    sizes = _as_it_is(conversion, node)
    return Sizes(sizes.values, scalar=True) if sizes is not None and len(sizes.values) == 1 else None


def _product(conversion: Conversion, node: Any) -> Sizes | None:
    """Return the product of a list, which is known where all of it is."""
    sizes = _as_it_is(conversion, node)
    if sizes is None or sizes.endless:
        return None
    numbers = [size for size in sizes.values if isinstance(size, int)]
    whole = len(numbers) == len(sizes.values)
    return Sizes((int(np.prod(numbers)) if whole else Open.UNKNOWN,), scalar=True)


def _arithmetic(function: Callable[[int, int], int]) -> Callable[[Conversion, Any], Sizes | None]:
    def compute(conversion: Conversion, node: Any) -> Sizes | None:
        first, second = (sizes_of(conversion, name) for name in conversion.inputs_of(node))
        if first is None or second is None or not (first.scalar and second.scalar):
            return None
        left, right = first[0], second[0]
        if isinstance(left, int) and isinstance(right, int):
            return Sizes((int(function(left, right)),), scalar=True)
        if node.op == "Mul" and 1 in (left, right):
            return Sizes((right if left == 1 else left,), scalar=True)
        return Sizes((Open.UNKNOWN,), scalar=True)

    return compute


_OPERATIONS: dict[str, Callable[[Conversion, Any], Sizes | None]] = {
    "Shape": _shape,
    "StridedSlice": _strided_slice,
    "Pack": _pack,
    "ConcatV2": _concat,
    "Gather": _gather,
    "GatherV2": _gather,
    "Cast": _as_it_is,
    "ExpandDims": _as_list,
    "Squeeze": _as_one,
    "Prod": _product,
    "Mul": _arithmetic(lambda left, right: left * right),
    "Add": _arithmetic(lambda left, right: left + right),
    "AddV2": _arithmetic(lambda left, right: left + right),
    "Sub": _arithmetic(lambda left, right: left - right),
    "FloorDiv": _arithmetic(lambda left, right: left // right),
}
