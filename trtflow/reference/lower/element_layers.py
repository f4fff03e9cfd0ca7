"""Lowerings of the layers on single elements, and of those that normalise elements by others."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.reference.errors import BuildError, NetworkError
from trtflow.reference.lower.graph import Graph, lowers
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    UnaryOperation,
    WeightsRole,
)
from trtflow.reference.record.layer import FLOATS, one_axis
from trtflow.reference.record.values import volume

ACTIVATIONS = {
    ActivationType.RELU: "Relu",
    ActivationType.SIGMOID: "Sigmoid",
    ActivationType.TANH: "Tanh",
    ActivationType.SOFTSIGN: "Softsign",
}
BINARY = {
    ElementWiseOperation.SUM: "Add",
    ElementWiseOperation.PROD: "Mul",
    ElementWiseOperation.MAX: "Max",
    ElementWiseOperation.MIN: "Min",
    ElementWiseOperation.SUB: "Sub",
    ElementWiseOperation.DIV: "Div",
    ElementWiseOperation.POW: "Pow",
    ElementWiseOperation.AND: "And",
    ElementWiseOperation.OR: "Or",
    ElementWiseOperation.XOR: "Xor",
    ElementWiseOperation.EQUAL: "Equal",
    ElementWiseOperation.GREATER: "Greater",
    ElementWiseOperation.LESS: "Less",
}
UNARY = {
    UnaryOperation.EXP: "Exp",
    UnaryOperation.LOG: "Log",
    UnaryOperation.SQRT: "Sqrt",
    UnaryOperation.RECIP: "Reciprocal",
    UnaryOperation.ABS: "Abs",
    UnaryOperation.NEG: "Neg",
    UnaryOperation.SIN: "Sin",
    UnaryOperation.COS: "Cos",
    UnaryOperation.TAN: "Tan",
    UnaryOperation.SINH: "Sinh",
    UnaryOperation.COSH: "Cosh",
    UnaryOperation.ASIN: "Asin",
    UnaryOperation.ACOS: "Acos",
    UnaryOperation.ATAN: "Atan",
    UnaryOperation.ASINH: "Asinh",
    UnaryOperation.ACOSH: "Acosh",
    UnaryOperation.ATANH: "Atanh",
    UnaryOperation.CEIL: "Ceil",
    UnaryOperation.FLOOR: "Floor",
    UnaryOperation.ERF: "Erf",
    UnaryOperation.NOT: "Not",
    UnaryOperation.SIGN: "Sign",
    UnaryOperation.ROUND: "Round",
}


@lowers(L.IActivationLayer)
def activation(layer: L.IActivationLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """The activation of the same name."""
    kind = layer.activation_type
    if kind in ACTIVATIONS:
        return [graph.node(ACTIVATIONS[kind], inputs)]
    alpha, beta = float(layer.alpha), float(layer.beta)
    if kind in (ActivationType.LEAKY_RELU, ActivationType.ELU, ActivationType.THRESHOLDED_RELU):
        names = {ActivationType.LEAKY_RELU: "LeakyRelu", ActivationType.ELU: "Elu"}
        return [graph.node(names.get(kind, "ThresholdedRelu"), inputs, alpha=alpha)]
    if kind == ActivationType.SELU:  # beta * (alpha * (exp(x) - 1)) below 0
        return [graph.node("Selu", inputs, alpha=alpha, gamma=beta)]
    if kind == ActivationType.HARD_SIGMOID:
        return [graph.node("HardSigmoid", inputs, alpha=alpha, beta=beta)]
    if kind == ActivationType.CLIP:
        bounds = [graph.constant("low", np.float32(alpha)), graph.constant("high", np.float32(beta))]
        return [graph.node("Clip", [inputs[0], *bounds])]
    # alpha * tanh(beta * x), alpha * log(exp(beta * x) + 1)
    inner = graph.node("Mul", [inputs[0], graph.constant("beta", np.float32(beta))])
    value = graph.node("Tanh" if kind == ActivationType.SCALED_TANH else "Softplus", [inner])
    return [graph.node("Mul", [value, graph.constant("alpha", np.float32(alpha))])]


@lowers(L.IParametricReLULayer)
def parametric_relu(layer: L.IParametricReLULayer, graph: Graph, inputs: list[str]) -> list[str]:
    """PRelu."""
    return [graph.node("PRelu", inputs)]


@lowers(L.IScaleLayer)
def scale(layer: L.IScaleLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Mul, Add and Pow, as far as there are weights."""
    value, shape = inputs[0], layer.weights_shape()
    if layer.scale.size:
        value = graph.node("Mul", [value, graph.weights(WeightsRole.SCALE, layer.held("scale"), shape)])
    if layer.shift.size:
        value = graph.node("Add", [value, graph.weights(WeightsRole.SHIFT, layer.held("shift"), shape)])
    if layer.power.size:  # no role: TensorRT cannot refit it
        value = graph.node("Pow", [value, graph.constant("power", layer.power.reshape(shape))])
    return [value if value != inputs[0] else graph.node("Identity", inputs)]


@lowers(L.IElementWiseLayer)
def elementwise(layer: L.IElementWiseLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """The binary operator of the same meaning."""
    if layer.op != ElementWiseOperation.FLOOR_DIV:
        return [graph.node(BINARY[layer.op], inputs)]
    if layer.inputs[0].native_dtype in FLOATS:
        return [graph.node("Floor", [graph.node("Div", inputs)])]
    multiple = graph.node("Sub", [inputs[0], graph.node("Mod", inputs)])  # Div rounds integers towards 0
    return [graph.node("Div", [multiple, inputs[1]])]


@lowers(L.IUnaryLayer)
def unary(layer: L.IUnaryLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """The operator of the same name."""
    if layer.op in (UnaryOperation.SIGN, UnaryOperation.ROUND) and graph.batch_axes:
        raise NetworkError(layer.name, f"{layer.op.name} with an implicit batch", "Make the batch explicit.")
    if layer.op == UnaryOperation.ISINF:  # of float32 only in opset 17
        return [graph.node("IsInf", [graph.single(inputs[0])])]
    return [graph.node(UNARY[layer.op], inputs)]


@lowers(L.ISelectLayer)
def select(layer: L.ISelectLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Where; of BOOL and INT8, of which ONNX Runtime has no kernel, as UINT8 and INT32."""
    dtype = layer.output_dtype(0)
    carrier = {DataType.BOOL: DataType.UINT8, DataType.INT8: DataType.INT32}.get(dtype)
    if carrier is None:
        return [graph.node("Where", inputs)]
    chosen = graph.node("Where", [inputs[0], *(graph.convert(value, carrier) for value in inputs[1:])])
    return [graph.convert(chosen, dtype)]


@lowers(L.IIdentityLayer)
@lowers(L.ICastLayer)
def convert(layer: L.IIdentityLayer | L.ICastLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Cast, or Identity between types that the builder chooses."""
    source, target = layer.inputs[0].native_dtype, layer.output_dtype(0)
    if source == target or (source in FLOATS and target in FLOATS):
        return [graph.node("Identity", inputs)]
    if target == DataType.INT8 and source in FLOATS and isinstance(layer, L.ICastLayer):
        return [_steps_of_one(graph, graph.single(inputs[0]))]
    if DataType.INT8 in (source, target):
        fault = f"a conversion of {source.name} to {target.name}"
        raise NetworkError(layer.name, fault, "INT8 has a scale: use add_quantize or add_dequantize.")
    return [graph.convert(graph.single(inputs[0]) if source in FLOATS else inputs[0], target)]


def _steps_of_one(graph: Graph, value: str) -> str:
    """Return floats as INT8, as TensorRT 8.6 casts them: to the nearest, of two to the even one, and the last of each
    side for what is beyond."""
    step = [graph.constant("scale", 1, np.float32), graph.constant("zero", 0, np.int8)]
    return str(graph.node("QuantizeLinear", [value, *step]))


@lowers(L.IQuantizeLayer)
def quantize(layer: L.IQuantizeLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """QuantizeLinear to INT8, whose zero point is 0."""
    return [_quantisation(layer, graph, "QuantizeLinear", inputs[0])]


@lowers(L.IDequantizeLayer)
def dequantize(layer: L.IDequantizeLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """DequantizeLinear of INT8, whose zero point is 0."""
    return [_quantisation(layer, graph, "DequantizeLinear", inputs[0])]


def _quantisation(layer: L.IQuantizeLayer | L.IDequantizeLayer, graph: Graph, operator: str, value: str) -> str:
    scale, axis = layer.steps()
    attributes: dict[str, Any] = {} if axis is None else {"axis": axis + graph.batch_axes}
    step = [graph.constant("scale", scale, np.float32), graph.constant("zero", np.zeros(scale.shape), np.int8)]
    return str(graph.node(operator, [value, *step], **attributes))


@lowers(L.ILRNLayer)
def lrn(layer: L.ILRNLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """LRN; TensorRT and ONNX both divide alpha by the window."""
    return [graph.node("LRN", inputs, size=layer.window_size, alpha=layer.alpha, beta=layer.beta, bias=layer.k)]


@lowers(L.ISoftMaxLayer)
def softmax(layer: L.ISoftMaxLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Softmax."""
    return [graph.node("Softmax", inputs, axis=one_axis(layer, layer.axes) + graph.batch_axes)]


@lowers(L.INormalizationLayer)
def normalization(layer: L.INormalizationLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Moments by ReduceMean; groups are a dimension of their own for as long."""
    data, gain, offset = inputs
    axes = [axis + graph.batch_axes for axis in layer.moment_axes()]
    if layer.num_groups == 1:
        return [_affine(graph, _standardised(layer, graph, data, axes), gain, offset)]
    if volume(layer.inputs[1].shape) != layer.num_groups:  # measured on an H200, of one scale a channel
        remedy = "It takes one a group: multiply and add behind it, or have `trtflow migrate MODEL.onnx` write it so."
        raise BuildError(f"{layer.name}: scale dimensions not compatible for normalization. {remedy}")
    grouped = graph.node("Reshape", [data, graph.ints("groups", [0, layer.num_groups, -1])])
    value, whole = _standardised(layer, graph, grouped, [2]), graph.node("Shape", [data])
    shape = graph.ints("group", [1, layer.num_groups, 1])
    gain, offset = (graph.node("Reshape", [part, shape]) for part in (gain, offset))
    return [graph.node("Reshape", [_affine(graph, value, gain, offset), whole])]


def _standardised(layer: L.INormalizationLayer, graph: Graph, value: str, axes: list[int]) -> str:
    """Subtract the mean and divide by the deviation along axes."""
    centred = graph.node("Sub", [value, graph.node("ReduceMean", [value], axes=axes)])
    variance = graph.node("ReduceMean", [graph.node("Mul", [centred, centred])], axes=axes)
    epsilon = graph.constant("epsilon", np.float32(layer.epsilon))
    return str(graph.node("Div", [centred, graph.node("Sqrt", [graph.node("Add", [variance, epsilon])])]))


def _affine(graph: Graph, value: str, gain: str, offset: str) -> str:
    return str(graph.node("Add", [graph.node("Mul", [value, gain]), offset]))
