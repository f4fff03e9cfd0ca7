"""Layer types that branches of Caffe brought and many published networks have; TensorRT's parser knows none of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtflow.formats.caffe import LayerParameter
from trtflow.formats.caffe.caffe_pb2 import InterpParameter
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.caffe.meaning_shapes import blob
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.caffe.table import imports
from trtflow.reference.record.enums import InterpolationMode, ResizeCoordinateTransformation, ScaleMode
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.tensor import ITensor


@imports("ShuffleChannel", parameters="shuffle_channel_param", reads="group", meaning=True)
def shuffle_channel(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """The channels of groups dealt out in turns (ShuffleNet, arXiv:1707.01083, figure 1)."""
    group, (channels, height, width) = layer.shuffle_channel_param.group, _picture(net, layer, inputs[0])
    if group < 1 or channels % group:
        raise NetworkError(layer.name, f"{channels} channels in {group} groups in {net.deploy}", "Correct group.")
    split = (group, channels // group, height, width)
    return _rearranged(net, layer, inputs[0], split, (1, 0, 2, 3), (channels, height, width))


@imports("Reorg", parameters="reorg_param", reads="stride reverse", meaning=True)
def reorg(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Places of a square as channels, as Darknet's reorg does (YOLOv2): the blob is read as if it were the result's."""
    stride, (channels, height, width) = layer.reorg_param.stride, _picture(net, layer, inputs[0])
    square = stride * stride
    if layer.reorg_param.reverse or stride < 1 or channels % square or height % stride or width % stride:
        fault = f"a Reorg of stride {stride} of {[channels, height, width]} in {net.deploy}"
        remedy = "Channels need to be a multiple of its square, sides of itself; reverse is not implemented."
        raise NetworkError(layer.name, fault, remedy)
    split = (channels // square, height, stride, width, stride)
    sizes = (channels * square, height // stride, width // stride)
    return _rearranged(net, layer, inputs[0], split, (2, 4, 0, 1, 3), sizes)


@imports("BN", parameters="bn_param", reads="eps", idle="slope_filler momentum frozen", meaning=True)
def normalize(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Normalisation by four blobs a channel: slope, bias, mean and variance (PSPNet, ICNet)."""
    channels, *_ = _picture(net, layer, inputs[0])
    slope, bias, mean, variance = (net.weights(layer, blob, channels).astype(np.float64) for blob in range(4))
    spread = variance + layer.bn_param.eps
    if not (spread > 0).all():
        raise NetworkError(layer.name, f"variance and eps of {spread.min():.3g} in blob 3", net.right_model())
    factors = slope / np.sqrt(spread)
    shift = bias - mean * factors
    return net.network.add_scale(inputs[0], ScaleMode.CHANNEL, np.float32(shift), np.float32(factors))


@imports("Interp", parameters="interp_param", reads="height width zoom_factor shrink_factor", meaning=True)
def interpolate(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Bilinear at another size, corners onto corners (DeepLab, PSPNet, ICNet)."""
    channels, *sides = _picture(net, layer, inputs[0])
    sizes = [_interpolated(layer.interp_param, size, to) for size, to in zip(sides, ("height", "width"), strict=True)]
    if min(sizes) < 1:
        fault = f"an Interp of {sides} to {sizes} in {net.deploy}"
        raise NetworkError(layer.name, fault, "Give it height and width, zoom_factor or shrink_factor.")
    added = net.network.add_resize(inputs[0])
    added.shape = (*inputs[0].shape[: 1 - net.skip], channels, *sizes)
    added.resize_mode = InterpolationMode.LINEAR
    added.coordinate_transformation = ResizeCoordinateTransformation.ALIGN_CORNERS
    return added


def _interpolated(parameter: InterpParameter, size: int, to: str) -> int:
    """Return a side behind an Interp, 0 where it says none. A factor goes before a size, but not both factors."""
    zooms, shrinks = parameter.HasField("zoom_factor"), parameter.HasField("shrink_factor")
    if parameter.HasField("height") and parameter.HasField("width") and zooms == shrinks:
        return int(getattr(parameter, to))
    if not (zooms or shrinks) or min(parameter.zoom_factor, parameter.shrink_factor) < 1:
        return 0
    if shrinks:
        size = (size - 1) // parameter.shrink_factor + 1
    return int(size + (size - 1) * (parameter.zoom_factor - 1)) if zooms else size


def _picture(net: Net, layer: LayerParameter, tensor: ITensor) -> list[int]:
    """Return channels, height and width of what must have them."""
    sizes = net.shape(tensor)
    if len(sizes) != 3:
        raise NetworkError(layer.name, f"a bottom of {sizes} behind the batch in {net.deploy}", "It needs [C, H, W].")
    return sizes


def _rearranged(
    net: Net, layer: LayerParameter, tensor: ITensor, split: Sequence[int], order: Sequence[int], sizes: Sequence[int]
) -> ILayer:
    """Add a tensor read in the sizes `split` behind the batch, its axes in another order, as a blob of `sizes`."""
    first = 1 - net.skip
    added = net.network.add_shuffle(tensor)
    added.reshape_dims = (*tensor.shape[:first], *split)
    added.second_transpose = (*range(first), *(first + axis for axis in order))
    return blob(net, layer, added.outputs[0], list(sizes))
