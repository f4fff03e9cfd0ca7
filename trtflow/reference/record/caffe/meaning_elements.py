"""What Caffe means by layers on single elements, where TensorRT's parser ignores a field or does not know the type."""

from __future__ import annotations

from math import log

import numpy as np

from trtflow.formats.caffe import LayerParameter
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.caffe.elements import (
    NVCAFFE_BLOBS,
    OPERATIONS,
    activation,
    add_batch_norm,
    add_prelu,
    uniform,
)
from trtflow.reference.record.caffe.meaning_shapes import constant, ones_around, reshaped
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.caffe.table import imports
from trtflow.reference.record.enums import (
    ActivationType,
    ElementWiseOperation,
    ReduceOperation,
    ScaleMode,
    UnaryOperation,
)
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.tensor import ITensor

SUM, PROD = ElementWiseOperation.SUM, ElementWiseOperation.PROD


@imports("Dropout", parameters="dropout_param", reads="dropout_ratio scale_train", meaning=True)
def dropout(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ITensor:
    """Nothing; where training has not scaled what it keeps, inference multiplies by the share that is kept."""
    parameter = layer.dropout_param
    return inputs[0] if parameter.scale_train else uniform(net, inputs[0], 1 - parameter.dropout_ratio)


@imports("PReLU", parameters="prelu_param", reads="channel_shared", meaning=True)
def prelu(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """A slope for all, or one a channel."""
    axis = 1 - net.skip
    slopes = net.weights(layer, 0, 1 if layer.prelu_param.channel_shared else inputs[0].shape[axis])
    return add_prelu(net, inputs[0], slopes, axis)


@imports("BatchNorm", parameters="batch_norm_param", reads="eps use_global_stats", idle="scale_bias", meaning=True)
def batch_norm(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Caffe's three blobs or NVCaffe's five."""
    parameter = layer.batch_norm_param
    if parameter.HasField("use_global_stats") and not parameter.use_global_stats:
        fault = f"batch_norm_param.use_global_stats false in {net.deploy}: moments of the batch at inference"
        raise NetworkError(layer.name, fault, "Set it to true, or leave it out.")
    if parameter.scale_bias and len(net.blobs.get(layer.name, [])) != NVCAFFE_BLOBS:
        raise NetworkError(layer.name, f"scale_bias without {NVCAFFE_BLOBS} blobs of weights", net.right_model())
    return add_batch_norm(net, layer, inputs[0])


@imports("Scale", parameters="scale_param", reads="axis num_axes bias_term", bottoms=None, meaning=True)
def scale(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Factors, and with bias_term summands, along axes: weights, or a second bottom's values."""
    parameter, tensor = layer.scale_param, inputs[0]
    if len(inputs) > 1:
        product = _by_bottom(net, layer, inputs, parameter.axis, PROD)
        shape = list(inputs[1].shape)
        if not parameter.bias_term:
            return product
        raise NetworkError(layer.name, f"a bias beside a second bottom {shape} in {net.deploy}", "Add a Bias layer.")
    axis, sizes = _axes(net, layer, tensor, parameter.axis, parameter.num_axes)
    count = int(np.prod(sizes))
    factors = net.weights(layer, 0, count)
    shift = net.weights(layer, 1, count) if parameter.bias_term else None
    if axis == len(tensor.shape) - 3 + net.skip and len(sizes) == 1:
        return net.network.add_scale(tensor, ScaleMode.CHANNEL, shift, factors)
    shape = ones_around(net, tensor, axis, sizes)
    added = net.network.add_elementwise(tensor, constant(net, factors, shape), PROD)
    if shift is None:
        return added
    return net.network.add_elementwise(added.outputs[0], constant(net, shift, shape), SUM)


@imports("Bias", parameters="bias_param", reads="axis num_axes", bottoms=None, meaning=True)
def bias(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Summands along axes: weights, or a second bottom's values."""
    parameter, tensor = layer.bias_param, inputs[0]
    if len(inputs) > 1:
        return _by_bottom(net, layer, inputs, parameter.axis, SUM)
    axis, sizes = _axes(net, layer, tensor, parameter.axis, parameter.num_axes)
    shift = net.weights(layer, 0, int(np.prod(sizes)))
    return net.network.add_elementwise(tensor, constant(net, shift, ones_around(net, tensor, axis, sizes)), SUM)


def _axes(net: Net, layer: LayerParameter, tensor: ITensor, axis: int, count: int) -> tuple[int, list[int]]:
    """Return the first axis that weights lie along, and the sizes of count axes, or with -1 of all."""
    first = net.axis(layer, tensor, axis) if count else 1
    sizes = net.shape(tensor)[first - 1 :]
    if count < -1 or count > len(sizes):
        raise NetworkError(layer.name, f"num_axes {count} from axis {first} in {net.deploy}", "There are not as many.")
    return first, sizes if count == -1 else sizes[:count]


def _by_bottom(
    net: Net, layer: LayerParameter, inputs: list[ITensor], axis: int, operation: ElementWiseOperation
) -> ILayer:
    """Add an operation with a second bottom, whose axes are those of the first from the batch on."""
    tensor, other = inputs[:2]
    sizes, wanted = net.shape(other), net.shape(tensor)
    if len(inputs) > 2 or axis != 0 or sizes != wanted[: len(sizes)]:
        fault = f"a second bottom of {sizes} behind the batch along axis {axis} of {wanted} in {net.deploy}"
        raise NetworkError(layer.name, fault, "It needs axis: 0 and the same sizes in the same places.")
    spread = reshaped(net, layer, other, [*sizes, *[1] * (len(wanted) - len(sizes))])
    return net.network.add_elementwise(tensor, spread, operation)


@imports("Eltwise", parameters="eltwise_param", reads="operation coeff", bottoms=None, meaning=True)
def eltwise(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Sum with factors, product or maximum of two or more."""
    parameter, factors = layer.eltwise_param, list(layer.eltwise_param.coeff) or [1.0] * len(inputs)
    operation = OPERATIONS[parameter.operation]
    if len(inputs) < 2 or len(factors) != len(inputs) or (parameter.coeff and operation != SUM):
        fault = f"{len(inputs)} bottoms and {len(parameter.coeff)} coeff of {operation.name} in {net.deploy}"
        raise NetworkError(layer.name, fault, "Two bottoms or more; a coeff for each, of a SUM only.")
    shapes = [net.shape(tensor) for tensor in inputs]
    if any(shape != shapes[0] for shape in shapes):
        raise NetworkError(layer.name, f"bottoms of the shapes {shapes} in {net.deploy}", "All need the same.")
    parts = [
        tensor if factor == 1 else uniform(net, tensor, factor) for tensor, factor in zip(inputs, factors, strict=True)
    ]
    added = net.network.add_elementwise(parts[0], parts[1], operation)
    for part in parts[2:]:
        added = net.network.add_elementwise(added.outputs[0], part, operation)
    return added


@imports("Exp", parameters="exp_param", reads="base scale shift", meaning=True)
def exponential(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """base ** (shift + scale * x); a base of -1 is e."""
    parameter = layer.exp_param
    factor = _log_of_base(net, layer, parameter.base)
    inner = net.network.add_scale(inputs[0], ScaleMode.UNIFORM, [parameter.shift * factor], [parameter.scale * factor])
    return net.network.add_unary(inner.outputs[0], UnaryOperation.EXP)


@imports("Log", parameters="log_param", reads="base scale shift", meaning=True)
def logarithm(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Logarithm of shift + scale * x to a base; -1 is e."""
    parameter = layer.log_param
    inner = net.network.add_scale(inputs[0], ScaleMode.UNIFORM, [parameter.shift], [parameter.scale])
    value = net.network.add_unary(inner.outputs[0], UnaryOperation.LOG)
    factor = 1 / _log_of_base(net, layer, parameter.base)
    return net.network.add_scale(value.outputs[0], ScaleMode.UNIFORM, None, [factor])


def _log_of_base(net: Net, layer: LayerParameter, base: float) -> float:
    if base != -1 and (base <= 0 or base == 1):
        raise NetworkError(layer.name, f"base {base} in {net.deploy}", "It is positive and not 1, or -1 for e.")
    return 1.0 if base == -1 else log(base)


@imports("Swish", parameters="swish_param", reads="beta", meaning=True)
def swish(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """x * sigmoid(beta * x)."""
    gate = activation(net, uniform(net, inputs[0], layer.swish_param.beta), ActivationType.SIGMOID)
    return net.network.add_elementwise(inputs[0], gate.outputs[0], PROD)


@imports("ReLU6", meaning=True)
def relu6(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Values between 0 and 6, a type of branches of Caffe."""
    return activation(net, inputs[0], ActivationType.CLIP, 0.0, 6.0)


@imports("Axpy", bottoms=3, meaning=True)
def axpy(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """a * x + y, a one value a channel: a type of SENet's branch of Caffe."""
    factor, tensor, added = inputs
    shape, wanted = net.shape(factor), net.shape(tensor)
    if net.shape(added) != wanted or len(wanted) != 3 or shape not in ([wanted[0], 1, 1], [wanted[0]]):
        fault = f"bottoms of {shape}, {wanted} and {net.shape(added)} behind the batch in {net.deploy}"
        raise NetworkError(layer.name, fault, "It needs a factor a channel, [C, 1, 1], and two of the same [C, H, W].")
    product = net.network.add_elementwise(reshaped(net, layer, factor, [wanted[0], 1, 1]), tensor, PROD)
    return net.network.add_elementwise(product.outputs[0], added, SUM)


@imports("MVN", parameters="mvn_param", reads="normalize_variance across_channels eps", meaning=True)
def mean_and_variance(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """(x - mean) / (deviation + eps), the moments of a channel or of a picture."""
    network, parameter, tensor = net.network, layer.mvn_param, inputs[0]
    first = len(tensor.shape) - (3 if parameter.across_channels else 2)
    mask = sum(1 << axis for axis in range(first, len(tensor.shape)))
    mean = network.add_reduce(tensor, ReduceOperation.AVG, mask, True).outputs[0]
    centred = network.add_elementwise(tensor, mean, ElementWiseOperation.SUB)
    if not parameter.normalize_variance:
        return centred
    value = centred.outputs[0]
    squares = network.add_elementwise(value, value, PROD).outputs[0]
    variance = network.add_reduce(squares, ReduceOperation.AVG, mask, True).outputs[0]
    deviation = network.add_unary(variance, UnaryOperation.SQRT).outputs[0]
    spread = network.add_scale(deviation, ScaleMode.UNIFORM, [parameter.eps]).outputs[0]
    return network.add_elementwise(value, spread, ElementWiseOperation.DIV)
