"""UFF's operations that move values, or reduce them, along axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import (
    ReduceOperation,
    TopKOperation,
)
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.uff_registry import parses
from trtflow.reference.record.uff_values import Constant, Operand, Value
from trtflow.reference.record.values import Logger

if TYPE_CHECKING:
    from trtflow.reference.record.uff_parser import Parse

REDUCTIONS = {
    "sum": (ReduceOperation.SUM, np.sum),
    "prod": (ReduceOperation.PROD, np.prod),
    "max": (ReduceOperation.MAX, np.max),
    "min": (ReduceOperation.MIN, np.min),
    "mean": (ReduceOperation.AVG, np.mean),
}


@parses("Reshape", inputs=2)
def _reshape(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    shape = tuple(int(size) for size in parse.need(node, operands[1], "shape").ravel())
    if isinstance(operands[0], Constant):
        return Constant(operands[0].array.reshape(shape))
    return parse.axes.reshaped(operands[0], shape, node.id)


@parses("Flatten")
def _flatten(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    if isinstance(operands[0], Constant):
        return Constant(operands[0].array.reshape(len(operands[0].array), -1))
    return parse.axes.reshaped(operands[0], (-1, int(np.prod(operands[0].tensor.shape[operands[0].rows :]))), node.id)


@parses("ExpandDims")
def _expand_dims(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    axis = parse.need_field(node, "axis")
    if isinstance(operands[0], Constant):
        return Constant(np.expand_dims(operands[0].array, axis))
    shape = list(parse.axes.shape(operands[0]))
    shape.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
    return parse.axes.reshaped(operands[0], tuple(shape), node.id)


@parses("Squeeze")
def _squeeze(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    """Squeeze as a reshape. NVIDIA documents it as not implemented in TensorRT's parser."""
    axes = parse.field(node, "axes") or []
    if isinstance(operands[0], Constant):
        return Constant(np.squeeze(operands[0].array, tuple(axes) or None))
    shape = parse.axes.shape(operands[0])
    if axes and all(len(shape) <= axis <= len(operands[0].tensor.shape) for axis in axes):
        return operands[0]  # a plugin's vector, whose further axes of size 1 are TensorRT's own
    dropped = {axis % len(shape) for axis in axes} or {place for place, size in enumerate(shape) if size == 1}
    if any(shape[axis] != 1 for axis in dropped):
        raise NetworkError(node.id, f"axes {axes} of a value of shape {shape} cannot go", "Name axes whose size is 1.")
    kept = tuple(size for place, size in enumerate(shape) if place not in dropped)
    return parse.axes.reshaped(operands[0], kept, node.id)


@parses("Transpose")
def _transpose(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    permutation, value = tuple(parse.need_field(node, "permutation")), operands[0]
    if isinstance(value, Constant):
        return Constant(value.array.transpose(permutation))
    if permutation[0] != 0 or len(permutation) != value.rank:
        raise NetworkError(node.id, f"a transpose {list(permutation)} of {value.rank} axes", "Keep the batch first.")
    rank, other = value.rank, {"N+C": "NC+", "NC+": "N+C"}
    moves = {"N+C": (0, rank - 1, *range(1, rank - 1)), "NC+": (0, *range(2, rank), 1)}
    logical = other[value.order] if value.turned and not value.logical else value.logical
    if logical and permutation == moves[logical]:
        return replace(value, logical=other[logical])
    return replace(parse.axes.transposed(parse.axes.as_meant(value), permutation), order="", logical="")


@parses("Reduce")
def _reduce(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    function, fold = parse.function(node, REDUCTIONS)
    keep, given = bool(parse.field(node, "keepdims", False)), parse.need_field(node, "axes")
    value = operands[0]
    if isinstance(value, Constant):
        return Constant(fold(value.array, axis=tuple(given), keepdims=keep))  # type: ignore[operator]
    axes = {parse.need_axis(node, axis, value, "a reduction") for axis in given}
    layer = parse.network.add_reduce(value.tensor, function, sum(1 << value.place(axis) for axis in axes), True)
    reduced = replace(value, tensor=layer.outputs[0])
    if keep:
        return reduced
    kept = tuple(size for axis, size in enumerate(parse.axes.shape(reduced)) if axis not in axes)
    return parse.axes.reshaped(reduced, kept, node.id)


@parses("ArgMax", "ArgMin")
def _argmax(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    value = parse.need_value(node, operands[0])
    axis = parse.need_axis(node, parse.field(node, "axis", 0), value, f"an {node.operation}")
    operation = TopKOperation.MAX if node.operation == "ArgMax" else TopKOperation.MIN
    layer = parse.network.add_topk(value.tensor, operation, 1, 1 << value.place(axis))
    layer.name = f"{node.id}_topk"
    places = replace(value, tensor=layer.outputs[1])
    shape = tuple(size for place, size in enumerate(parse.axes.shape(places)) if place != axis)
    return parse.axes.reshaped(places, shape, node.id)


@parses("Concat")
def _concat(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    axis = parse.need_field(node, "axis")
    if all(isinstance(operand, Constant) for operand in operands):
        return Constant(np.concatenate([operand.array for operand in operands], axis))  # type: ignore[union-attr]
    _warn_of_flattened(parse, node)
    values = parse.axes.alike([parse.need_value(node, operand) for operand in operands])
    layer = parse.network.add_concatenation([value.tensor for value in values])
    layer.axis = _joined_axis(parse, node, axis, values[0])
    return replace(values[0], tensor=layer.outputs[0])


def _warn_of_flattened(parse: Parse, node: Any) -> None:
    """Say where a Concat joins what was a picture: TensorRT leaves a Flatten to the product behind it."""
    for name in node.inputs:
        maker = parse.nodes.get(name)
        data = parse.values.get(maker.inputs[0]) if maker is not None and maker.operation == "Flatten" else None
        if isinstance(data, Value) and sum(size != 1 for size in data.tensor.shape[data.rows :]) > 1:
            parse.network.logger.log(
                Logger.WARNING,
                f"{node.id} (Concat): TensorRT 8.6's UFF parser leaves the Flatten {name!r} to a fully connected layer "
                "and joins the picture itself, or refuses it. Flatten behind the Concat, or build from ONNX.",
            )


def _joined_axis(parse: Parse, node: Any, axis: int, value: Value) -> int:
    """Return which axis of its tensors a Concat joins; where these have more axes than the graph, those count too."""
    if (value.rows or axis >= value.rank) and value.rows < axis <= len(value.tensor.shape):
        return axis - 1
    if value.rows:
        remedy = f"Set the axis to {axis + value.rows}, as sampleMovieLens does: TensorRT counts the rows too."
        raise NetworkError(node.id, f"a Concat along axis {axis}, the batch or its rows", remedy)
    return value.place(parse.need_axis(node, axis, value, "a Concat"))


@parses("Stack")
def _stack(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    axis = parse.field(node, "axis", 0)
    if all(isinstance(operand, Constant) for operand in operands):
        return Constant(np.stack([operand.array for operand in operands], axis))  # type: ignore[union-attr]
    values = [parse.need_value(node, operand) for operand in operands]
    shape = list(parse.axes.shape(values[0]))
    axis = axis % (len(shape) + 1)
    if axis == 0:
        raise NetworkError(node.id, "a Stack along the batch", "TensorRT stacks along other axes only.")
    shape.insert(axis, 1)
    parts = [parse.axes.reshaped(value, tuple(shape), f"{node.id}_{i}") for i, value in enumerate(values)]
    layer = parse.network.add_concatenation([part.tensor for part in parts])
    layer.axis = parts[0].place(axis)
    return replace(parts[0], tensor=layer.outputs[0])


@parses("Shape")
def _shape(parse: Parse, node: Any, operands: list[Operand]) -> Constant:
    value = operands[0]
    shape = value.array.shape if isinstance(value, Constant) else parse.axes.shape(value)
    return Constant(np.array(shape, np.int32))


@parses("StridedSlice", inputs=4)
def _strided_slice(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    value = operands[0]
    bounds = [parse.need(node, operand, "bounds").astype(int).tolist() for operand in operands[1:]]
    masks = [parse.field(node, f"{key}_mask", 0) for key in ("begin", "end", "shrink_axis")]
    parts: list[Any] = []
    for axis, (begin, end, step) in enumerate(zip(*bounds, strict=True)):
        bit = 1 << axis
        cut = slice(None if masks[0] & bit else begin, None if masks[1] & bit else end, step)
        parts.append(begin if masks[2] & bit else cut)
    if isinstance(value, Constant):
        return Constant(np.asarray(value.array[tuple(parts)]))
    return _slice_value(parse, node, value, parts)


def _slice_value(parse: Parse, node: Any, value: Value, parts: list[Any]) -> Value:
    meant = parse.axes.as_meant(value)
    shape = parse.axes.shape(meant)
    parts += [slice(None)] * (len(shape) - len(parts))
    if parts[0] not in (slice(None), slice(None, None, 1), slice(0, None, 1)):
        raise NetworkError(node.id, "a slice of the batch", "Keep the batch whole.")
    ranges = [
        range(part % size, part % size + 1) if isinstance(part, int) else range(*part.indices(size))
        for part, size in zip(parts[1:], shape[1:], strict=True)
    ]
    dims = tuple(meant.tensor.shape)
    ranges = [*map(range, dims[: meant.rows]), *ranges, *map(range, dims[meant.rows + len(ranges) :])]
    starts, sizes, steps = zip(*((part.start, len(part), part.step) for part in ranges), strict=True)
    if 0 in sizes:
        raise NetworkError(node.id, f"nothing of a value of shape {shape} lies in its slice", "Check its bounds.")
    layer = parse.network.add_slice(meant.tensor, starts, sizes, steps)
    result = replace(meant, tensor=layer.outputs[0])
    if not any(isinstance(part, int) for part in parts):
        return result
    layer.name = f"{node.id}_slice"
    kept = [size for part, size in zip(parts, parse.axes.shape(result), strict=True) if not isinstance(part, int)]
    return parse.axes.reshaped(result, tuple(kept), node.id)


@parses("Pad", inputs=2)
def _pad(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    amounts = parse.need(node, operands[1], "paddings").reshape(-1, 2).tolist()
    value = operands[0]
    if isinstance(value, Constant):
        return Constant(np.pad(value.array, amounts))
    padded = [axis for axis, pair in enumerate(amounts) if any(pair)]
    fault = f"paddings {amounts} of a value of shape {value.tensor.shape}"
    if value.order and not value.logical:  # an input, of which the graph has not told the order
        remedy = "TensorRT pads the two spatial axes only, and no node has told yet which they are."
        raise NetworkError(node.id, fault, f"{remedy} Pad behind the first convolution.")
    if 0 in padded or len(padded) > 2:
        raise NetworkError(node.id, fault, "TensorRT pads two axes at most, and not the batch.")
    if value.logical:
        value = parse.axes.channels_first(value, value.logical)
    return _padded(parse, value, {value.place(axis): amounts[axis] for axis in padded})


def _padded(parse: Parse, value: Value, amounts: dict[int, list[int]]) -> Value:
    """Pad axes of a value's tensor; others than the last two, which TensorRT pads, change places with them."""
    axes = range(len(value.tensor.shape))
    ends = sorted([*amounts, *(axis for axis in reversed(axes) if axis not in amounts)][:2])
    order = [*(axis for axis in axes if axis not in ends), *ends]
    before, after = ([amounts.get(axis, [0, 0])[side] for axis in ends] for side in (0, 1))
    layer = parse.network.add_padding(_shuffled(parse, value.tensor, order), before, after)
    return replace(value, tensor=_shuffled(parse, layer.outputs[0], [order.index(axis) for axis in axes]))


def _shuffled(parse: Parse, tensor: ITensor, order: Sequence[int]) -> ITensor:
    """Return a tensor with its axes, which do not count the batch, in another order."""
    if tuple(order) == tuple(range(len(order))):
        return tensor
    layer = parse.network.add_shuffle(tensor)
    layer.first_transpose = tuple(order)
    return layer.outputs[0]


@parses("Gather", "GatherV2", inputs=2)
def _gather(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    data, indices = operands
    axis = parse.field(node, "axis", 0)
    if isinstance(data, Constant) and isinstance(indices, Constant):
        return Constant(data.array.take(indices.array, axis))
    if isinstance(data, Constant):
        return _look_up(parse, node, data, parse.need_value(node, indices), axis)
    axis = parse.need_axis(node, axis, data, "a look-up")
    places = parse.axes.constant(Constant(parse.need(node, indices, "indices").astype(np.int32)), node.id)
    meant = parse.axes.as_meant(data)
    layer = parse.network.add_gather(meant.tensor, places, meant.place(axis))
    return Value(layer.outputs[0], meant.rank + len(places.shape) - 1, rows=meant.rows)


def _look_up(parse: Parse, node: Any, table: Constant, indices: Value, axis: int) -> Value:
    """Rows of a table, such as an embedding's, whose numbers are an input."""
    if axis % table.array.ndim != 0:
        raise NetworkError(node.id, f"a look-up along axis {axis} of a constant", "Transpose the table first.")
    meant = parse.axes.as_meant(indices)
    layer = parse.network.add_gather(parse.axes.constant(table, node.id), meant.tensor, 0)
    layer.name = f"{node.id}_gather"
    found = Value(layer.outputs[0], len(layer.outputs[0].shape) - meant.rows + 1, rows=meant.rows)
    return parse.axes.reshaped(found, (*parse.axes.shape(meant), *table.array.shape[1:]), node.id)
