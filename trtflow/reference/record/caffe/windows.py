"""TensorRT's reading of the layers with windows, of InnerProduct, LRN and Crop."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from trtflow.formats.caffe import LayerParameter
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.caffe.table import imports
from trtflow.reference.record.enums import PaddingMode, PoolingType
from trtflow.reference.record.layers import IConvolutionLayer, IDeconvolutionLayer, ILayer, IPoolingLayer
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Weights
from trtflow.reference.record.window_layers import WindowLayer

CONVOLUTION = (
    "num_output bias_term kernel_size kernel_h kernel_w stride stride_h stride_w pad pad_h pad_w dilation group"
)
POOLING = (
    "pool kernel_size kernel_h kernel_w stride stride_h stride_w pad pad_h pad_w global_pooling torch_pooling"
    " ceil_mode round_mode"
)
POOLS = {0: PoolingType.MAX, 1: PoolingType.AVERAGE}
MOST_CHANNELS, LEAST_BETA = 15, 0.01  # of LRN in TensorRT
DEFAULT_BETA = 5.0  # of LRN in TensorRT's parser; 0.75 in Caffe


def pair(repeated: Sequence[int], default: int) -> tuple[int, int]:
    """Return height and width of a repeated field: one value, two values or none."""
    return (repeated[0], repeated[-1]) if repeated else (default, default)


def spatial(parameter: object, field: str, sizes: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of a field, each of which its own _h or _w outranks."""
    apart = [
        getattr(parameter, f"{field}_{side}") if parameter.HasField(f"{field}_{side}") else size  # type: ignore[attr-defined]
        for side, size in zip("hw", sizes, strict=True)
    ]
    return apart[0], apart[1]


def check_count(net: Net, layer: LayerParameter) -> None:
    """Refuse a window that is not of two dimensions."""
    parameter = layer.convolution_param
    for field in ("kernel_size", "stride", "pad", "dilation"):
        if len(getattr(parameter, field)) > 2:
            fault = f"{len(getattr(parameter, field))} sizes of {field} in {net.deploy}"
            raise NetworkError(layer.name, fault, "Windows have a height and a width here.")


def kernel_size(net: Net, layer: LayerParameter) -> tuple[int, int]:
    """Return the height and width of a convolution's kernel."""
    check_count(net, layer)
    parameter = layer.convolution_param
    window = spatial(parameter, "kernel", pair(parameter.kernel_size, 0))
    if not all(window):
        raise NetworkError(layer.name, f"no kernel_size in {net.deploy}", "Write it in the prototxt.")
    if not parameter.num_output or not parameter.group:
        raise NetworkError(layer.name, f"num_output or group is 0 in {net.deploy}", "Write it in the prototxt.")
    return window


def check_steps(net: Net, layer: LayerParameter, added: WindowLayer) -> None:
    """Refuse steps of 0."""
    if min(*added.stride, *added.dilation) < 1:
        fault = f"a stride of {added.stride} and a dilation of {added.dilation} in {net.deploy}"
        raise NetworkError(layer.name, fault, "They are at least 1.")


def place(net: Net, layer: LayerParameter, added: IConvolutionLayer | IDeconvolutionLayer) -> None:
    """Set stride, padding, dilation and groups as Caffe means them."""
    parameter = layer.convolution_param
    added.stride = spatial(parameter, "stride", pair(parameter.stride, 1))
    added.padding = spatial(parameter, "pad", pair(parameter.pad, 0))
    added.dilation = pair(parameter.dilation, 1)
    added.num_groups = parameter.group
    added.padding_mode = PaddingMode.CAFFE_ROUND_DOWN
    check_steps(net, layer, added)


@imports("Convolution", parameters="convolution_param", reads=CONVOLUTION)
def convolution(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Convolution; the kernel has its C axis at the third place from the end."""
    parameter = layer.convolution_param
    window = kernel_size(net, layer)
    maps, channels = parameter.num_output, inputs[0].shape[-3] // parameter.group
    kernel = net.weights(layer, 0, maps * channels * window[0] * window[1])
    bias = net.bias(layer, maps) if parameter.bias_term else None
    added = net.network.add_convolution(inputs[0], maps, window, Weights(kernel), Weights.of(bias))
    place(net, layer, added)
    return added


@imports("Deconvolution", parameters="convolution_param", reads=CONVOLUTION)
def deconvolution(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Transposed convolution; of two sizes in one field TensorRT takes the first for the width."""
    parameter = layer.convolution_param
    window = kernel_size(net, layer)
    if set(parameter.dilation) - {1}:
        fault = f"dilation {list(parameter.dilation)} in {net.deploy}. Dilated deconvolution is not supported"
        raise NetworkError(layer.name, fault, net.only_tensorrt("Its kernel can be written with noughts instead."))
    window = spatial(parameter, "kernel", pair(parameter.kernel_size, 0)[::-1])
    added = add_deconvolution(net, layer, inputs[0], window)
    added.stride = spatial(parameter, "stride", pair(parameter.stride, 1)[::-1])
    added.padding = spatial(parameter, "pad", pair(parameter.pad, 0)[::-1])
    for field in ("kernel_size", "stride", "pad"):
        if len(set(getattr(parameter, field))) > 1:
            net.ignores(layer, f"the order of convolution_param.{field}, height first")
    return added


def add_deconvolution(net: Net, layer: LayerParameter, tensor: ITensor, window: tuple[int, int]) -> IDeconvolutionLayer:
    """Add a transposed convolution whose kernel has a size."""
    parameter = layer.convolution_param
    maps, channels = parameter.num_output, tensor.shape[-3]
    kernel = net.weights(layer, 0, channels * maps // parameter.group * window[0] * window[1])
    bias = net.bias(layer, maps) if parameter.bias_term else None
    added = net.network.add_deconvolution(tensor, maps, window, Weights(kernel), Weights.of(bias))
    place(net, layer, added)
    return added


@imports("Pooling", parameters="pooling_param", reads=POOLING)
def pooling(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Pooling of sizes rounded up; where a window is clipped at the border, TensorRT's mean is still over all of it."""
    added = add_pooling(net, layer, inputs[0])
    if added.padding_mode == PaddingMode.CAFFE_ROUND_UP and any(
        2 * padding >= size for padding, size in zip(added.padding, added.window, strict=True)
    ):
        # Seen with a window of 2 x 3 padded by 1 x 0; windows of 3 padded by 1 are taken.
        fault = f"cannot use Caffe round up padding mode with padding greater than the filter, {added.window}"
        raise NetworkError(layer.name, fault, net.only_tensorrt("Pad less, or set torch_pooling."))
    if added.pooling_type == PoolingType.AVERAGE and clipped(added):
        net.ignores(layer, "that a window which is clipped at the border has fewer elements to take the mean of")
    return added


def add_pooling(net: Net, layer: LayerParameter, tensor: ITensor) -> IPoolingLayer:
    """Add a pooling layer with its window and the direction that its size is rounded in."""
    parameter = layer.pooling_param
    if parameter.pool not in POOLS:
        raise NetworkError(layer.name, f"stochastic pooling in {net.deploy}", "TensorRT has MAX and AVE.")
    window = spatial(parameter, "kernel", (parameter.kernel_size, parameter.kernel_size))
    if parameter.global_pooling:
        window = (tensor.shape[-2], tensor.shape[-1])
    if not all(window):
        raise NetworkError(layer.name, f"no kernel_size in {net.deploy}", "Write it, or global_pooling: true.")
    added = net.network.add_pooling(tensor, POOLS[parameter.pool], window)
    added.stride = spatial(parameter, "stride", (parameter.stride, parameter.stride))
    added.padding = spatial(parameter, "pad", (parameter.pad, parameter.pad))
    down = parameter.torch_pooling or parameter.round_mode or not parameter.ceil_mode
    added.padding_mode = PaddingMode.CAFFE_ROUND_DOWN if down else PaddingMode.CAFFE_ROUND_UP
    added.average_count_excludes_padding = False
    check_steps(net, layer, added)
    return added


def clipped(added: IPoolingLayer) -> bool:
    """Whether a last window reaches over the padding."""
    ends = [
        (count - 1) * step + size > room + 2 * padding
        for count, step, size, room, padding in zip(
            added.spatial_shape(), added.stride, added.window, added.sizes, added.padding, strict=True
        )
    ]
    return any(ends)


@imports("InnerProduct", parameters="inner_product_param", reads="num_output bias_term", bottoms=None)
def inner_product(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Fully connected with all of C, H, W."""
    parameter = layer.inner_product_param
    if len(inputs) > 1:
        net.ignores(layer, f"its bottoms behind the first, {', '.join(layer.bottom[1:])}")
    if not parameter.num_output:
        raise NetworkError(layer.name, f"no num_output in {net.deploy}", "Write it in the prototxt.")
    kernel = net.weights(layer, 0, parameter.num_output * prod(inputs[0].shape[-3:]))
    bias = net.bias(layer, parameter.num_output) if parameter.bias_term else None
    return net.network.add_fully_connected(inputs[0], parameter.num_output, Weights(kernel), Weights.of(bias))


@imports("LRN", parameters="lrn_param", reads="local_size alpha beta k")
def lrn(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """LRN across channels; without a beta TensorRT's is 5, not Caffe's 0.75."""
    parameter = layer.lrn_param
    if not parameter.HasField("beta"):
        net.ignores(layer, f"that lrn_param.beta is {parameter.beta} where it is not written, and takes {DEFAULT_BETA}")
    check_lrn(net, layer)
    beta = parameter.beta if parameter.HasField("beta") else DEFAULT_BETA
    return net.network.add_lrn(inputs[0], parameter.local_size, parameter.alpha, beta, parameter.k)


def check_lrn(net: Net, layer: LayerParameter) -> None:
    """Refuse what TensorRT's LRN layer does not take."""
    parameter = layer.lrn_param
    size, alpha, beta = parameter.local_size, parameter.alpha, parameter.beta
    if size not in range(1, MOST_CHANNELS + 1, 2) or alpha <= 0 or beta < LEAST_BETA:
        fault = f"local_size {size}, alpha {alpha} and beta {beta} in {net.deploy}"
        remedy = f"local_size is odd, 1 to {MOST_CHANNELS}, alpha positive, and beta at least {LEAST_BETA}."
        raise NetworkError(layer.name, fault, remedy)


@imports("Crop", parameters="crop_param", reads="axis offset", bottoms=2)
def crop(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Padding by less than nothing, of height and width only."""
    parameter = layer.crop_param
    axis, offsets = parameter.axis + 4 if parameter.axis < 0 else parameter.axis, list(parameter.offset)
    if axis not in (2, 3):
        fault = f"crop axis {parameter.axis} in {net.deploy}: only spatial cropping is supported"
        raise NetworkError(layer.name, fault, net.only_tensorrt("Crop from axis 2 or 3 on."))
    if len(offsets) not in (0, 1, 4 - axis):
        fault = f"{len(offsets)} offsets for {4 - axis} axes in {net.deploy}"
        raise NetworkError(layer.name, fault, "Give one, or one an axis.")
    offsets = offsets or [0]
    before = (offsets[0] if axis == 2 else 0, offsets[-1])
    sizes, wanted = inputs[0].shape[-2:], inputs[1].shape[-2:]
    behind = [size - reference - offset for size, reference, offset in zip(sizes, wanted, before, strict=True)]
    return net.network.add_padding(inputs[0], [-size for size in before], [-size for size in behind])
