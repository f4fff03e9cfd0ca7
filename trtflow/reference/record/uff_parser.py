"""TensorRT's UFF parser: from UFF graphs to layers, one small function an operation."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.uff import Graph, MetaGraph, array_of, value_of
from trtflow.formats.uff.data import ORDERS
from trtflow.formats.uff.files import parsed
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
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
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.plugins import PluginField, PluginFieldCollection, get_plugin_registry
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.uff_values import Axes, Constant, Value
from trtflow.reference.record.values import DTYPES, Dims, Weights

SUFFIX = re.compile(r"_u_(int|float|str|bool|ilist|flist|slist|blist)$")  # of plugins' fields; it tells their type

Operand = Constant | Value
Parse = Callable[["_Parse", Any, list[Any]], Any]
_OPERATIONS: dict[str, Parse] = {}

BINARY = {
    "add": (ElementWiseOperation.SUM, np.add),
    "sub": (ElementWiseOperation.SUB, np.subtract),
    "mul": (ElementWiseOperation.PROD, np.multiply),
    "div": (ElementWiseOperation.DIV, np.divide),
    "min": (ElementWiseOperation.MIN, np.minimum),
    "max": (ElementWiseOperation.MAX, np.maximum),
    "pow": (ElementWiseOperation.POW, np.power),
}
UNARY: dict[str, tuple[UnaryOperation, Callable[[np.ndarray], np.ndarray]]] = {
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
}
ACTIVATIONS = {
    "relu": ActivationType.RELU,
    "relu6": ActivationType.CLIP,
    "sigmoid": ActivationType.SIGMOID,
    "tanh": ActivationType.TANH,
    "elu": ActivationType.ELU,
    "selu": ActivationType.SELU,
    "softsign": ActivationType.SOFTSIGN,
    "softplus": ActivationType.SOFTPLUS,
}
SUFFIX = re.compile(r"_u_[a-z]+$")  # graphsurgeon's, by which a plugin's attribute tells its type
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al., arXiv:1706.02515
REDUCTIONS = {
    "sum": (ReduceOperation.SUM, np.sum),
    "prod": (ReduceOperation.PROD, np.prod),
    "max": (ReduceOperation.MAX, np.max),
    "min": (ReduceOperation.MIN, np.min),
    "mean": (ReduceOperation.AVG, np.mean),
}


class UffParser(Scope):
    """Reads UFF graphs into networks with an implicit batch.

    Attributes:
        plugin_namespace: where custom operations are looked up in the plugin registry.
    """

    uff_required_version_major, uff_required_version_minor, uff_required_version_patch = 0, 6, 9

    def __init__(self) -> None:
        self.plugin_namespace = ""
        self._inputs: dict[str, tuple[Dims, UffInputOrder]] = {}
        self._outputs: list[str] = []

    def register_input(self, name: str, shape: Any, order: UffInputOrder = UffInputOrder.NCHW) -> bool:
        """Say which shape an input has, without the batch, and in which order that is."""
        self._inputs[name] = (Dims(shape), UffInputOrder(order))
        return True

    def register_output(self, name: str) -> bool:
        """Say which node's value is an output."""
        self._outputs.append(name)
        return True

    def parse(self, file: str, network: INetworkDefinition, weights_type: DataType = DataType.FLOAT) -> bool:
        """Add the layers of a UFF file; arguments and errors as of `parse_buffer`."""
        return self._parse(Path(file).read_bytes(), file, network, weights_type)

    def parse_buffer(self, buffer: bytes, network: INetworkDefinition, weights_type: DataType = DataType.FLOAT) -> bool:
        """Add the layers of a UFF graph that the registered outputs depend on.

        Args:
            buffer: the graph.
            network: the network to add to, with an implicit batch.
            weights_type: FLOAT, or HALF for weights in half precision.

        Raises:
            FormatError: the bytes are no UFF graph.
            NetworkError: an operation that the parser lacks, an input that is not registered or does not fit, an output
                that is not there. (TensorRT logs that and returns False.)
        """
        return self._parse(bytes(buffer), "UFF buffer", network, weights_type)

    def _parse(self, data: bytes, source: str, network: INetworkDefinition, weights_type: DataType) -> bool:
        graph = parsed(data, source)
        if not self._outputs:
            raise NetworkError("UFF", f"no output of {source} is registered", "Call register_output first.")
        parse = _Parse(graph, source, network, weights_type, self._inputs, self.plugin_namespace)
        for name in self._outputs:
            parse.mark(name)
        return True


class _Parse:
    """One parse: the graph, the network, and the values so far."""

    def __init__(
        self,
        meta: MetaGraph,
        source: str,
        network: INetworkDefinition,
        weights_type: DataType,
        inputs: dict[str, tuple[Dims, UffInputOrder]],
        namespace: str,
    ) -> None:
        self.meta, self.source, self.network, self.inputs = meta, source, network, inputs
        self.weights_type, self.namespace = weights_type, namespace
        self.graph: Graph = meta.graphs[0]
        self.nodes = {node.id: node for node in self.graph.nodes}
        self.axes = Axes(network)
        self.values: dict[str, Operand] = {}
        self.check_inputs()

    def check_inputs(self) -> None:
        """Refuse registered names that are no inputs of the graph."""
        known = [node.id for node in self.graph.nodes if node.operation == "Input"]
        for name in self.inputs:
            if name not in known:
                remedy = f"Its inputs are {', '.join(known) or 'none'}."
                raise NetworkError(name, f"registered as an input, but {self.source} has none of that name", remedy)

    def mark(self, name: str) -> None:
        """Parse what an output depends on, and mark it; its tensor takes the registered name."""
        node = self.nodes.get(name)
        if node is None:
            names = [node.id for node in self.graph.nodes if node.operation not in ("Const", "MarkOutput")]
            close = difflib.get_close_matches(name, names, 3) or names[:3]
            remedy = f"Register the name of a node; close to it are {', '.join(close)}."
            raise NetworkError(name, f"registered as an output, but {self.source} has no such node", remedy)
        for source in node.inputs if node.operation == "MarkOutput" else [name]:
            value = self.value(source)
            if isinstance(value, Constant):
                raise NetworkError(name, "this output is constant", "Register one that depends on an input.")
            tensor = self.axes.as_meant(value).tensor  # as TensorRT's parser gives it: in the graph's own order
            if tensor.producer is None or tensor.is_network_output:
                layer = self.network.add_identity(tensor)
                layer.name = f"{name}_output"
                tensor = layer.outputs[0]
            tensor.name = name
            self.network.mark_output(tensor)

    def value(self, name: str) -> Operand:
        """Return the value of a node's output, parsing what it depends on first; no recursion, as graphs are deep."""
        pending = [name]
        while pending:
            current = pending[-1]
            if current in self.values:
                pending.pop()
                continue
            node = self.nodes.get(self.owner(current))
            if node is None:
                raise NetworkError(
                    current, f"a node of {self.source} reads it, but there is no such node", "Convert again."
                )
            missing = [source for source in node.inputs if source not in self.values]
            if missing:
                if missing[0] in pending:
                    raise NetworkError(
                        node.id, f"its inputs depend on its own output in {self.source}", "Convert again."
                    )
                pending.append(missing[0])
                continue
            self.parse_node(node)
        return self.values[name]

    def owner(self, name: str) -> str:
        """Return the node that an output belongs to: x_1 is the second output of node x."""
        owner, _, index = name.rpartition("_")
        return name if name in self.nodes or not index.isdigit() else owner

    def parse_node(self, node: Any) -> None:
        """Add the layers of a node whose inputs are there."""
        operation = node.operation
        function = _custom if operation.startswith("_") else _OPERATIONS.get(operation)
        if function is None:
            remedy = f"It has {', '.join(sorted(_OPERATIONS))}; others must be plugins, as custom operations."
            raise NetworkError(node.id, f"the UFF parser has no operation {operation!r} ({self.source})", remedy)
        first = self.network.num_layers
        result = function(self, node, [self.values[source] for source in node.inputs])
        results = result if isinstance(result, list) else [result]
        for index, value in enumerate(results):
            self.values[node.id if index == 0 else f"{node.id}_{index}"] = value
        self.name_layers(node, first, results)

    def name_layers(self, node: Any, first: int, results: Sequence[Operand]) -> None:
        """Name the layer that gives a node's value by the node, and its tensors by the outputs."""
        for index, value in enumerate(results):
            producer = value.tensor.producer if isinstance(value, Value) else None
            if producer is not None and producer in list(self.network)[first:]:
                producer.name = node.id
                value.tensor.name = node.id if index == 0 else f"{node.id}_{index}"  # type: ignore[union-attr]

    def field(self, node: Any, key: str, default: Any = None) -> Any:
        """Return a field of a node."""
        return value_of(node.fields[key]) if key in node.fields else default

    def orders(self, node: Any) -> list[str]:
        """Return the orders of a node's inputs by their names."""
        if "inputs_orders" not in node.fields:
            return []
        names = {axes: name for name, axes in ORDERS.items() if not name.startswith(("K", "CK", "+"))}
        kernels = {axes: name for name, axes in ORDERS.items() if name.startswith(("K", "CK", "+"))}
        entries = value_of(self.meta.referenced_data[node.fields["inputs_orders"].ref])
        return [(names if index == 0 else kernels)[entry] for index, entry in enumerate(entries)]

    def weights(self, array: np.ndarray) -> Weights:
        """Return weights in the type that the parser was asked for."""
        return Weights(array.astype(np.float16 if self.weights_type == DataType.HALF else np.float32))

    def tensor(self, operand: Operand, name: str) -> Any:
        """Return an operand as a tensor in the graph's own order."""
        if isinstance(operand, Constant):
            return self.axes.constant(operand, name)
        return self.axes.as_meant(operand).tensor

    def need(self, node: Any, operand: Operand, what: str) -> np.ndarray:
        """Return an operand that must be constant."""
        if not isinstance(operand, Constant):
            raise NetworkError(node.id, f"its {what} depends on an input", "TensorRT needs it as a constant.")
        return operand.array

    def need_value(self, node: Any, operand: Operand) -> Value:
        """Return an operand that must not be constant."""
        if not isinstance(operand, Value):
            raise NetworkError(node.id, "its data is constant", "Fold it before the conversion.")
        return operand


def _parses(*operations: str) -> Callable[[Parse], Parse]:
    def register(function: Parse) -> Parse:
        _OPERATIONS.update(dict.fromkeys(operations, function))
        return function

    return register


@_parses("Input")
def _input(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    if node.id not in parse.inputs:
        raise NetworkError(node.id, f"an input of {parse.source} that is not registered", "Call register_input first.")
    shape, order = parse.inputs[node.id]
    declared = parse.field(node, "shape", []) or []
    _check_shape(parse, node, shape, order, declared)
    dtype = next((key for key, value in DTYPES.items() if value == parse.field(node, "dtype")), DataType.FLOAT)
    tensor = parse.network.add_input(node.id, dtype, shape)
    if order == UffInputOrder.NC:
        return Value(tensor, 2, "NC+", "NC+")
    known = {UffInputOrder.NCHW: "NC+", UffInputOrder.NHWC: "N+C"}[order] if len(shape) >= 3 else ""
    rank = len(declared) if 0 < len(declared) <= len(shape) + 1 else len(shape) + 1
    return Value(tensor, rank, known, "")


def _check_shape(parse: _Parse, node: Any, shape: Dims, order: UffInputOrder, declared: Sequence[int]) -> None:
    """Refuse dimensions that hold another number of elements than the graph says."""
    sizes = list(declared[1:])
    if not sizes or min(sizes, default=-1) < 0:
        return
    if int(np.prod(sizes)) != int(np.prod(shape)):
        remedy = f"Register {tuple(sizes)} in the order of the graph, or the same sizes in {order.name}."
        raise NetworkError(
            node.id, f"registered with the shape {shape}, but {parse.source} has {list(declared)}", remedy
        )
    if len(sizes) == len(shape) == 3:
        meant = (sizes[2], sizes[0], sizes[1])
        allowed = {UffInputOrder.NCHW: (tuple(sizes), meant), UffInputOrder.NHWC: (tuple(sizes),)}.get(order)
        if allowed and tuple(shape) not in allowed:
            remedy = "Register the dimensions in the order that is given with them."
            raise NetworkError(
                node.id,
                f"registered as {order.name} with the shape {shape}, but {parse.source} has {list(declared)}",
                remedy,
            )


@_parses("Const")
def _const(parse: _Parse, node: Any, operands: list[Operand]) -> Constant:
    try:
        dtype = parse.field(node, "dtype") or np.dtype(np.float32)
        array = array_of(parse.meta, node.fields["values"], dtype, parse.field(node, "shape", []) or [])
    except ValueError as error:
        raise FormatError(parse.source, f"constant {node.id!r}: {error}", "Convert the model again.") from error
    wide = {"i8": np.int32, "i2": np.int32, "f2": np.float32}.get(array.dtype.str[1:])
    return Constant(array if wide is None else array.astype(wide))


@_parses("Identity")
def _identity(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    return operands[0]


@_parses("Conv")
def _conv(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    order, kernel_order = parse.orders(node)
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    kernel = _canonical(parse.need(node, operands[1], "kernel"), kernel_order)
    groups = parse.field(node, "number_groups", 1)
    if groups > 1 and kernel.shape[1] == groups == data.tensor.shape[0]:  # a depthwise kernel [H, W, C, M]
        kernel = kernel.swapaxes(0, 1).reshape(-1, 1, *kernel.shape[2:])
    layer = parse.network.add_convolution(data.tensor, kernel.shape[0], kernel.shape[2:], parse.weights(kernel))
    layer.num_groups = groups
    layer.stride = tuple(parse.field(node, "strides") or (1, 1))
    layer.dilation = tuple(parse.field(node, "dilation") or (1, 1))
    _pad_window(parse, node, layer, data)
    return replace(data, tensor=layer.outputs[0], order="NC+", logical=order)


def _canonical(kernel: np.ndarray, order: str) -> np.ndarray:
    """Return a kernel with the axes K, C, and the spatial ones."""
    rank = kernel.ndim
    spatial = {"+KC": range(rank - 2), "+CK": range(rank - 2)}.get(order, range(2, rank))
    first = {"+KC": (rank - 2, rank - 1), "+CK": (rank - 1, rank - 2), "KC": (0, 1), "CK": (1, 0)}[order]
    return np.ascontiguousarray(kernel.transpose(*first, *spatial))


def _pad_window(parse: _Parse, node: Any, layer: Any, data: Value) -> None:
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


@_parses("ConvTranspose")
def _conv_transpose(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    order, kernel_order = parse.orders(node)
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    kernel = _canonical(parse.need(node, operands[1], "kernel"), kernel_order).swapaxes(0, 1)  # TensorRT's: C, K
    shape = parse.need(node, operands[2], "output shape").tolist()
    sizes = shape[1:3] if order == "N+C" else shape[2:4]
    layer = parse.network.add_deconvolution(data.tensor, kernel.shape[1], kernel.shape[2:], parse.weights(kernel))
    layer.stride = tuple(parse.field(node, "strides") or (1, 1))
    whole = layer.output_shape(0)[-2:]
    cut = [have - want for have, want in zip(whole, sizes, strict=True)]
    layer.pre_padding = tuple(amount // 2 for amount in cut)
    layer.post_padding = tuple(amount - amount // 2 for amount in cut)
    return replace(data, tensor=layer.outputs[0], order="NC+", logical=order)


@_parses("Pool")
def _pool(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    (order,) = parse.orders(node)
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    kind = {"max": PoolingType.MAX, "avg": PoolingType.AVERAGE}[parse.field(node, "func")]
    layer = parse.network.add_pooling(data.tensor, kind, tuple(parse.field(node, "kernel")))
    layer.stride = tuple(parse.field(node, "strides") or (1, 1))
    _pad_window(parse, node, layer, data)
    return replace(data, tensor=layer.outputs[0], order="NC+", logical=order)


@_parses("FullyConnected")
def _fully_connected(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    order, kernel_order = parse.orders(node) or ["NC", "CK"]
    if order == "CN":
        raise NetworkError(
            node.id, "a product whose data is transposed, which moves the batch", "Transpose the result."
        )
    kernel = _canonical(parse.need(node, operands[1], "kernel"), kernel_order)
    data = parse.need_value(node, operands[0])
    if int(np.prod(data.tensor.shape)) != kernel.shape[1]:
        fault = f"a kernel for {kernel.shape[1]} inputs, but its data has the shape {parse.axes.shape(data)}"
        raise NetworkError(node.id, fault, "Flatten the data first.")
    flat = parse.axes.reshaped(data, (-1, kernel.shape[1]), node.id)
    layer = parse.network.add_fully_connected(flat.tensor, kernel.shape[0], parse.weights(kernel))
    return Value(layer.outputs[0], 2, "NC+", "NC+")


@_parses("LRN")
def _lrn(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    (order,) = parse.orders(node) or ["N+C"]
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    alpha, beta, k = (parse.field(node, key) for key in ("alpha", "beta", "k"))
    layer = parse.network.add_lrn(data.tensor, parse.field(node, "window_size"), alpha, beta, k)
    return replace(data, tensor=layer.outputs[0])


@_parses("BatchNorm")
def _batch_norm(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    (order,) = parse.orders(node) or ["N+C"]
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    gamma, beta, mean, variance = (parse.need(node, operand, "moments").astype(np.float64) for operand in operands[1:])
    scale = gamma / np.sqrt(variance + parse.field(node, "epsilon", 1e-3))
    shift = parse.weights(beta - mean * scale)
    layer = parse.network.add_scale(data.tensor, ScaleMode.CHANNEL, shift, parse.weights(scale))
    return replace(data, tensor=layer.outputs[0])


@_parses("Binary")
def _binary(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    function, fold = BINARY[parse.field(node, "func")]
    first, second = operands
    if isinstance(first, Constant) and isinstance(second, Constant):
        return Constant(fold(first.array, second.array).astype(first.array.dtype))
    value = first if isinstance(first, Value) else second
    assert isinstance(value, Value)
    if isinstance(first, Value) and isinstance(second, Value):
        value, tensors = _together(parse, first, second)
    else:
        names = [f"{node.id}_{index}" for index in range(2)]
        tensors = [
            parse.axes.aligned(item, value, name) if isinstance(item, Constant) else item.tensor
            for item, name in zip(operands, names, strict=True)
        ]
    layer = parse.network.add_elementwise(tensors[0], tensors[1], function)
    return replace(value, tensor=layer.outputs[0])


def _together(parse: _Parse, first: Value, second: Value) -> tuple[Value, list[Any]]:
    """Return two values in one order, and what is known of the result."""
    if first.permutation() != second.permutation():
        first, second = parse.axes.as_meant(first), parse.axes.as_meant(second)
    return max(first, second, key=lambda value: (value.rank, bool(value.logical))), [first.tensor, second.tensor]


@_parses("Unary")
def _unary(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    function, value = parse.field(node, "func"), operands[0]
    if isinstance(value, Constant):
        return Constant(_folded(function, value.array))
    if function == "square":
        layer: ILayer = parse.network.add_elementwise(value.tensor, value.tensor, ElementWiseOperation.PROD)
    elif function == "rsqrt":
        root = parse.network.add_unary(value.tensor, UnaryOperation.SQRT)
        root.name = f"{node.id}_sqrt"
        layer = parse.network.add_unary(root.outputs[0], UnaryOperation.RECIP)
    else:
        layer = parse.network.add_unary(value.tensor, UNARY[function][0])
    return replace(value, tensor=layer.outputs[0])


def _folded(function: str, array: np.ndarray) -> np.ndarray:
    if function == "square":
        return array * array
    return (1 / np.sqrt(array) if function == "rsqrt" else UNARY[function][1](array)).astype(array.dtype)


@_parses("Activation")
def _activation(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    value, function = parse.need_value(node, operands[0]), parse.field(node, "func")
    if function not in ACTIVATIONS:
        raise NetworkError(node.id, f"unknown activation {function!r}", f"Known: {', '.join(ACTIVATIONS)}.")
    layer = parse.network.add_activation(value.tensor, ACTIVATIONS[function])
    constants = {"relu6": (0.0, 6.0), "elu": (1.0, 0.0), "selu": (SELU_ALPHA, SELU_SCALE), "softplus": (1.0, 1.0)}
    layer.alpha, layer.beta = constants.get(function, (0.0, 0.0))
    return replace(value, tensor=layer.outputs[0])


@_parses("LeakyRelu")
def _leaky_relu(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    value = parse.need_value(node, operands[0])
    layer = parse.network.add_activation(value.tensor, ActivationType.LEAKY_RELU)
    layer.alpha = parse.field(node, "alpha", 0.0)
    return replace(value, tensor=layer.outputs[0])


@_parses("Softmax")
def _softmax(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    value = parse.need_value(node, operands[0])
    if value.rank > 2:
        value = parse.axes.channels_first(value, (parse.orders(node) or ["N+C"])[0])
    layer = parse.network.add_softmax(value.tensor)
    layer.axes = 1  # the channels
    return replace(value, tensor=layer.outputs[0])


@_parses("Reshape")
def _reshape(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    shape = tuple(int(size) for size in parse.need(node, operands[1], "shape").ravel())
    if isinstance(operands[0], Constant):
        return Constant(operands[0].array.reshape(shape))
    return parse.axes.reshaped(operands[0], shape, node.id)


@_parses("Flatten")
def _flatten(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    if isinstance(operands[0], Constant):
        return Constant(operands[0].array.reshape(len(operands[0].array), -1))
    return parse.axes.reshaped(operands[0], (-1, int(np.prod(operands[0].tensor.shape))), node.id)


@_parses("ExpandDims")
def _expand_dims(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    axis = parse.field(node, "axis")
    if isinstance(operands[0], Constant):
        return Constant(np.expand_dims(operands[0].array, axis))
    shape = list(parse.axes.shape(operands[0]))
    shape.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
    return parse.axes.reshaped(operands[0], tuple(shape), node.id)


@_parses("Squeeze")
def _squeeze(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    axes = parse.field(node, "axes") or []
    if isinstance(operands[0], Constant):
        return Constant(np.squeeze(operands[0].array, tuple(axes) or None))
    shape = parse.axes.shape(operands[0])
    dropped = {axis % len(shape) for axis in axes} or {place for place, size in enumerate(shape) if size == 1}
    kept = tuple(size for place, size in enumerate(shape) if place not in dropped)
    return parse.axes.reshaped(operands[0], kept, node.id)


@_parses("Transpose")
def _transpose(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    permutation, value = tuple(parse.field(node, "permutation")), operands[0]
    if isinstance(value, Constant):
        return Constant(value.array.transpose(permutation))
    if permutation[0] != 0:
        raise NetworkError(node.id, f"a transpose {list(permutation)} that moves the batch", "Keep the batch first.")
    rank = value.rank
    moves = {"N+C": (0, rank - 1, *range(1, rank - 1)), "NC+": (0, *range(2, rank), 1)}
    other = {"N+C": "NC+", "NC+": "N+C"}
    if value.logical and permutation == moves[value.logical]:
        return replace(value, logical=other[value.logical])
    meant = parse.axes.as_meant(value)
    return replace(parse.axes._transposed(meant, permutation), order="", logical="")


@_parses("Reduce")
def _reduce(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    function, fold = REDUCTIONS[parse.field(node, "func")]
    keep, axes = bool(parse.field(node, "keepdims", False)), tuple(parse.field(node, "axes"))
    value = operands[0]
    if isinstance(value, Constant):
        return Constant(fold(value.array, axis=axes, keepdims=keep))  # type: ignore[operator]
    axes = tuple(axis % value.rank for axis in axes)
    if 0 in axes:
        raise NetworkError(node.id, "a reduction over the batch", "Keep the batch.")
    permutation = value.permutation()
    mask = sum(1 << (permutation[axis] - 1) for axis in axes)
    layer = parse.network.add_reduce(value.tensor, function, mask, True)
    reduced = replace(value, tensor=layer.outputs[0])
    if keep:
        return reduced
    shape = parse.axes.shape(reduced)
    kept = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    return parse.axes.reshaped(reduced, kept, node.id)


@_parses("ArgMax", "ArgMin")
def _argmax(parse: _Parse, node: Any, operands: list[Operand]) -> Value:
    value = parse.need_value(node, operands[0])
    axis = parse.field(node, "axis", 0) % value.rank
    operation = TopKOperation.MAX if node.operation == "ArgMax" else TopKOperation.MIN
    layer = parse.network.add_topk(value.tensor, operation, 1, 1 << (value.permutation()[axis] - 1))
    layer.name = f"{node.id}_topk"
    places = replace(value, tensor=layer.outputs[1])
    shape = tuple(size for place, size in enumerate(parse.axes.shape(places)) if place != axis)
    return parse.axes.reshaped(places, shape, node.id)


@_parses("Concat")
def _concat(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    axis = parse.field(node, "axis", 0)
    if all(isinstance(operand, Constant) for operand in operands):
        return Constant(np.concatenate([operand.array for operand in operands], axis))  # type: ignore[union-attr]
    values = [parse.need_value(node, operand) for operand in operands]
    if len({value.permutation() for value in values}) > 1:
        values = [parse.axes.as_meant(value) for value in values]
    axis = axis % values[0].rank if axis < 0 else axis
    if axis == 0:
        raise NetworkError(node.id, "a Concat along the batch", "TensorRT joins along other axes only.")
    permutation = values[0].permutation()
    layer = parse.network.add_concatenation([value.tensor for value in values])
    layer.axis = (permutation[axis] if axis < len(permutation) else axis) - 1
    return replace(values[0], tensor=layer.outputs[0])


@_parses("Stack")
def _stack(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
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
    layer.axis = axis - 1
    return replace(parts[0], tensor=layer.outputs[0])


@_parses("Shape")
def _shape(parse: _Parse, node: Any, operands: list[Operand]) -> Constant:
    value = operands[0]
    shape = value.array.shape if isinstance(value, Constant) else parse.axes.shape(value)
    return Constant(np.array(shape, np.int32))


@_parses("StridedSlice")
def _strided_slice(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
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


def _slice_value(parse: _Parse, node: Any, value: Value, parts: list[Any]) -> Value:
    meant = parse.axes.as_meant(value)
    shape = parse.axes.shape(meant)
    parts += [slice(None)] * (len(shape) - len(parts))
    if parts[0] not in (slice(None), slice(None, None, 1)) and parts[0] != slice(0, None, 1):
        raise NetworkError(node.id, "a slice of the batch", "Keep the batch whole.")
    ranges = [
        range(part % size, part % size + 1) if isinstance(part, int) else range(*part.indices(size))
        for part, size in zip(parts[1:], shape[1:], strict=True)
    ]
    behind = len(meant.tensor.shape) - len(ranges)
    starts, sizes, steps = ([f(r) for r in ranges] for f in (lambda r: r.start, len, lambda r: r.step))
    layer = parse.network.add_slice(
        meant.tensor, [*starts, *[0] * behind], [*sizes, *[1] * behind], [*steps, *[1] * behind]
    )
    result = replace(meant, tensor=layer.outputs[0])
    if not any(isinstance(part, int) for part in parts):
        return result
    layer.name = f"{node.id}_slice"
    kept = [size for part, size in zip(parts[1:], sizes, strict=True) if not isinstance(part, int)]
    return parse.axes.reshaped(result, (-1, *kept), node.id)


@_parses("Pad")
def _pad(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    amounts = parse.need(node, operands[1], "paddings").reshape(-1, 2)
    value = operands[0]
    if isinstance(value, Constant):
        return Constant(np.pad(value.array, amounts.tolist()))
    if value.logical:
        value = parse.axes.channels_first(value, value.logical)
    permutation = value.permutation()
    last = len(value.tensor.shape) - 2
    placed = {permutation[axis] - 1: pair for axis, pair in enumerate(amounts.tolist()) if any(pair)}
    if any(place < last for place in placed):
        fault = f"paddings {amounts.tolist()} of a value of shape {parse.axes.shape(value)}"
        raise NetworkError(node.id, fault, "TensorRT pads the two spatial axes only.")
    before, after = ([placed.get(last + axis, [0, 0])[side] for axis in (0, 1)] for side in (0, 1))
    layer = parse.network.add_padding(value.tensor, before, after)
    return replace(value, tensor=layer.outputs[0])


@_parses("Gather", "GatherV2")
def _gather(parse: _Parse, node: Any, operands: list[Operand]) -> Operand:
    data, indices = operands
    axis = parse.field(node, "axis", 0)
    if isinstance(data, Constant) and isinstance(indices, Constant):
        return Constant(data.array.take(indices.array, axis))
    if isinstance(data, Constant):
        table = parse.axes.constant(Constant(data.array.astype(np.float32)), node.id)
        meant = parse.axes.as_meant(parse.need_value(node, indices))
        layer = parse.network.add_gather(table, meant.tensor, axis)
        rest = tuple(layer.outputs[0].shape)
        layer.name = f"{node.id}_gather"
        shape = (*parse.axes.shape(meant), *data.array.shape[1:])
        found = Value(layer.outputs[0], len(rest) + 1)
        return parse.axes.reshaped(found, shape, node.id)
    if axis == 0:
        raise NetworkError(node.id, "a look-up along the batch", "Keep the batch whole.")
    meant = parse.axes.as_meant(data)
    places = parse.axes.constant(Constant(parse.need(node, indices, "indices").astype(np.int32)), node.id)
    layer = parse.network.add_gather(meant.tensor, places, axis % meant.rank - 1)
    return Value(layer.outputs[0], meant.rank + len(places.shape) - 1)


def _custom(parse: _Parse, node: Any, operands: list[Operand]) -> list[Value]:
    """Make a plugin of a custom operation; its inputs keep the order that they have."""
    kind = node.operation[1:]
    creator = get_plugin_registry().get_plugin_creator(kind, "1", parse.namespace)
    if creator is None:
        known = sorted(item.name for item in get_plugin_registry().plugin_creator_list)
        remedy = f"Load the library that registers it first. Registered: {', '.join(known) or 'none'}."
        raise NetworkError(node.id, f"no plugin {kind!r} for a custom operation of {parse.source}", remedy)
    wanted = {field.name for field in creator.field_names}
    given = {SUFFIX.sub("", key): value_of(data) for key, data in sorted(node.fields.items())}
    fields = PluginFieldCollection(_plugin_field(key, value) for key, value in given.items() if key in wanted)
    plugin = creator.create_plugin(node.id, fields)
    tensors = [
        operand.tensor if isinstance(operand, Value) else parse.tensor(operand, f"{node.id}_{index}")
        for index, operand in enumerate(operands)
    ]
    layer = parse.network.add_plugin_v2(tensors, plugin)
    like = next((operand for operand in operands if isinstance(operand, Value)), None)
    return [_plugin_value(tensor, like) for tensor in layer.outputs]


def _plugin_value(tensor: Any, like: Value | None) -> Value:
    """A plugin's output means what its first input does where it has that shape."""
    if like is not None and tuple(like.tensor.shape) == tuple(tensor.shape):
        return replace(like, tensor=tensor)
    return Value(tensor, len(tensor.shape) + 1)


def _plugin_field(name: str, value: Any) -> PluginField:
    if isinstance(value, str):
        return PluginField(name, np.frombuffer(value.encode(), np.int8), PluginFieldType.CHAR)
    array = np.atleast_1d(np.asarray(value))
    if array.dtype.kind == "f":
        return PluginField(name, array.astype(np.float32), PluginFieldType.FLOAT32)
    return PluginField(name, array.astype(np.int32), PluginFieldType.INT32)
