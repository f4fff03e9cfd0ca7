"""Importers of functions of single elements, and of what normalises elements by others."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    ScaleMode,
    UnaryOperation,
)
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import UnsupportedForm, attribute, float_only, need, parses
from trtflow.reference.record.onnx.types import TYPES
from trtflow.reference.record.tensor import ITensor

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
    "Equal": ElementWiseOperation.EQUAL,
    "Greater": ElementWiseOperation.GREATER,
    "Less": ElementWiseOperation.LESS,
    "And": ElementWiseOperation.AND,
    "Or": ElementWiseOperation.OR,
    "Xor": ElementWiseOperation.XOR,
}
_UNARY = UnaryOperation.__members__
UNARY = {
    **{name: _UNARY[name.upper()] for name in ("Exp", "Log", "Sqrt", "Abs", "Neg", "Ceil", "Floor", "Erf")},
    **{name: _UNARY[name.upper()] for name in ("Sin", "Cos", "Tan", "Sinh", "Cosh", "Sign", "Round")},
    **{name: _UNARY[name.upper()] for name in ("Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh")},
    "Reciprocal": UnaryOperation.RECIP,
}


@parses(*ACTIVATIONS)
def _activation(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    kind, defaults = ACTIVATIONS[node.op_type]
    layer = parse.network.add_activation(float_only(operands[0]), kind)
    for key, default in defaults.items():
        setattr(layer, key, attribute(node, key, default))
    return layer.outputs[0]


@parses("Selu", "Softplus")
def _scaled_activation(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    kind = ActivationType.__members__[node.op_type.upper()]
    layer = parse.network.add_activation(float_only(operands[0]), kind)
    layer.alpha = attribute(node, "alpha", 1.6732) if kind == ActivationType.SELU else 1.0
    layer.beta = attribute(node, "gamma", 1.0507) if kind == ActivationType.SELU else 1.0
    return layer.outputs[0]


@parses("Clip")
def _clip(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    bounds = [attribute(node, "min"), attribute(node, "max")]
    for index, operand in enumerate(operands[1:3]):
        bounds[index] = None if operand is None else need(operand).item()
    limit = float(np.finfo(np.float32).max)
    layer = parse.network.add_activation(float_only(operands[0]), ActivationType.CLIP)
    layer.alpha = -limit if bounds[0] is None else bounds[0]
    layer.beta = limit if bounds[1] is None else bounds[1]
    return layer.outputs[0]


@parses(*BINARY)
def _binary(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if len(operands) < 2:
        raise UnsupportedForm
    rank = max(len(operand.shape) for operand in operands)
    together, *others = (parse.ranked(operand, rank, f"{node.name}_{i}") for i, operand in enumerate(operands))
    for other in others:
        together = parse.network.add_elementwise(together, other, BINARY[node.op_type]).outputs[0]
    return together


@parses(*UNARY)
def _unary(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    return parse.network.add_unary(float_only(operands[0]), UNARY[node.op_type]).outputs[0]


@parses("BatchNormalization")
def _batch_norm(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if len(operands[0].shape) not in (4, 5):
        raise UnsupportedForm
    gamma, beta, mean, variance = (need(operand).astype(np.float64) for operand in operands[1:])
    scale = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    shift = np.float32(beta - mean * scale)
    return parse.network.add_scale_nd(operands[0], ScaleMode.CHANNEL, shift, np.float32(scale), channel_axis=1).outputs[
        0
    ]


@parses("LRN")
def _lrn(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    alpha, beta, bias = (attribute(node, key, value) for key, value in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    return parse.network.add_lrn(operands[0], attribute(node, "size"), alpha, beta, bias).outputs[0]


@parses("Softmax")
def _softmax(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    layer = parse.network.add_softmax(float_only(operands[0]))
    layer.axes = 1 << attribute(node, "axis", -1) % len(operands[0].shape)
    return layer.outputs[0]


@parses("Cast")
def _cast(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    target, data = TYPES[attribute(node, "to")], need(operands[0], tensor=True)
    if DataType.INT8 in (target, data.native_dtype):
        raise UnsupportedForm
    return parse.network.add_cast(data, target).outputs[0]


@parses("Dropout")
def _dropout(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> Any:
    """Give the input, and a mask of ones; before opset 12, as TensorRT does, one of noughts."""
    if len(node.output) < 2 or not node.output[1]:
        return operands[0]
    op = ElementWiseOperation.EQUAL if parse.opset >= 12 else ElementWiseOperation.GREATER
    return [operands[0], parse.network.add_elementwise(operands[0], operands[0], op).outputs[0]]


@parses("ScaledTanh", "ParametricSoftplus")
def _old_activation(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    kind = ActivationType.SCALED_TANH if node.op_type == "ScaledTanh" else ActivationType.SOFTPLUS
    layer = parse.network.add_activation(float_only(operands[0]), kind)
    layer.alpha, layer.beta = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    return layer.outputs[0]


@parses("ImageScaler")
def _image_scaler(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    bias = np.float32(attribute(node, "bias"))
    scale = np.full(bias.shape, attribute(node, "scale", 1.0), np.float32)
    return parse.network.add_scale(float_only(operands[0]), ScaleMode.CHANNEL, bias, scale).outputs[0]


@parses("GroupNormalization")
def _group_norm(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    """Normalise groups; scale and bias are one a group until opset 20, one a channel since."""
    data, groups = float_only(operands[0]), attribute(node, "num_groups")
    if not groups:
        raise UnsupportedForm("without num_groups")
    gain, offset = (
        _along_channels(parse, operand, len(data.shape), f"{node.name}_{index}")
        for index, operand in enumerate(operands[1:])
    )
    first = 2 if groups > 1 else 1  # a layer without groups normalises along the axes that it is told
    axes = sum(1 << axis for axis in range(first, len(data.shape)))
    layer = parse.network.add_normalization(data, gain, offset, axes)
    layer.num_groups, layer.epsilon = groups, attribute(node, "epsilon", 1e-5)
    return layer.outputs[0]


def _along_channels(parse: Parse, operand: Any, rank: int, name: str) -> ITensor:
    """Return a row, weights or fed, as a tensor [1, C, 1, …]."""
    shape = (1, -1, *[1] * (rank - 2))
    if not isinstance(operand, ITensor):
        return parse.tensor(need(operand).reshape(shape), name)
    layer = parse.network.add_shuffle(operand)
    layer.reshape_dims = shape
    return layer.outputs[0]
