"""TensorRT's ONNX parser: from ONNX models to layers, one small function an operator.

Operators that TensorRT's parser maps to a layer of its own become that layer here too. All others that ONNX Runtime
runs become layers that carry their node (`IOnnxLayer`), in float32. As in TensorRT, what is wrong is collected, not
raised: `parse` returns False, and each error names its node.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from trtflow.formats import UserError
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    InterpolationMode,
    MatrixOperation,
    PoolingType,
    ReduceOperation,
    ResizeCoordinateTransformation,
    ResizeRoundMode,
    ScaleMode,
    UnaryOperation,
)
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx_layer import IOnnxLayer
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, ILogger, Logger, Weights

OPSET = 17  # of lowered networks
Operand = ITensor | np.ndarray
TYPES: dict[int, DataType] = {
    onnx.TensorProto.FLOAT: DataType.FLOAT,
    onnx.TensorProto.FLOAT16: DataType.HALF,
    onnx.TensorProto.DOUBLE: DataType.FLOAT,
    onnx.TensorProto.INT8: DataType.INT8,
    onnx.TensorProto.UINT8: DataType.UINT8,
    onnx.TensorProto.INT32: DataType.INT32,
    onnx.TensorProto.INT64: DataType.INT32,
    onnx.TensorProto.BOOL: DataType.BOOL,
}
ACTIVATIONS = {
    "Relu": (ActivationType.RELU, {}),
    "Sigmoid": (ActivationType.SIGMOID, {}),
    "Tanh": (ActivationType.TANH, {}),
    "Softsign": (ActivationType.SOFTSIGN, {}),
    "LeakyRelu": (ActivationType.LEAKY_RELU, {"alpha": 0.01}),
    "Elu": (ActivationType.ELU, {"alpha": 1.0}),
    "ThresholdedRelu": (ActivationType.THRESHOLDED_RELU, {"alpha": 1.0}),
    "HardSigmoid": (ActivationType.HARD_SIGMOID, {"alpha": 0.2, "beta": 0.5}),
}
BINARY = {
    "Add": ElementWiseOperation.SUM,
    "Sum": ElementWiseOperation.SUM,
    "Sub": ElementWiseOperation.SUB,
    "Mul": ElementWiseOperation.PROD,
    "Div": ElementWiseOperation.DIV,
    "Pow": ElementWiseOperation.POW,
    "Max": ElementWiseOperation.MAX,
    "Min": ElementWiseOperation.MIN,
}
UNARY = {
    **{name: UnaryOperation[name.upper()] for name in ("Exp", "Log", "Sqrt", "Abs", "Neg", "Ceil", "Floor", "Erf")},
    **{name: UnaryOperation[name.upper()] for name in ("Sin", "Cos", "Tan", "Sinh", "Cosh", "Sign", "Round")},
    **{name: UnaryOperation[name.upper()] for name in ("Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh")},
    "Reciprocal": UnaryOperation.RECIP,
}
REDUCTIONS = {
    "ReduceSum": ReduceOperation.SUM,
    "ReduceProd": ReduceOperation.PROD,
    "ReduceMax": ReduceOperation.MAX,
    "ReduceMin": ReduceOperation.MIN,
    "ReduceMean": ReduceOperation.AVG,
}
COORDINATES = {item.name.lower(): item for item in ResizeCoordinateTransformation}
ROUNDINGS = {
    "round_prefer_floor": ResizeRoundMode.HALF_DOWN,
    "round_prefer_ceil": ResizeRoundMode.HALF_UP,
    "floor": ResizeRoundMode.FLOOR,
    "ceil": ResizeRoundMode.CEIL,
}


class ErrorCode(IntEnum):
    """What kind of error the parser found."""

    SUCCESS = 0
    INTERNAL_ERROR = 1
    MEM_ALLOC_FAILED = 2
    MODEL_DESERIALIZE_FAILED = 3
    INVALID_VALUE = 4
    INVALID_GRAPH = 5
    INVALID_NODE = 6
    UNSUPPORTED_GRAPH = 7
    UNSUPPORTED_NODE = 8


class ParserError:
    """One error, with the accessors of TensorRT's."""

    def __init__(self, code: ErrorCode, description: str, node: int = -1, file: str = "") -> None:
        self._code, self._description, self._node, self._file = code, description, node, file

    def code(self) -> ErrorCode:
        """Return the kind."""
        return self._code

    def desc(self) -> str:
        """Return what is wrong; it names the node and its operator."""
        return self._description

    def node(self) -> int:
        """Return the node's place in the graph, or -1."""
        return self._node

    def file(self) -> str:
        """Return the model's path, where it came from a file."""
        return self._file

    def line(self) -> int:
        """Return 0: a model has no lines."""
        return 0

    def func(self) -> str:
        """Return the parser's name."""
        return "OnnxParser"

    def __str__(self) -> str:
        return f"{self._code.name}: {self._description}"


class UnsupportedForm(Exception):  # noqa: N818 - no error: another way is tried
    """A node that its operator's own layer cannot express, but the node itself can."""


class OnnxParser(Scope):
    """Reads ONNX models into a network with an explicit batch.

    Args:
        network: the network to add to.
        logger: takes each error too.
    """

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self.network, self.logger = network, logger
        self._errors: list[ParserError] = []

    num_errors = property(lambda self: len(self._errors), doc="Number of errors since they were last cleared.")

    def get_error(self, index: int) -> ParserError:
        """Return an error."""
        return self._errors[index]

    def clear_errors(self) -> None:
        """Forget all errors."""
        self._errors.clear()

    def supports_operator(self, op_name: str) -> bool:
        """Whether the parser takes an operator of ONNX's own domain."""
        return op_name in _OPERATORS or onnx.defs.has(op_name, OPSET, "")

    def parse_from_file(self, model: str) -> bool:
        """Parse a model's file; weights in files beside it are found. False where something is wrong."""
        try:
            return self._parse(onnx.load(model), str(model))
        except (DecodeError, onnx.checker.ValidationError) as error:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"{model}: no ONNX model, or a damaged one ({error})")
        except FileNotFoundError as error:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"{error.filename}: no such file")

    def parse(self, model: bytes, path: str | None = None) -> bool:
        """Parse a model's bytes.

        Args:
            model: the model.
            path: its path, beside which weights in other files lie.
        """
        try:
            loaded = onnx.load_from_string(bytes(model))
            if path is not None:
                onnx.load_external_data_for_model(loaded, str(Path(path).parent))
        except (DecodeError, onnx.checker.ValidationError) as error:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"no ONNX model, or a damaged one ({error})")
        return self._parse(loaded, path or "")

    def _parse(self, model: onnx.ModelProto, path: str) -> bool:
        if self.network.has_implicit_batch_dimension:
            fault = "the network has an implicit batch. Create it with the flag EXPLICIT_BATCH."
            return self._fail(ErrorCode.INVALID_VALUE, fault)
        if not model.graph.node:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"{path or 'the model'}: no ONNX graph in it")
        before = len(self._errors)
        try:
            converted = _at_opset(model)
            _Parse(converted, self.network, self._fail).run()
        except UserError as error:
            self._fail(ErrorCode.INVALID_GRAPH, str(error))
        for found in self._errors[before:]:
            found._file = path
        return len(self._errors) == before

    def _fail(self, code: ErrorCode, description: str, node: int = -1) -> bool:
        self._errors.append(ParserError(code, description, node))
        self.logger.log(Logger.ERROR, description)
        return False


def _at_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose nodes mean in opset 17 what they say; it is converted only where one does not."""
    version = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), OPSET)

    def changed(node: onnx.NodeProto) -> bool:
        if node.domain not in ("", "ai.onnx") or node.op_type in _OPERATORS:
            return False
        schemas = [_schema(node, limit) for limit in (version, OPSET)]
        return (
            None not in schemas and schemas[0].since_version != schemas[1].since_version
        )  # unknown ones are told later

    if version == OPSET or not any(changed(node) for node in model.graph.node):
        return model
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter raises whatever it meets
        raise UserError(
            f"the model's opset {version} cannot be brought to {OPSET} ({error}). Export it again."
        ) from error


class _Parse:
    """One parse: the model, the network, and the values so far."""

    def __init__(
        self, model: onnx.ModelProto, network: INetworkDefinition, fail: Callable[[ErrorCode, str, int], bool]
    ) -> None:
        self.model, self.graph, self.network, self.fail = model, model.graph, network, fail
        self.opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), OPSET)
        self.values: dict[str, Operand] = {}
        self.infos: dict[str, onnx.ValueInfoProto] = {}

    def run(self) -> None:
        """Add everything; what is wrong with a node is told, and those that depend on it are passed over."""
        for initializer in self.graph.initializer:
            self.values[initializer.name] = numpy_helper.to_array(initializer)
        self.infer_shapes()
        for value in self.graph.input:
            if value.name not in self.values:
                self.values[value.name] = self.network.add_input(value.name, *_type_and_shape(value))
        for index, node in enumerate(self.graph.node):
            try:
                self.add(node)
            except (UserError, UnsupportedForm) as error:
                self.fail(ErrorCode.UNSUPPORTED_NODE, f"node {index}, {node.name!r} ({node.op_type}): {error}", index)
        for value in self.graph.output:
            self.mark(value.name)

    def infer_shapes(self) -> None:
        """Note types and shapes of all values, as far as ONNX can tell them."""
        try:
            inferred = onnx.shape_inference.infer_shapes(self.model, data_prop=True).graph
        except onnx.shape_inference.InferenceError as error:
            if all(_schema(node, self.opset) for node in self.graph.node):
                raise UserError(f"the model contradicts itself: {error}") from error
            return  # an unknown operator, which is told with its node
        for value in (*inferred.input, *inferred.value_info, *inferred.output):
            self.infos[value.name] = value

    def mark(self, name: str) -> None:
        value = self.values.get(name)
        if value is None:
            if not any(name in node.output for node in self.graph.node):
                self.fail(ErrorCode.INVALID_GRAPH, f"no node gives the output {name!r}", -1)
            return
        tensor = self.tensor(value, name)
        if tensor.is_network_input or tensor.is_network_output:
            tensor = self.network.add_identity(tensor).outputs[0]
        tensor.name = name
        self.network.mark_output(tensor)

    def add(self, node: onnx.NodeProto) -> None:
        """Add a node: fold it, make TensorRT's own layer of it, or keep it as it is."""
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            known = any(missing[0] in other.output for other in self.graph.node)
            raise UserError(
                f"its input {missing[0]!r} could not be parsed" if known else f"nothing gives its input {missing[0]!r}"
            )
        operands = [self.values[name] if name else None for name in node.input]
        if all(operand is None or isinstance(operand, np.ndarray) for operand in operands) and not _has_graph(node):
            self.fold(node)
            return
        first = self.network.num_layers
        function = _OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        try:
            if function is None:
                raise UnsupportedForm
            result = function(self, node, operands)
        except (UnsupportedForm, NetworkError):
            del self.network._layers[first:]
            result = self.keep(node, operands)
        results = result if isinstance(result, list) else [result]
        self.name(node, first, results)

    def name(self, node: onnx.NodeProto, first: int, results: list[Any]) -> None:
        """Name the layer that gives a node's value by the node, others after it, and tensors by ONNX's values."""
        title = node.name or f"{node.op_type}_{node.output[0]}"
        added = list(self.network)[first:]
        for index, layer in enumerate(added):
            layer.name = f"{title}_{index}"
        for name, value in zip(node.output, results, strict=False):
            if not name:
                continue
            self.values[name] = value
            if isinstance(value, ITensor) and value.producer in added:
                value.name = name
                assert value.producer is not None
                value.producer.name = title

    def fold(self, node: onnx.NodeProto) -> None:
        """Compute a node of constants."""
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            self.values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            return
        opsets = list(self.model.opset_import)
        if node.op_type == "DequantizeLinear":  # the evaluator has none of before, and what they compute is the same
            opsets = [onnx.helper.make_opsetid("", max([19, *(item.version for item in opsets)]))]
        model = onnx.helper.make_model(
            onnx.helper.make_graph(
                [node],
                "folded",
                [onnx.helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(node.input) if name],
                [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name],
            ),
            opset_imports=opsets,
        )
        try:
            feeds = {name: self.values[name] for name in node.input if name}
            results = ReferenceEvaluator(model).run(None, feeds)
        except Exception as error:  # whatever an operator meets
            raise UserError(f"it cannot be computed ({error})") from error
        for name, value in zip([name for name in node.output if name], results, strict=True):
            self.values[name] = np.asarray(value)

    def keep(self, node: onnx.NodeProto, operands: list[Operand | None]) -> list[ITensor | None]:
        """Add a node as it is."""
        if not onnx.defs.has(node.op_type, OPSET, node.domain):
            place = f" of domain {node.domain!r}" if node.domain else ""
            raise UserError(f"no such operator{place} in opset {OPSET}, and no plugin for it")
        if _reads_outside(node):
            raise UserError("it holds a graph of its own that reads values around it. Unroll it first")
        outputs = [self.infos.get(name) for name in node.output if name]
        if any(info is None or not info.type.tensor_type.elem_type for info in outputs):
            raise UserError("ONNX cannot tell the type of its output. Simplify the model first.")
        told = [_type_and_shape(info) for info in outputs if info is not None]
        tensors = [self.tensor(item, f"{node.name}_{index}") for index, item in enumerate(operands) if item is not None]
        given = [
            onnx.helper.np_dtype_to_tensor_dtype(item.dtype)
            if isinstance(item, np.ndarray)
            else self.elem_type(name, item)
            for name, item in zip(node.input, operands, strict=True)
            if item is not None
        ]
        results = [info.type.tensor_type.elem_type for info in outputs if info is not None]
        if node.op_type in REDUCTIONS and node.op_type != "ReduceSum" and len(node.input) > 1:
            raise UserError(f"its axes depend on an input, which opset {OPSET} does not know. Make them constant")
        layer = IOnnxLayer(
            self.network,
            tensors,
            node,
            (given, results),
            [tuple(shape) for _, shape in told],
            [dtype for dtype, _ in told],
        )
        made = iter(self.network._add(layer).outputs)
        return [next(made) if name else None for name in node.output]

    def elem_type(self, name: str, tensor: ITensor) -> int:
        """Return ONNX's type of a value."""
        info = self.infos.get(name)
        if info is not None and info.type.tensor_type.elem_type:
            return int(info.type.tensor_type.elem_type)
        return next(key for key, value in TYPES.items() if value == tensor.dtype)

    def tensor(self, value: Operand | None, name: str) -> ITensor:
        """Return a value as a tensor; of a constant it is a layer's."""
        if isinstance(value, ITensor):
            return value
        assert value is not None
        array = _narrowed(value)
        layer = self.network.add_constant(array.shape, Weights(array))
        layer.name = f"{name}_constant"
        layer.outputs[0].name = f"{name}_constant_{self.network.num_layers}"
        return layer.outputs[0]

    def ranked(self, value: Operand, rank: int, name: str) -> ITensor:
        """Return a value with 1s in front up to a rank, as ONNX stretches."""
        if isinstance(value, np.ndarray):
            return self.tensor(value.reshape((1,) * (rank - value.ndim) + value.shape), name)
        if len(value.shape) == rank:
            return value
        if -1 in value.shape:
            raise UnsupportedForm
        layer = self.network.add_shuffle(value)
        layer.reshape_dims = (1,) * (rank - len(value.shape)) + tuple(value.shape)
        return layer.outputs[0]


def _narrowed(array: np.ndarray) -> np.ndarray:
    """Return a constant in a type that TensorRT has."""
    wide = {"i8": np.int32, "u8": np.int32, "f8": np.float32, "i2": np.int32, "u2": np.int32, "u4": np.int32}
    kind = array.dtype.str[1:]
    if kind in ("i8", "u8", "u4"):
        limits = np.iinfo(np.int32)
        array = array.clip(limits.min, limits.max)
    return array.astype(wide[kind]) if kind in wide else array


def _type_and_shape(value: onnx.ValueInfoProto) -> tuple[DataType, Dims]:
    tensor = value.type.tensor_type
    if tensor.elem_type not in TYPES:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type)
        raise UserError(f"{value.name!r} is of type {kind}, which TensorRT does not have")
    return TYPES[tensor.elem_type], Dims(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)


def _schema(node: onnx.NodeProto, opset: int) -> Any:
    """Return an operator's schema, or None."""
    try:
        return onnx.defs.get_schema(node.op_type, opset, "" if node.domain == "ai.onnx" else node.domain)
    except onnx.defs.SchemaError:
        return None


def _has_graph(node: onnx.NodeProto) -> bool:
    return any(item.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for item in node.attribute)


def _reads_outside(node: onnx.NodeProto) -> bool:
    graphs: list[Any] = [item.g for item in node.attribute if item.type == onnx.AttributeProto.GRAPH]
    for graph in graphs:
        inside = {value.name for value in (*graph.input, *graph.initializer)}
        inside |= {name for item in graph.node for name in item.output}
        if any(name and name not in inside for item in graph.node for name in item.input):
            return True
    return False


def _attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    found = next((item for item in node.attribute if item.name == name), None)
    return default if found is None else onnx.helper.get_attribute_value(found)


Function = Callable[[_Parse, onnx.NodeProto, list[Any]], Any]
_OPERATORS: dict[str, Function] = {}


def _parses(*operators: str) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        _OPERATORS.update(dict.fromkeys(operators, function))
        return function

    return register


def _need(value: Any, *, tensor: bool = False) -> Any:
    """Return an operand that must be a constant (or a tensor); else the node is kept as it is."""
    if isinstance(value, ITensor) != tensor:
        raise UnsupportedForm
    return value


def _window(node: onnx.NodeProto, layer: Any, data: ITensor) -> None:
    """Set stride, padding and dilation of a window over two axes."""
    layer.stride = tuple(_attribute(node, "strides", [1, 1]))
    layer.dilation = tuple(_attribute(node, "dilations", [1, 1]))
    mode = _attribute(node, "auto_pad", b"NOTSET").decode()
    pads = _attribute(node, "pads", [0, 0, 0, 0])
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        if -1 in data.shape[-2:]:
            raise UnsupportedForm
        pads = _same(layer, data.shape[-2:], mode)
    layer.pre_padding, layer.post_padding = tuple(pads[:2]), tuple(pads[2:])


def _same(layer: Any, sizes: tuple[int, ...], mode: str) -> list[int]:
    less, more = [], []
    for axis, size in enumerate(sizes):
        reach = layer.dilation[axis] * (layer.window[axis] - 1) + 1
        total = max((-(-size // layer.stride[axis]) - 1) * layer.stride[axis] + reach - size, 0)
        less.append(total // 2)
        more.append(total - total // 2)
    return [*less, *more] if mode == "SAME_UPPER" else [*more, *less]


@_parses("Conv")
def _conv(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    data, kernel = _need(operands[0], tensor=True), _need(operands[1])
    bias = _need(operands[2]) if len(operands) > 2 and operands[2] is not None else None
    if kernel.ndim != 4:
        raise UnsupportedForm
    layer = parse.network.add_convolution(data, kernel.shape[0], kernel.shape[2:], kernel, bias)
    layer.num_groups = _attribute(node, "group", 1)
    _window(node, layer, data)
    return layer.outputs[0]


@_parses("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
def _pool(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    data = _need(operands[0], tensor=True)
    everything = node.op_type.startswith("Global")
    if len(data.shape) != 4 or len(node.output) > 1 or (everything and -1 in data.shape[2:]):
        raise UnsupportedForm
    if _attribute(node, "ceil_mode", 0) or set(_attribute(node, "dilations", [1])) != {1}:
        raise UnsupportedForm
    kind = PoolingType.MAX if "Max" in node.op_type else PoolingType.AVERAGE
    layer = parse.network.add_pooling(data, kind, data.shape[2:] if everything else _attribute(node, "kernel_shape"))
    if not everything:
        _window(node, layer, data)
    layer.average_count_excludes_padding = not _attribute(node, "count_include_pad", 0)
    return layer.outputs[0]


@_parses("MatMul")
def _matmul(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    ranks = [len(operand.shape) for operand in operands]
    if min(ranks) < 2:
        raise UnsupportedForm
    first, second = (parse.ranked(operand, max(ranks), f"{node.name}_{i}") for i, operand in enumerate(operands))
    none = MatrixOperation.NONE
    return parse.network.add_matrix_multiply(first, none, second, none).outputs[0]


@_parses("Gemm")
def _gemm(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if _attribute(node, "alpha", 1.0) != 1 or _attribute(node, "beta", 1.0) != 1:
        raise UnsupportedForm
    operations = [
        MatrixOperation.TRANSPOSE if _attribute(node, key, 0) else MatrixOperation.NONE for key in ("transA", "transB")
    ]
    first, second = (parse.tensor(operand, f"{node.name}_{i}") for i, operand in enumerate(operands[:2]))
    product = parse.network.add_matrix_multiply(first, operations[0], second, operations[1])
    if len(operands) < 3 or operands[2] is None:
        return product.outputs[0]
    bias = parse.ranked(operands[2], 2, f"{node.name}_bias")
    return parse.network.add_elementwise(product.outputs[0], bias, ElementWiseOperation.SUM).outputs[0]


@_parses("Resize")
def _resize(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if parse.opset < 11:  # it was Upsample under another name
        return _upsample(parse, node, operands)
    mode = _attribute(node, "mode", b"nearest").decode()
    coordinates = _attribute(node, "coordinate_transformation_mode", b"half_pixel").decode()
    rounding = _attribute(node, "nearest_mode", b"round_prefer_floor").decode()
    by_scales = len(operands) == 3 and operands[2] is not None
    others = {"axes", "antialias", "keep_aspect_ratio_policy"} & {item.name for item in node.attribute}
    if mode not in ("nearest", "linear") or coordinates not in COORDINATES or not by_scales or others:
        raise UnsupportedForm
    layer = parse.network.add_resize(_float(_need(operands[0], tensor=True)))
    layer.scales = _need(operands[2]).tolist()
    layer.resize_mode, layer.coordinate_transformation = InterpolationMode[mode.upper()], COORDINATES[coordinates]
    layer.nearest_rounding = ROUNDINGS[rounding]
    return layer.outputs[0]


@_parses("Upsample")
def _upsample(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    scales = _attribute(node, "scales") if len(operands) < 2 else operands[1]
    if scales is None or isinstance(scales, ITensor):
        raise UserError("its scales depend on an input. Make them constant")
    layer = parse.network.add_resize(operands[0])  # nearest, asymmetric and rounded down, which is what it means
    layer.scales = [float(scale) for scale in scales]
    if _attribute(node, "mode", b"nearest") != b"nearest":
        layer.resize_mode = InterpolationMode.LINEAR
    return layer.outputs[0]


@_parses(*ACTIVATIONS)
def _activation(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    kind, defaults = ACTIVATIONS[node.op_type]
    layer = parse.network.add_activation(_float(operands[0]), kind)
    for key, default in defaults.items():
        setattr(layer, key, _attribute(node, key, default))
    return layer.outputs[0]


def _float(tensor: ITensor) -> ITensor:
    if tensor.dtype != DataType.FLOAT:
        raise UnsupportedForm
    return tensor


@_parses("Selu", "Softplus")
def _scaled_activation(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    kind = ActivationType[node.op_type.upper()]
    layer = parse.network.add_activation(_float(operands[0]), kind)
    layer.alpha = _attribute(node, "alpha", 1.6732632) if kind == ActivationType.SELU else 1.0
    layer.beta = _attribute(node, "gamma", 1.0507010) if kind == ActivationType.SELU else 1.0
    return layer.outputs[0]


@_parses("Clip")
def _clip(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    bounds = [_attribute(node, "min"), _attribute(node, "max")]
    for index, operand in enumerate(operands[1:3]):
        bounds[index] = None if operand is None else float(_need(operand))
    limit = float(np.finfo(np.float32).max)
    layer = parse.network.add_activation(_float(operands[0]), ActivationType.CLIP)
    layer.alpha = -limit if bounds[0] is None else bounds[0]
    layer.beta = limit if bounds[1] is None else bounds[1]
    return layer.outputs[0]


@_parses(*BINARY)
def _binary(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if len(operands) != 2 or "axis" in {item.name for item in node.attribute}:
        raise UnsupportedForm
    for operand in operands:
        if isinstance(operand, ITensor):
            _float(operand)
        elif operand.dtype != np.float32:
            raise UnsupportedForm
    rank = max(len(operand.shape) for operand in operands)
    first, second = (parse.ranked(operand, rank, f"{node.name}_{i}") for i, operand in enumerate(operands))
    return parse.network.add_elementwise(first, second, BINARY[node.op_type]).outputs[0]


@_parses(*UNARY)
def _unary(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    return parse.network.add_unary(_float(operands[0]), UNARY[node.op_type]).outputs[0]


@_parses("BatchNormalization")
def _batch_norm(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if len(node.output) > 1 or len(operands[0].shape) != 4:
        raise UnsupportedForm
    gamma, beta, mean, variance = (_need(operand).astype(np.float64) for operand in operands[1:])
    scale = gamma / np.sqrt(variance + _attribute(node, "epsilon", 1e-5))
    shift = np.float32(beta - mean * scale)
    return parse.network.add_scale(operands[0], ScaleMode.CHANNEL, shift, np.float32(scale)).outputs[0]


@_parses("LRN")
def _lrn(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    alpha, beta, bias = (
        _attribute(node, key, value) for key, value in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    return parse.network.add_lrn(operands[0], _attribute(node, "size"), alpha, beta, bias).outputs[0]


@_parses("Softmax")
def _softmax(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    rank = len(operands[0].shape)
    axis = _attribute(node, "axis", -1 if parse.opset >= 13 else 1) % rank
    if parse.opset < 13 and axis != rank - 1:  # over all axes from there on, then
        raise UnsupportedForm
    layer = parse.network.add_softmax(operands[0])
    layer.axes = 1 << axis
    return layer.outputs[0]


@_parses("Concat")
def _concat(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    tensors = [parse.tensor(operand, f"{node.name}_{index}") for index, operand in enumerate(operands)]
    if len({tensor.dtype for tensor in tensors}) > 1:
        raise UnsupportedForm
    layer = parse.network.add_concatenation(tensors)
    layer.axis = _attribute(node, "axis", 1) % len(tensors[0].shape)
    return layer.outputs[0]


@_parses("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    data = operands[0]
    if not isinstance(data, ITensor) or (-1 in data.shape and node.op_type != "Reshape"):
        raise UnsupportedForm
    if _attribute(node, "allowzero", 0):
        raise UnsupportedForm
    layer = parse.network.add_shuffle(data)
    layer.reshape_dims = _new_shape(node, operands, tuple(data.shape))
    return layer.outputs[0]


def _new_shape(node: onnx.NodeProto, operands: list[Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    if node.op_type == "Reshape":
        given = _attribute(node, "shape") if len(operands) < 2 else _need(operands[1]).tolist()
        return tuple(given)
    if node.op_type == "Flatten":
        axis = _attribute(node, "axis", 1)
        axis = axis + len(shape) if axis < 0 else axis
        return (int(np.prod(shape[:axis], dtype=int)), int(np.prod(shape[axis:], dtype=int)))
    axes = _attribute(node, "axes") if len(operands) < 2 or operands[1] is None else _need(operands[1]).tolist()
    if node.op_type == "Squeeze":
        dropped = {axis % len(shape) for axis in axes} if axes else {i for i, size in enumerate(shape) if size == 1}
        return tuple(size for index, size in enumerate(shape) if index not in dropped)
    rank = len(shape) + len(axes)
    sizes = iter(shape)
    placed = {axis % rank for axis in axes}
    return tuple(1 if index in placed else next(sizes) for index in range(rank))


@_parses("Transpose")
def _transpose(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    layer = parse.network.add_shuffle(operands[0])
    layer.first_transpose = tuple(_attribute(node, "perm", range(len(operands[0].shape))[::-1]))
    return layer.outputs[0]


@_parses(*REDUCTIONS)
def _reduce(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    rank = len(operands[0].shape)
    axes = _attribute(node, "axes") if len(operands) < 2 or operands[1] is None else _need(operands[1]).tolist()
    if not axes and _attribute(node, "noop_with_empty_axes", 0):
        raise UnsupportedForm
    mask = sum(1 << axis % rank for axis in axes or range(rank))
    keep = bool(_attribute(node, "keepdims", 1))
    return parse.network.add_reduce(_float(operands[0]), REDUCTIONS[node.op_type], mask, keep).outputs[0]


@_parses("Identity", "Dropout")
def _identity(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> Any:
    if len(node.output) > 1 and node.output[1]:
        raise UnsupportedForm
    return operands[0]


@_parses("Gather")
def _gather(parse: _Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    data, places = operands
    if isinstance(places, np.ndarray) and (places < 0).any():
        raise UnsupportedForm
    tensors = [parse.tensor(item, f"{node.name}_{index}") for index, item in enumerate((data, places))]
    axis = _attribute(node, "axis", 0) % len(tensors[0].shape)
    return parse.network.add_gather(tensors[0], tensors[1], axis).outputs[0]
