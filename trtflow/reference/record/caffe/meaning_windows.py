"""What Caffe means by layers with windows and by InnerProduct and LRN, where TensorRT's parser ignores a field."""

from __future__ import annotations

from math import prod

import numpy as np

from trtflow.formats.caffe import LayerParameter
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.caffe.meaning_shapes import blob, reshaped
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.caffe.table import Added, imports
from trtflow.reference.record.caffe.windows import (
    CONVOLUTION,
    POOLING,
    add_deconvolution,
    add_pooling,
    check_lrn,
    clipped,
    convolution,
    kernel_size,
)
from trtflow.reference.record.enums import ElementWiseOperation, PoolingType, ScaleMode
from trtflow.reference.record.layers import ILayer, IPoolingLayer
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Weights

WITHIN_CHANNEL = 1  # LRNParameter.NormRegion


def check_picture(net: Net, layer: LayerParameter, tensor: ITensor) -> None:
    """Refuse a blob that is not N, C, H, W."""
    if net.rank(tensor) != 4:
        fault = f"its bottom {layer.bottom[0]!r} has {net.rank(tensor)} axes in {net.deploy}"
        raise NetworkError(layer.name, fault, f"{layer.type} takes N, C, H, W here.")


@imports("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution", parameters="convolution_param",
         reads=CONVOLUTION, meaning=True)  # fmt: skip
def convolve(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> Added:
    """Convolution; branches of Caffe have a second type for groups of one channel each."""
    check_picture(net, layer, inputs[0])
    if inputs[0].shape[-3] % max(1, layer.convolution_param.group):
        fault = f"group {layer.convolution_param.group} of {inputs[0].shape[-3]} channels in {net.deploy}"
        raise NetworkError(layer.name, fault, "Groups must divide the channels.")
    return convolution(net, layer, inputs)


@imports("Deconvolution", parameters="convolution_param", reads=CONVOLUTION, meaning=True)
def deconvolve(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Transposed convolution, of two sizes in one field the first for the height."""
    check_picture(net, layer, inputs[0])
    return add_deconvolution(net, layer, inputs[0], kernel_size(net, layer))


@imports("Pooling", parameters="pooling_param", reads=POOLING, meaning=True)
def pool(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Pooling; the mean of a window that is clipped at the border is over what lies on input and padding."""
    check_picture(net, layer, inputs[0])
    added = add_pooling(net, layer, inputs[0])
    if any(padding >= size for padding, size in zip(added.padding, added.window, strict=True)):
        fault = f"a padding of {added.padding} of a window of {added.window} in {net.deploy}"
        raise NetworkError(layer.name, fault, "Caffe takes less padding than window.")
    if added.pooling_type != PoolingType.AVERAGE or not clipped(added):
        return added
    counts = np.outer(*(_elements(added, axis) for axis in (0, 1)))
    factors = (prod(added.window) / counts).astype(np.float32)
    shape = (*[1] * (len(inputs[0].shape) - 2), *factors.shape)
    weights = net.network.add_constant(shape, factors)
    return net.network.add_elementwise(added.outputs[0], weights.outputs[0], ElementWiseOperation.PROD)


def _elements(added: IPoolingLayer, axis: int) -> np.ndarray:
    """Return how many elements of input and padding each window has along an axis."""
    starts = np.arange(added.spatial_shape()[axis]) * added.stride[axis]
    whole = added.sizes[axis] + 2 * added.padding[axis]
    return np.minimum(starts + added.window[axis], whole) - starts


@imports("InnerProduct", parameters="inner_product_param", reads="num_output bias_term axis transpose", meaning=True)
def fully_connected(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer | ITensor:
    """Fully connected with all axes from one on; the kernel may be stored with its rows as columns."""
    parameter = layer.inner_product_param
    if not parameter.num_output:
        raise NetworkError(layer.name, f"no num_output in {net.deploy}", "Write it in the prototxt.")
    axis = net.axis(layer, inputs[0], parameter.axis, "inner_product_param.axis")
    sizes, maps = net.shape(inputs[0]), parameter.num_output
    outer, inner = sizes[: axis - 1], prod(sizes[axis - 1 :])
    kernel = net.weights(layer, 0, maps * inner)
    if parameter.transpose:
        kernel = np.ascontiguousarray(kernel.reshape(inner, maps).T).ravel()
    bias = net.bias(layer, maps) if parameter.bias_term else None
    rows = inputs[0]
    if outer or len(rows.shape) != 4 - net.skip:
        rows = reshaped(net, layer, rows, [prod(outer), inner, 1, 1] if outer else [inner])
    added = net.network.add_fully_connected(rows, maps, Weights(kernel), Weights.of(bias))
    if not outer:
        net.ranked(added.outputs[0], 2)
        return added
    added.name = f"{layer.name}/rows"
    return blob(net, layer, added.outputs[0], [*outer, maps])


@imports("LRN", parameters="lrn_param", reads="local_size alpha beta k norm_region", meaning=True)
def local_response(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """LRN across channels, or within one: x / (1 + alpha * mean of squares around) ** beta."""
    parameter, network = layer.lrn_param, net.network
    check_lrn(net, layer)
    if parameter.norm_region != WITHIN_CHANNEL:
        return network.add_lrn(inputs[0], parameter.local_size, parameter.alpha, parameter.beta, parameter.k)
    check_picture(net, layer, inputs[0])
    squares = network.add_elementwise(inputs[0], inputs[0], ElementWiseOperation.PROD).outputs[0]
    mean = network.add_pooling(squares, PoolingType.AVERAGE, (parameter.local_size, parameter.local_size))
    mean.padding = (parameter.local_size // 2, parameter.local_size // 2)
    mean.average_count_excludes_padding = False
    factors = network.add_scale(mean.outputs[0], ScaleMode.UNIFORM, [1.0], [parameter.alpha], [-parameter.beta])
    return network.add_elementwise(inputs[0], factors.outputs[0], ElementWiseOperation.PROD)
