"""One function a layer type: from TensorRT's semantics to ONNX nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import Graph, lowers
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import (
    ActivationType,
    ElementWiseOperation,
    PaddingMode,
    PoolingType,
    ScaleMode,
    WeightsRole,
)

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
}


def _pads(layer: L._Window) -> list[int]:
    """Return ONNX's begin and end padding such that ONNX's own rounding down gives TensorRT's output size."""
    ends = []
    for axis, count in enumerate(layer.spatial_shape()):
        if count < 0 and layer.padding_mode != PaddingMode.EXPLICIT_ROUND_DOWN:
            raise NetworkError(layer.name, f"{layer.padding_mode.name} on an input of shape {layer.inputs[0].shape}")
        if count < 0:
            ends.append(layer.post_padding[axis])
            continue
        reach = layer.dilation[axis] * (layer.window[axis] - 1) + 1
        used = (count - 1) * layer.stride[axis] + reach
        ends.append(max(0, used - layer.inputs[0].shape[axis - 2] - layer.pre_padding[axis]))
    return [*layer.pre_padding, *ends]


@lowers(L.IConvolutionLayer)
def convolution(layer: L.IConvolutionLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Conv."""
    operands = [inputs[0], graph.kernel(layer.kernel, layer.kernel_shape())]
    if layer.bias.size:
        operands.append(graph.weights(WeightsRole.BIAS, layer.bias))
    return [
        graph.node(
            "Conv",
            operands,
            kernel_shape=layer.window,
            strides=layer.stride,
            pads=_pads(layer),
            dilations=layer.dilation,
            group=layer.num_groups,
        )
    ]


@lowers(L.IPoolingLayer)
def pooling(layer: L.IPoolingLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """MaxPool or AveragePool; windows that TensorRT clips at the border are padded instead."""
    window: dict[str, Any] = {"kernel_shape": layer.window, "strides": layer.stride, "pads": _pads(layer)}
    if layer.pooling_type == PoolingType.MAX:
        return [graph.node("MaxPool", inputs, **window)]
    count_padding = not layer.average_count_excludes_padding
    if count_padding and any(end > given for end, given in zip(window["pads"][2:], layer.post_padding, strict=True)):
        raise NetworkError(layer.name, "average pooling that counts padding but is clipped at the border")
    return [graph.node("AveragePool", inputs, count_include_pad=int(count_padding), **window)]


@lowers(L.IFullyConnectedLayer)
def fully_connected(layer: L.IFullyConnectedLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Flatten the last three dimensions, Gemm, and put the ones back."""
    leading = len(layer.inputs[0].shape) - 3 + graph.batch_axes
    if leading > 1:
        raise NetworkError(layer.name, f"a fully connected layer over {leading} leading dimensions", "Reshape first.")
    kernel = graph.kernel(layer.kernel, (layer.num_output_channels, -1))
    operands = [graph.node("Flatten", inputs, axis=leading), kernel]
    if layer.bias.size:
        operands.append(graph.weights(WeightsRole.BIAS, layer.bias))
    product = graph.node("Gemm", operands, transB=1)
    shape = graph.constant("shape", [0] * leading + [layer.num_output_channels, 1, 1], np.int64)
    return [graph.node("Reshape", [product, shape])]


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


@lowers(L.IScaleLayer)
def scale(layer: L.IScaleLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Mul, Add and Pow, as far as there are weights."""
    rank = len(layer.inputs[0].shape) + graph.batch_axes
    shape = {
        ScaleMode.UNIFORM: (1,) * rank,
        ScaleMode.CHANNEL: (-1,) + (1,) * 2,
        ScaleMode.ELEMENTWISE: layer.inputs[0].shape,
    }[layer.mode]
    value = inputs[0]
    if layer.scale.size:
        value = graph.node("Mul", [value, graph.weights(WeightsRole.SCALE, layer.scale, shape)])
    if layer.shift.size:
        value = graph.node("Add", [value, graph.weights(WeightsRole.SHIFT, layer.shift, shape)])
    if layer.power.size:  # no role: TensorRT cannot refit it
        value = graph.node("Pow", [value, graph.constant("power", layer.power.numpy().reshape(shape))])
    return [value if value != inputs[0] else graph.node("Identity", inputs)]


@lowers(L.ILRNLayer)
def lrn(layer: L.ILRNLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """LRN; TensorRT and ONNX both divide alpha by the window."""
    return [graph.node("LRN", inputs, size=layer.window_size, alpha=layer.alpha, beta=layer.beta, bias=layer.k)]


@lowers(L.ISoftMaxLayer)
def softmax(layer: L.ISoftMaxLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Softmax."""
    axes = [axis for axis in range(len(layer.inputs[0].shape)) if layer.axes >> axis & 1]
    if len(axes) != 1:
        raise NetworkError(layer.name, f"a softmax over the axes {axes}", "Set exactly one bit in axes.")
    return [graph.node("Softmax", inputs, axis=axes[0] + graph.batch_axes)]


@lowers(L.IConcatenationLayer)
def concatenation(layer: L.IConcatenationLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Concat."""
    return [graph.node("Concat", inputs, axis=layer.axis + graph.batch_axes)]


@lowers(L.IElementWiseLayer)
def elementwise(layer: L.IElementWiseLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """The binary operator of the same meaning."""
    return [graph.node(BINARY[layer.op], inputs)]


@lowers(L.IShuffleLayer)
def shuffle(layer: L.IShuffleLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Transpose and Reshape, as far as they are set."""

    def transpose(value: str, order: tuple[int, ...] | None) -> str:
        if order is None:
            return value
        perm = [*range(graph.batch_axes), *(axis + graph.batch_axes for axis in order)]
        return str(graph.node("Transpose", [value], perm=perm))

    value = transpose(inputs[0], layer.first_transpose)
    if layer.reshape_dims is not None:
        dims = zip(layer.reshape_dims, layer.reshaped(), strict=True)
        sizes = [0 if given == 0 and size < 0 else size for given, size in dims]
        shape = graph.constant("shape", [0] * graph.batch_axes + sizes, np.int64)
        value = graph.node("Reshape", [value, shape])
    value = transpose(value, layer.second_transpose)
    return [value if value != inputs[0] else graph.node("Identity", inputs)]


@lowers(L.IConstantLayer)
def constant(layer: L.IConstantLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """An initializer; a batch dimension of one stands in for an implicit batch."""
    shape = (1,) * graph.batch_axes + tuple(layer.shape)
    return [graph.node("Identity", [graph.weights(WeightsRole.CONSTANT, layer.weights, shape)])]
