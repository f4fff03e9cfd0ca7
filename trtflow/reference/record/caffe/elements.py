"""TensorRT's reading of the layers on single elements and of those that scale channels."""

from __future__ import annotations

import numpy as np

from trtflow.formats.caffe import LayerParameter
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.caffe.table import imports
from trtflow.reference.record.enums import ActivationType, ElementWiseOperation, ScaleMode, UnaryOperation
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Weights

OPERATIONS = (ElementWiseOperation.PROD, ElementWiseOperation.SUM, ElementWiseOperation.MAX)  # as Caffe counts them
NVCAFFE_BLOBS = 5  # mean, variance, correction of the variance, scale, bias


def activation(
    net: Net, tensor: ITensor, kind: ActivationType, alpha: float | None = None, beta: float | None = None
) -> ILayer:
    """Add an activation function with its parameters."""
    added = net.network.add_activation(tensor, kind)
    added.alpha = added.alpha if alpha is None else alpha
    added.beta = added.beta if beta is None else beta
    return added


@imports("ReLU", parameters="relu_param", reads="negative_slope")
def relu(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """ReLU, leaky where a slope says so."""
    slope = layer.relu_param.negative_slope
    return activation(net, inputs[0], ActivationType.LEAKY_RELU if slope else ActivationType.RELU, slope)


@imports("Sigmoid", parameters="sigmoid_param")
def sigmoid(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Sigmoid."""
    return activation(net, inputs[0], ActivationType.SIGMOID)


@imports("TanH", parameters="tanh_param")
def tanh(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Hyperbolic tangent."""
    return activation(net, inputs[0], ActivationType.TANH)


@imports("ELU", parameters="elu_param", reads="alpha")
def elu(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """alpha * (exp(x) - 1) below 0."""
    return activation(net, inputs[0], ActivationType.ELU, layer.elu_param.alpha)


@imports("BNLL")
def bnll(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """log(1 + exp(x))."""
    return activation(net, inputs[0], ActivationType.SOFTPLUS, 1.0, 1.0)


@imports("Clip", parameters="clip_param", reads="min max")
def clip(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Values between two bounds."""
    parameter = layer.clip_param
    bounds = np.finfo(np.float32)
    low = parameter.min if parameter.HasField("min") else float(bounds.min)
    high = parameter.max if parameter.HasField("max") else float(bounds.max)
    return activation(net, inputs[0], ActivationType.CLIP, low, high)


@imports("AbsVal")
def absolute(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Magnitudes."""
    return net.network.add_unary(inputs[0], UnaryOperation.ABS)


@imports("Power", parameters="power_param", reads="power scale shift")
def power(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """(shift + scale * x) ** power."""
    parameter = layer.power_param
    exponent = None if parameter.power == 1 else [parameter.power]
    return net.network.add_scale(inputs[0], ScaleMode.UNIFORM, [parameter.shift], [parameter.scale], exponent)


@imports("PReLU", parameters="prelu_param", reads="channel_shared")
def prelu(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Slopes as a constant; of one a channel 8.6.0 takes the number from the width of the input, as 8.6.1 does not."""
    shape = inputs[0].shape
    shared = layer.prelu_param.channel_shared
    slopes = net.weights(layer, 0)
    if not shared:
        if slopes.size != shape[-1]:
            fault = f"constant weights has count {slopes.size} but {shape[-1]} was expected, the input's width"
            remedy = "TensorRT 8.6.0 builds PReLU only with channel_shared: true."
            raise NetworkError(layer.name, fault, net.only_tensorrt(remedy))
        net.ignores(layer, "that slopes are one a channel, and takes them for one a column")
    elif slopes.size != 1:
        raise NetworkError(layer.name, f"{slopes.size} slopes, but channel_shared is true", net.right_model())
    return add_prelu(net, inputs[0], slopes, len(shape) - 1)


def add_prelu(net: Net, tensor: ITensor, slopes: np.ndarray, axis: int) -> ILayer:
    """Add a ReLU with slopes along an axis of the tensor's shape."""
    shape = [1] * len(tensor.shape)
    shape[axis] = slopes.size
    constant = net.network.add_constant(shape, slopes)
    return net.network.add_parametric_relu(tensor, constant.outputs[0])


@imports("BatchNorm", parameters="batch_norm_param", reads="eps", idle="scale_bias use_global_stats")
def batch_norm(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Caffe's three blobs, whose third the others are over, or NVCaffe's five, with scale and bias."""
    parameter = layer.batch_norm_param
    if parameter.HasField("use_global_stats") and not parameter.use_global_stats:
        net.ignores(layer, "batch_norm_param.use_global_stats false, the moments of the batch")
    if len(net.blobs.get(layer.name, [])) != NVCAFFE_BLOBS:
        if parameter.scale_bias:
            net.ignores(layer, "batch_norm_param.scale_bias, as the caffemodel has no five blobs for it")
        if net.weights(layer, 2, 1)[0] == 0:
            fault = "its moving average is zero: it was never trained"
            raise NetworkError(layer.name, fault, net.right_model())
    return add_batch_norm(net, layer, inputs[0])


def add_batch_norm(net: Net, layer: LayerParameter, tensor: ITensor) -> ILayer:
    """Add x * scale + shift; a third blob of 0 stands for moments of 0, as in Caffe."""
    channels = tensor.shape[-3]
    mean, variance = (net.weights(layer, index, channels).astype(np.float64) for index in range(2))
    nvcaffe = len(net.blobs.get(layer.name, [])) == NVCAFFE_BLOBS
    if not nvcaffe:
        total = float(net.weights(layer, 2, 1)[0])
        mean, variance = (moment / total if total else moment * 0 for moment in (mean, variance))
    scale = 1 / np.sqrt(variance + layer.batch_norm_param.eps)
    shift = -mean * scale
    if nvcaffe:
        gain, offset = (net.weights(layer, index, channels).astype(np.float64) for index in (3, 4))
        scale, shift = scale * gain, shift * gain + offset
    dtype = net.weights(layer, 0).dtype
    return net.network.add_scale(tensor, ScaleMode.CHANNEL, shift.astype(dtype), scale.astype(dtype))


@imports("Scale", parameters="scale_param", reads="bias_term", idle="bias_filler")
def scale(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """A factor a channel; TensorRT takes a second blob for the bias wherever bias_term is not false."""
    channels = inputs[0].shape[-3]
    factors, blobs = net.weights(layer, 0, channels), len(net.blobs.get(layer.name, []))
    asked = layer.scale_param.bias_term or not layer.scale_param.HasField("bias_term")
    shift = None
    if layer.scale_param.bias_term or (asked and blobs > 1):
        shift = net.bias(layer, channels)
    return net.network.add_scale(inputs[0], ScaleMode.CHANNEL, shift, factors)


@imports("Eltwise", parameters="eltwise_param", reads="operation", bottoms=2)
def eltwise(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Sum, product or maximum of two."""
    return net.network.add_elementwise(inputs[0], inputs[1], OPERATIONS[layer.eltwise_param.operation])


def uniform(net: Net, tensor: ITensor, factor: float) -> ITensor:
    """Multiply a tensor by a number."""
    added = net.network.add_scale(tensor, ScaleMode.UNIFORM, Weights(), Weights([factor]))
    return added.outputs[0]
