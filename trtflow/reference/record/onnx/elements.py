"""Importers of functions of single elements, and of what normalises elements by others."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from trtflow.reference.record.enums import (
    ActivationType,
    ElementWiseOperation,
    ScaleMode,
    UnaryOperation,
)
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import UnsupportedForm, attribute, float_only, need, parses
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
}
UNARY = {
    **{name: UnaryOperation[name.upper()] for name in ("Exp", "Log", "Sqrt", "Abs", "Neg", "Ceil", "Floor", "Erf")},
    **{name: UnaryOperation[name.upper()] for name in ("Sin", "Cos", "Tan", "Sinh", "Cosh", "Sign", "Round")},
    **{name: UnaryOperation[name.upper()] for name in ("Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh")},
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
    kind = ActivationType[node.op_type.upper()]
    layer = parse.network.add_activation(float_only(operands[0]), kind)
    layer.alpha = attribute(node, "alpha", 1.6732632) if kind == ActivationType.SELU else 1.0
    layer.beta = attribute(node, "gamma", 1.0507010) if kind == ActivationType.SELU else 1.0
    return layer.outputs[0]


@parses("Clip")
def _clip(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    bounds = [attribute(node, "min"), attribute(node, "max")]
    for index, operand in enumerate(operands[1:3]):
        bounds[index] = None if operand is None else float(need(operand))
    limit = float(np.finfo(np.float32).max)
    layer = parse.network.add_activation(float_only(operands[0]), ActivationType.CLIP)
    layer.alpha = -limit if bounds[0] is None else bounds[0]
    layer.beta = limit if bounds[1] is None else bounds[1]
    return layer.outputs[0]


@parses(*BINARY)
def _binary(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if len(operands) != 2 or "axis" in {item.name for item in node.attribute}:
        raise UnsupportedForm
    for operand in operands:
        if isinstance(operand, ITensor):
            float_only(operand)
        elif operand.dtype != np.float32:
            raise UnsupportedForm
    rank = max(len(operand.shape) for operand in operands)
    first, second = (parse.ranked(operand, rank, f"{node.name}_{i}") for i, operand in enumerate(operands))
    return parse.network.add_elementwise(first, second, BINARY[node.op_type]).outputs[0]


@parses(*UNARY)
def _unary(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    return parse.network.add_unary(float_only(operands[0]), UNARY[node.op_type]).outputs[0]


@parses("BatchNormalization")
def _batch_norm(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if len(node.output) > 1 or len(operands[0].shape) != 4:
        raise UnsupportedForm
    gamma, beta, mean, variance = (need(operand).astype(np.float64) for operand in operands[1:])
    scale = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    shift = np.float32(beta - mean * scale)
    return parse.network.add_scale(operands[0], ScaleMode.CHANNEL, shift, np.float32(scale)).outputs[0]


@parses("LRN")
def _lrn(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    alpha, beta, bias = (attribute(node, key, value) for key, value in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    return parse.network.add_lrn(operands[0], attribute(node, "size"), alpha, beta, bias).outputs[0]


@parses("Softmax")
def _softmax(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    rank = len(operands[0].shape)
    axis = attribute(node, "axis", -1 if parse.opset >= 13 else 1) % rank
    if parse.opset < 13 and axis != rank - 1:  # over all axes from there on, then
        raise UnsupportedForm
    layer = parse.network.add_softmax(operands[0])
    layer.axes = 1 << axis
    return layer.outputs[0]
