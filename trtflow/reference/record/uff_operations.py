"""What UFF's operations become in a network: one small function each, after NVIDIA's "UFF Operators"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import (
    ActivationType,
    ElementWiseOperation,
    PluginFieldType,
    PoolingType,
    ReduceOperation,
    ScaleMode,
    TopKOperation,
    UffInputOrder,
    UnaryOperation,
)
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.plugins import PluginField, PluginFieldCollection, get_plugin_registry
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.uff_values import Constant, Operand, Value
from trtflow.reference.record.values import DTYPES, Dims

if TYPE_CHECKING:
    from trtflow.reference.record.uff_parser import Parse

Function = Callable[["Parse", Any, list[Any]], Any]
OPERATIONS: dict[str, tuple[Function, int]] = {}  # function, and the least number of inputs

BINARY = {
    "add": (ElementWiseOperation.SUM, np.add),
    "sub": (ElementWiseOperation.SUB, np.subtract),
    "mul": (ElementWiseOperation.PROD, np.multiply),
    "div": (ElementWiseOperation.DIV, np.divide),
    "min": (ElementWiseOperation.MIN, np.minimum),
    "max": (ElementWiseOperation.MAX, np.maximum),
    "pow": (ElementWiseOperation.POW, np.power),
}
UNARY: dict[str, tuple[UnaryOperation | None, Callable[[np.ndarray], np.ndarray]]] = {
    "neg": (UnaryOperation.NEG, np.negative),
    "exp": (UnaryOperation.EXP, np.exp),
    "log": (UnaryOperation.LOG, np.log),
    "abs": (UnaryOperation.ABS, np.abs),
    "sqrt": (UnaryOperation.SQRT, np.sqrt),
    "sin": (UnaryOperation.SIN, np.sin),
    "cos": (UnaryOperation.COS, np.cos),
    "tan": (UnaryOperation.TAN, np.tan),
    "sinh": (UnaryOperation.SINH, np.sinh),
    "cosh": (UnaryOperation.COSH, np.cosh),
    "asin": (UnaryOperation.ASIN, np.arcsin),
    "acos": (UnaryOperation.ACOS, np.arccos),
    "atan": (UnaryOperation.ATAN, np.arctan),
    "asinh": (UnaryOperation.ASINH, np.arcsinh),
    "acosh": (UnaryOperation.ACOSH, np.arccosh),
    "atanh": (UnaryOperation.ATANH, np.arctanh),
    "ceil": (UnaryOperation.CEIL, np.ceil),
    "floor": (UnaryOperation.FLOOR, np.floor),
    "square": (None, np.square),  # two that TensorRT puts together
    "rsqrt": (None, lambda array: 1 / np.sqrt(array)),
}
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al., arXiv:1706.02515
ACTIVATIONS = {  # with alpha and beta
    "relu": (ActivationType.RELU, 0.0, 0.0),
    "relu6": (ActivationType.CLIP, 0.0, 6.0),
    "sigmoid": (ActivationType.SIGMOID, 0.0, 0.0),
    "tanh": (ActivationType.TANH, 0.0, 0.0),
    "elu": (ActivationType.ELU, 1.0, 0.0),
    "selu": (ActivationType.SELU, SELU_ALPHA, SELU_SCALE),
    "softsign": (ActivationType.SOFTSIGN, 0.0, 0.0),
    "softplus": (ActivationType.SOFTPLUS, 1.0, 1.0),
}
POOLINGS = {"max": PoolingType.MAX, "avg": PoolingType.AVERAGE}
SUFFIX = re.compile(r"_u_[a-z]+$")  # graphsurgeon's, by which a plugin's attribute tells its type
REDUCTIONS = {
    "sum": (ReduceOperation.SUM, np.sum),
    "prod": (ReduceOperation.PROD, np.prod),
    "max": (ReduceOperation.MAX, np.max),
    "min": (ReduceOperation.MIN, np.min),
    "mean": (ReduceOperation.AVG, np.mean),
}


def _parses(*operations: str, inputs: int = 1) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        OPERATIONS.update(dict.fromkeys(operations, (function, inputs)))
        return function

    return register


@_parses("Input", inputs=0)
def _input(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    if node.id not in parse.inputs:
        raise NetworkError(node.id, f"an input of {parse.source} that is not registered", "Call register_input first.")
    shape, order = parse.inputs[node.id]
    dtype = parse.field(node, "dtype") or np.dtype(np.float32)
    types = {value: key for key, value in DTYPES.items()}
    if dtype not in types:
        remedy = f"Convert with -I {node.id},{node.id},int32,… or another of TensorRT's types."
        raise NetworkError(node.id, f"an input of type {dtype} in {parse.source}", remedy)
    declared = tuple(parse.field(node, "shape") or ())
    if dtype.kind == "i" and _has_rows(shape, declared[1:]):
        return Value(parse.network.add_input(node.id, types[dtype], shape), len(declared), rows=1)
    _check_shape(parse, node, shape, order, declared)
    tensor = parse.network.add_input(node.id, types[dtype], shape)
    if order == UffInputOrder.NC:
        return Value(tensor, 2, "NC+", "NC+")
    rank = len(declared) if 0 < len(declared) <= len(shape) + 1 else len(shape) + 1
    if rank != 4:
        return Value(tensor, rank)
    channels = shape[0 if order == UffInputOrder.NCHW else -1]
    matters = 1 < channels < np.prod(shape)  # else both orders are the same numbers one after the other
    turned = bool(matters and not _fits(declared[1:], shape))
    return Value(tensor, rank, "NC+" if order == UffInputOrder.NCHW else "N+C", turned=turned)


def _has_rows(shape: Dims, sizes: Sequence[int]) -> bool:
    """Whether a list of indices is registered with more rows than the graph's one, as in sampleMovieLens."""
    return tuple(sizes) == (1,) and len(shape) > 1 and shape[0] > 1 and set(shape[1:]) == {1}


def _check_shape(parse: Parse, node: Any, shape: Dims, order: UffInputOrder, declared: Sequence[int]) -> None:
    """Refuse dimensions that cannot be the graph's, whichever of the two has its channels first."""
    fault = f"registered as {order.name} with the shape {shape}, but {parse.source} has {list(declared)}"
    if order != UffInputOrder.NC and len(shape) > 3:
        fault = f"registered as {order.name} with {len(shape)} dimensions, {shape}"
        raise NetworkError(node.id, fault, "Register three, and leave the batch out.")
    sizes = declared[1:]
    if -1 not in sizes and sizes and np.prod(sizes) != np.prod(shape):
        fault = f"registered with the shape {shape}, but {parse.source} has {list(declared)}"
        remedy = f"Register {tuple(sizes)} in the order of the graph, or the same sizes in {order.name}."
        raise NetworkError(node.id, fault, remedy)
    if len(sizes) == len(shape) == 3 and order != UffInputOrder.NC:
        turned = (sizes[2], *sizes[:2]) if order == UffInputOrder.NCHW else (*sizes[1:], sizes[0])
        if not _fits(sizes, shape) and not _fits(turned, shape):
            raise NetworkError(node.id, fault, "Register the dimensions in the order that is given with them.")


def _fits(sizes: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a shape is one that the graph's sizes allow, of which -1 allows all; no sizes allow all shapes."""
    return not sizes or all(size in (-1, given) for size, given in zip(sizes, shape, strict=True))


@_parses("Const", inputs=0)
def _const(parse: Parse, node: Any, operands: list[Operand]) -> Constant:
    array = parse.values_of(node)
    wide = {"i8": np.int32, "i2": np.int32, "f2": np.float32}.get(array.dtype.str[1:])
    return Constant(array if wide is None else array.astype(wide))


@_parses("Identity")
def _identity(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    return operands[0]


@_parses("Conv", inputs=2)
def _conv(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    order, kernel_order = parse.orders(node)
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    kernel = _canonical(parse.need(node, operands[1], "kernel"), kernel_order)
    groups, channels = parse.field(node, "number_groups", 1), data.tensor.shape[-3]
    if groups > 1 and kernel.shape[1] == groups == channels:  # a depthwise kernel [H, W, C, M]
        kernel = kernel.swapaxes(0, 1).reshape(-1, 1, *kernel.shape[2:])
    _check_channels(parse, node, kernel.shape[1] * groups, data)
    layer = parse.network.add_convolution(data.tensor, kernel.shape[0], kernel.shape[2:], parse.weights(kernel))
    layer.num_groups = groups
    layer.stride = tuple(parse.field(node, "strides") or (1, 1))
    layer.dilation = tuple(parse.field(node, "dilation") or (1, 1))
    _pad_window(parse, node, layer, data)
    return replace(data, tensor=layer.outputs[0], order="NC+", logical=order)


def _check_channels(parse: Parse, node: Any, channels: int, data: Value) -> None:
    """Refuse data that a kernel does not fit, as when an input is registered in the wrong order."""
    if data.tensor.shape[-3] != channels:
        fault = f"a kernel for {channels} channels, but its data in {parse.source} has C, H, W = {data.tensor.shape}"
        raise NetworkError(node.id, fault, "Register the inputs with their dimensions in the order given with them.")


def _canonical(kernel: np.ndarray, order: str) -> np.ndarray:
    """Return a kernel with the axes K, C, and the spatial ones."""
    rank = kernel.ndim
    spatial = {"+KC": range(rank - 2), "+CK": range(rank - 2)}.get(order, range(2, rank))
    first = {"+KC": (rank - 2, rank - 1), "+CK": (rank - 1, rank - 2), "KC": (0, 1), "CK": (1, 0)}[order]
    return np.ascontiguousarray(kernel.transpose(*first, *spatial))


def _pad_window(parse: Parse, node: Any, layer: Any, data: Value) -> None:
    """Set the padding of a window: none, the same on both sides, or as much as keeps size / stride."""
    explicit = parse.field(node, "padding")
    if explicit:
        layer.padding = tuple(explicit)
    if parse.field(node, "implicit_padding") != "same":
        return
    before, after = [], []
    for axis, size in enumerate(data.tensor.shape[-2:]):
        reach = layer.dilation[axis] * (layer.window[axis] - 1) + 1
        total = max((-(-size // layer.stride[axis]) - 1) * layer.stride[axis] + reach - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    layer.pre_padding, layer.post_padding = tuple(before), tuple(after)


@_parses("ConvTranspose", inputs=3)
def _conv_transpose(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    order, kernel_order = parse.orders(node)
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    kernel = _canonical(parse.need(node, operands[1], "kernel"), kernel_order).swapaxes(0, 1)  # TensorRT's: C, K
    _check_channels(parse, node, kernel.shape[0], data)
    shape = parse.need(node, operands[2], "output shape").tolist()
    sizes = shape[1:3] if order == "N+C" else shape[2:4]
    layer = parse.network.add_deconvolution(data.tensor, kernel.shape[1], kernel.shape[2:], parse.weights(kernel))
    layer.stride = tuple(parse.field(node, "strides") or (1, 1))
    layer.dilation = tuple(parse.field(node, "dilation") or (1, 1))
    whole = layer.output_shape(0)[-2:]
    cut = [have - want for have, want in zip(whole, sizes, strict=True)]
    if min(cut) < 0:
        fault = f"an output of {tuple(sizes)} from a transposed convolution that makes {tuple(whole)}"
        raise NetworkError(node.id, fault, "TensorRT can cut its border off, but not add to it.")
    layer.pre_padding = tuple(amount // 2 for amount in cut)
    layer.post_padding = tuple(amount - amount // 2 for amount in cut)
    return replace(data, tensor=layer.outputs[0], order="NC+", logical=order)


@_parses("Pool")
def _pool(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    (order,) = parse.orders(node)
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    window = tuple(parse.need_field(node, "kernel"))
    layer = parse.network.add_pooling(data.tensor, parse.function(node, POOLINGS), window)
    layer.stride = tuple(parse.field(node, "strides") or (1, 1))
    _pad_window(parse, node, layer, data)
    return replace(data, tensor=layer.outputs[0], order="NC+", logical=order)


@_parses("FullyConnected", inputs=2)
def _fully_connected(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    order, kernel_order = parse.orders(node, ("NC", "CK"))
    if order == "CN":
        raise NetworkError(
            node.id, "a product whose data is transposed, which moves the batch", "Transpose the result."
        )
    kernel = _canonical(parse.need(node, operands[1], "kernel"), kernel_order)
    data = parse.need_value(node, operands[0])
    if int(np.prod(data.tensor.shape[data.rows :])) != kernel.shape[1]:
        fault = f"a kernel for {kernel.shape[1]} inputs, but its data has the shape {parse.axes.shape(data)}"
        raise NetworkError(node.id, fault, "Flatten the data first.")
    flat = parse.axes.reshaped(data, (-1, kernel.shape[1]), node.id)
    layer = parse.network.add_fully_connected(flat.tensor, kernel.shape[0], parse.weights(kernel))
    return replace(flat, tensor=layer.outputs[0])


@_parses("LRN")
def _lrn(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    (order,) = parse.orders(node, ["N+C"])
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    window, *constants = (parse.need_field(node, key) for key in ("window_size", "alpha", "beta", "k"))
    layer = parse.network.add_lrn(data.tensor, window, *constants)
    return replace(data, tensor=layer.outputs[0])


@_parses("BatchNorm", inputs=5)
def _batch_norm(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    (order,) = parse.orders(node, ["N+C"])
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    gamma, beta, mean, variance = (parse.need(node, operand, "moments").astype(np.float64) for operand in operands[1:])
    scale = gamma / np.sqrt(variance + parse.field(node, "epsilon", 1e-3))
    shift = parse.weights(beta - mean * scale)
    layer = parse.network.add_scale(data.tensor, ScaleMode.CHANNEL, shift, parse.weights(scale))
    return replace(data, tensor=layer.outputs[0])


@_parses("Binary", inputs=2)
def _binary(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    function, fold = parse.function(node, BINARY)
    first, second = operands
    if isinstance(first, Constant) and isinstance(second, Constant):
        return Constant(fold(first.array, second.array).astype(first.array.dtype))
    values = parse.axes.alike([operand for operand in operands if isinstance(operand, Value)])
    value = max(values, key=lambda value: (value.rank, bool(value.logical)))
    tensors = [value.tensor for value in values]
    for place, operand in enumerate(operands):
        if isinstance(operand, Constant):
            tensors.insert(place, parse.axes.aligned(operand, value, f"{node.id}_{place}"))
    layer = parse.network.add_elementwise(tensors[0], tensors[1], function)
    return replace(value, tensor=layer.outputs[0])


@_parses("Unary")
def _unary(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    value = operands[0]
    function, fold = parse.function(node, UNARY)
    if isinstance(value, Constant):
        return Constant(fold(value.array).astype(value.array.dtype))
    name = parse.field(node, "func")
    if name == "square":
        layer: ILayer = parse.network.add_elementwise(value.tensor, value.tensor, ElementWiseOperation.PROD)
    elif name == "rsqrt":
        root = parse.network.add_unary(value.tensor, UnaryOperation.SQRT)
        root.name = f"{node.id}_sqrt"
        layer = parse.network.add_unary(root.outputs[0], UnaryOperation.RECIP)
    else:
        assert function is not None
        layer = parse.network.add_unary(value.tensor, function)
    return replace(value, tensor=layer.outputs[0])


@_parses("Activation")
def _activation(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    value, (function, *constants) = parse.need_value(node, operands[0]), parse.function(node, ACTIVATIONS)
    layer = parse.network.add_activation(value.tensor, function)
    layer.alpha, layer.beta = constants
    return replace(value, tensor=layer.outputs[0])


@_parses("LeakyRelu")
def _leaky_relu(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    value = parse.need_value(node, operands[0])
    layer = parse.network.add_activation(value.tensor, ActivationType.LEAKY_RELU)
    layer.alpha = parse.need_field(node, "alpha")
    return replace(value, tensor=layer.outputs[0])


@_parses("Softmax")
def _softmax(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    """Softmax over the channels; the parser ignores the field axis."""
    value = parse.need_value(node, operands[0])
    (order,) = parse.orders(node, ["N+C"])
    value = parse.axes.channels_first(value, order) if value.rank == 4 else value
    channel = value.rank - 1 if order == "N+C" else 1
    layer = parse.network.add_softmax(value.tensor)
    layer.axes = 1 << value.place(channel)
    return replace(value, tensor=layer.outputs[0])


@_parses("Reshape", inputs=2)
def _reshape(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    shape = tuple(int(size) for size in parse.need(node, operands[1], "shape").ravel())
    if isinstance(operands[0], Constant):
        return Constant(operands[0].array.reshape(shape))
    return parse.axes.reshaped(operands[0], shape, node.id)


@_parses("Flatten")
def _flatten(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    if isinstance(operands[0], Constant):
        return Constant(operands[0].array.reshape(len(operands[0].array), -1))
    return parse.axes.reshaped(operands[0], (-1, int(np.prod(operands[0].tensor.shape[operands[0].rows :]))), node.id)


@_parses("ExpandDims")
def _expand_dims(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    axis = parse.need_field(node, "axis")
    if isinstance(operands[0], Constant):
        return Constant(np.expand_dims(operands[0].array, axis))
    shape = list(parse.axes.shape(operands[0]))
    shape.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
    return parse.axes.reshaped(operands[0], tuple(shape), node.id)


@_parses("Squeeze")
def _squeeze(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    """Squeeze as a reshape. NVIDIA documents it as not implemented in TensorRT's parser."""
    axes = parse.field(node, "axes") or []
    if isinstance(operands[0], Constant):
        return Constant(np.squeeze(operands[0].array, tuple(axes) or None))
    shape = parse.axes.shape(operands[0])
    dropped = {axis % len(shape) for axis in axes} or {place for place, size in enumerate(shape) if size == 1}
    if any(shape[axis] != 1 for axis in dropped):
        raise NetworkError(node.id, f"axes {axes} of a value of shape {shape} cannot go", "Name axes whose size is 1.")
    kept = tuple(size for place, size in enumerate(shape) if place not in dropped)
    return parse.axes.reshaped(operands[0], kept, node.id)


@_parses("Transpose")
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


@_parses("Reduce")
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


@_parses("ArgMax", "ArgMin")
def _argmax(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    value = parse.need_value(node, operands[0])
    axis = parse.need_axis(node, parse.field(node, "axis", 0), value, f"an {node.operation}")
    operation = TopKOperation.MAX if node.operation == "ArgMax" else TopKOperation.MIN
    layer = parse.network.add_topk(value.tensor, operation, 1, 1 << value.place(axis))
    layer.name = f"{node.id}_topk"
    places = replace(value, tensor=layer.outputs[1])
    shape = tuple(size for place, size in enumerate(parse.axes.shape(places)) if place != axis)
    return parse.axes.reshaped(places, shape, node.id)


@_parses("Concat")
def _concat(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    axis = parse.need_field(node, "axis")
    if all(isinstance(operand, Constant) for operand in operands):
        return Constant(np.concatenate([operand.array for operand in operands], axis))  # type: ignore[union-attr]
    values = parse.axes.alike([parse.need_value(node, operand) for operand in operands])
    layer = parse.network.add_concatenation([value.tensor for value in values])
    layer.axis = _joined_axis(parse, node, axis, values[0])
    return replace(values[0], tensor=layer.outputs[0])


def _joined_axis(parse: Parse, node: Any, axis: int, value: Value) -> int:
    """Return which axis of its tensors a Concat joins; where these have more axes than the graph, those count too."""
    if (value.rows or axis >= value.rank) and value.rows < axis <= len(value.tensor.shape):
        return axis - 1
    if value.rows:
        remedy = f"Set the axis to {axis + value.rows}, as sampleMovieLens does: TensorRT counts the rows too."
        raise NetworkError(node.id, f"a Concat along axis {axis}, the batch or its rows", remedy)
    return value.place(parse.need_axis(node, axis, value, "a Concat"))


@_parses("Stack")
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


@_parses("Shape")
def _shape(parse: Parse, node: Any, operands: list[Operand]) -> Constant:
    value = operands[0]
    shape = value.array.shape if isinstance(value, Constant) else parse.axes.shape(value)
    return Constant(np.array(shape, np.int32))


@_parses("StridedSlice", inputs=4)
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


@_parses("Pad", inputs=2)
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


@_parses("Gather", "GatherV2", inputs=2)
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


@_parses("_Cast")
def _cast(parse: Parse, node: Any, operands: list[Operand]) -> Operand | list[Value]:
    """A constant in another type; NVIDIA's converter has no operation for it. A value's needs a plugin."""
    if not isinstance(operands[0], Constant):
        return add_plugin(parse, node, operands)
    dtype = parse.need_field(node, "DstT")
    return Constant(operands[0].array.astype(np.int32 if dtype is not None and dtype.kind == "i" else np.float32))


def add_plugin(parse: Parse, node: Any, operands: list[Operand]) -> list[Value]:
    """Make a plugin of a custom operation; its inputs keep the order that they have."""
    kind = node.operation[1:]
    creator = get_plugin_registry().get_plugin_creator(kind, "1", parse.namespace)
    if creator is None:
        known = sorted(item.name for item in get_plugin_registry().plugin_creator_list)
        remedy = f"Load the library that registers it first. Registered: {', '.join(known) or 'none'}."
        raise NetworkError(node.id, f"no plugin {kind!r} for a custom operation of {parse.source}", remedy)
    wanted = {field.name for field in creator.field_names}
    given = {SUFFIX.sub("", key): parse.field(node, key) for key in sorted(node.fields)}
    fields = PluginFieldCollection(_plugin_field(key, value) for key, value in given.items() if key in wanted)
    plugin = creator.create_plugin(node.id, fields)
    tensors = [
        operand.tensor if isinstance(operand, Value) else parse.axes.constant(operand, f"{node.id}_{index}")
        for index, operand in enumerate(operands)
    ]
    layer = parse.network.add_plugin_v2(tensors, plugin)
    like = next((operand for operand in operands if isinstance(operand, Value)), None)
    return [_plugin_value(tensor, like) for tensor in layer.outputs]


def _plugin_value(tensor: ITensor, like: Value | None) -> Value:
    """Return a plugin's output: a vector, or something whose axes are those of the first input if it has as many."""
    dims = tuple(tensor.shape)
    if like is not None and dims == tuple(like.tensor.shape):
        return replace(like, tensor=tensor)
    if len(dims) == 3 and dims[1:] == (1, 1):
        return Value(tensor, 2, "NC+", "NC+")
    if like is not None and like.rank == len(dims) + 1:
        return replace(like, tensor=tensor)
    return Value(tensor, len(dims) + 1)


def _plugin_field(name: str, value: Any) -> PluginField:
    if isinstance(value, str):
        return PluginField(name, np.frombuffer(value.encode(), np.int8), PluginFieldType.CHAR)
    if isinstance(value, np.dtype):
        value = next(key for key, dtype in DTYPES.items() if dtype == value)
    array = np.atleast_1d(np.asarray(value))
    if array.dtype.kind == "f":
        return PluginField(name, array.astype(np.float32), PluginFieldType.FLOAT32)
    return PluginField(name, array.astype(np.int32), PluginFieldType.INT32)
