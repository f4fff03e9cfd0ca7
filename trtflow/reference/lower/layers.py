"""Lowerings of the layers with windows, of the fully connected layer and of constants: one function a layer type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import Graph, lowers
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import (
    InterpolationMode,
    PaddingMode,
    PoolingType,
    ResizeCoordinateTransformation,
    ResizeRoundMode,
    ResizeSelector,
    WeightsRole,
)
from trtflow.reference.record.window_layers import CAFFE, SAME, SlidingLayer, WindowLayer

COORDINATES = {
    ResizeCoordinateTransformation.ALIGN_CORNERS: "align_corners",
    ResizeCoordinateTransformation.ASYMMETRIC: "asymmetric",
    ResizeCoordinateTransformation.HALF_PIXEL: "half_pixel",
}
ROUNDING = {
    ResizeRoundMode.HALF_UP: "round_prefer_ceil",
    ResizeRoundMode.HALF_DOWN: "round_prefer_floor",
    ResizeRoundMode.FLOOR: "floor",
    ResizeRoundMode.CEIL: "ceil",
}


def _pads(layer: SlidingLayer) -> dict[str, Any]:
    """Return the attributes of padding with which ONNX's own rounding down gives TensorRT's output size."""
    before, behind = [], []
    mode = layer.padding_mode
    for axis, count in enumerate(layer.spatial_shape()):
        first, last = layer.paddings(axis)
        fixed = mode == PaddingMode.EXPLICIT_ROUND_DOWN or (mode in SAME and layer.stride[axis] == 1)
        if count < 0 and not fixed and mode in SAME and set(layer.dilation) == {1}:
            return {"auto_pad": mode.name}
        if count < 0 and not fixed:
            fault = f"{mode.name} on an input of shape {layer.inputs[0].shape}"
            raise NetworkError(layer.name, fault, "Its sizes must be known, or the mode EXPLICIT_ROUND_DOWN.")
        if count >= 0:
            used = (count - 1) * layer.stride[axis] + layer.reach(axis)
            last = max(0, used - layer.sizes[axis] - first)
        before.append(first)
        behind.append(last)
    return {"pads": [*before, *behind]}


def _folded(layer: WindowLayer, graph: Graph, value: str, run: Callable[[str], str]) -> str:
    """Run a function of [N, C, …] on a value of any rank: all dimensions before the channels become one batch."""
    behind = len(layer.window) + 1
    if graph.rank(layer.inputs[0]) == behind + 1:
        return run(value)
    outer = ([-1] * graph.batch_axes + list(layer.inputs[0].shape))[:-behind]
    wanted = [*outer, *layer.output_shape(0)[-behind:]]
    if wanted.count(-1) > 1:
        fault = f"an input of shape {layer.inputs[0].shape}, several of whose sizes are only known at run time"
        raise NetworkError(layer.name, fault, "Reshape it to one batch dimension.")
    flat = graph.node("Reshape", [value, graph.ints("flat", [-1, *layer.inputs[0].shape[-behind:]])])
    return str(graph.node("Reshape", [run(flat), graph.ints("shape", wanted)]))


def _kernel_and_bias(layer: Any, graph: Graph, inputs: list[str], kernel: Callable[..., str]) -> list[str]:
    """Return the data, the kernel and the bias, be they weights or tensors."""
    given, shape = layer.by_input(inputs), layer.kernel_shape()
    operands = [given[0]]
    if 1 in given:
        operands.append(graph.without_batch(layer, layer.get_input(1), given[1]))
    else:
        operands.append(kernel(layer.held("kernel"), shape))
    if 2 in given:
        operands.append(graph.without_batch(layer, layer.get_input(2), given[2]))
    elif layer.bias.size:
        operands.append(graph.weights(WeightsRole.BIAS, layer.held("bias")))
    return operands


@lowers(L.IConvolutionLayer)
def convolution(layer: L.IConvolutionLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Conv."""
    data, *others = _kernel_and_bias(layer, graph, inputs, graph.kernel)
    attributes: dict[str, Any] = {
        "kernel_shape": layer.window,
        "strides": layer.stride,
        **_pads(layer),
        "dilations": layer.dilation,
        "group": layer.num_groups,
    }
    return [_folded(layer, graph, data, lambda value: graph.node("Conv", [value, *others], **attributes))]


@lowers(L.IDeconvolutionLayer)
def deconvolution(layer: L.IDeconvolutionLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """ConvTranspose."""

    def kernel(weights: Any, shape: tuple[int, ...]) -> str:  # [C, K / groups, …]: a scale serves all groups
        return graph.kernel(weights, shape, axis=1 if layer.num_groups == 1 else None)

    data, *others = _kernel_and_bias(layer, graph, inputs, kernel)
    before, behind = zip(*(layer.paddings(axis) for axis in range(len(layer.window))), strict=True)
    attributes: dict[str, Any] = {
        "kernel_shape": layer.window,
        "strides": layer.stride,
        "pads": [*before, *behind],
        "dilations": layer.dilation,
        "group": layer.num_groups,
    }
    return [_folded(layer, graph, data, lambda value: graph.node("ConvTranspose", [value, *others], **attributes))]


@lowers(L.IPoolingLayer)
def pooling(layer: L.IPoolingLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """MaxPool or AveragePool, or both; windows that TensorRT clips at the border are padded instead.

    Where padding counts, TensorRT's mean of a window that reaches over it is over the whole window, as measured.
    """
    window = {"kernel_shape": layer.window, "strides": layer.stride, **_pads(layer)}

    def maximum(value: str) -> str:
        return str(graph.node("MaxPool", [value], **window))

    def mean(value: str) -> str:
        count_padding = not layer.average_count_excludes_padding
        pads = window.get("pads", [])
        if not count_padding and any(pad >= size for pad, size in zip(pads, layer.window * 2, strict=False)):
            fault = "the padding size is larger than or equal to the filter size for exclusive-counting pooling"
            raise NetworkError(layer.name, fault, "Round down, or count the padding.")
        if not (count_padding and _overshoots(layer, window) and layer.padding_mode not in CAFFE):
            return str(graph.node("AveragePool", [value], count_include_pad=int(count_padding), **window))
        count = len(layer.window)
        before, behind = pads[:count], pads[count:]
        leading = [0, 0]  # of items and channels: `_folded` leaves no others
        padded = graph.node("Pad", [value, graph.ints("pads", [*leading, *before, *leading, *behind])])
        return str(graph.node("AveragePool", [padded], kernel_shape=layer.window, strides=layer.stride))

    def blend(value: str) -> str:
        shares = [graph.constant("share", np.float32(share)) for share in (1 - layer.blend_factor, layer.blend_factor)]
        parts = [graph.node("Mul", list(pair)) for pair in zip((maximum(value), mean(value)), shares, strict=True)]
        return str(graph.node("Add", parts))

    run = {PoolingType.MAX: maximum, PoolingType.AVERAGE: mean, PoolingType.MAX_AVERAGE_BLEND: blend}
    return [_folded(layer, graph, inputs[0], run[layer.pooling_type])]


def _overshoots(layer: SlidingLayer, window: dict[str, Any]) -> bool:
    """Whether the last window reaches over the padding."""
    count = len(layer.window)
    ends = window.get("pads", [0] * 2 * count)[count:]
    return any(end > layer.paddings(axis)[1] for axis, end in enumerate(ends))


@lowers(L.IFullyConnectedLayer)
def fully_connected(layer: L.IFullyConnectedLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Flatten the last three dimensions, Gemm, and put the ones back."""
    leading = ([-1] * graph.batch_axes + list(layer.inputs[0].shape))[:-3]
    if leading.count(-1) > 1:
        fault = f"an input of shape {layer.inputs[0].shape}, several of whose sizes are only known at run time"
        raise NetworkError(layer.name, fault, "Reshape it to one batch dimension.")
    kernel = graph.kernel(layer.held("kernel"), layer.kernel_shape())
    operands = [graph.node("Flatten", inputs, axis=len(leading)), kernel]
    if layer.bias.size:
        operands.append(graph.weights(WeightsRole.BIAS, layer.held("bias")))
    product = graph.node("Gemm", operands, transB=1)
    return [graph.node("Reshape", [product, graph.ints("shape", [*leading, layer.num_output_channels, 1, 1])])]


@lowers(L.IPaddingLayer)
def padding(layer: L.IPaddingLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Pad; negative amounts cut off there too."""
    leading = [0] * (graph.rank(layer.inputs[0]) - 2)
    pads = [*leading, *layer.pre_padding, *leading, *layer.post_padding]
    return [graph.node("Pad", [inputs[0], graph.ints("pads", pads)])]


@lowers(L.IResizeLayer)
def resize(layer: L.IResizeLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Resize by the scales, or to the sizes: coordinates follow from what is given, in TensorRT and ONNX alike."""
    if 1 not in layer.by_input(inputs) and not layer.shape and not layer.scales:
        return [graph.node("Identity", inputs)]
    given, shape = layer.by_input(inputs), layer.output_shape(0)
    coordinates = COORDINATES[layer.coordinates]
    if coordinates == "half_pixel" and layer.selector_for_single_pixel == ResizeSelector.UPPER:
        coordinates = "pytorch_half_pixel"  # which differs in results of a single element
    attributes: dict[str, Any] = {
        "mode": layer.resize_mode.name.lower(),
        "coordinate_transformation_mode": coordinates,
        "nearest_mode": ROUNDING[layer.nearest_rounding],
    }
    if layer.resize_mode == InterpolationMode.CUBIC:
        attributes |= {"cubic_coeff_a": layer.cubic_coeff, "exclude_outside": int(layer.exclude_outside)}
    if 1 not in given and layer.scales:
        scales = graph.constant("scales", [1.0] * graph.batch_axes + _scales(layer), np.float32)
        return [graph.node("Resize", [given[0], "", scales], **attributes)]
    if 1 in given:
        sizes = graph.wide(graph.without_batch(layer, layer.inputs[1], given[1]))
    else:
        sizes = graph.ints("sizes", shape)
    if graph.batch_axes:
        sizes = graph.node("Concat", [graph.first_sizes(given[0], 1), sizes], axis=0)
    return [graph.node("Resize", [given[0], "", "", sizes], **attributes)]


def _scales(layer: L.IResizeLayer) -> list[float]:
    """Return the scales, those a hair larger by which ONNX's inference gives other sizes than the kernels.

    It multiplies in double precision, and they in float32: 7 * 13 / 7 is 12 there. Sizes in place of scales would move
    the coordinates of the other axes, which follow from what is given.
    """
    scales = []
    for size, scale, found in zip(layer.inputs[0].shape, layer.scales, layer.output_shape(0), strict=True):
        near = np.float32(scale)
        if size >= 0 and int(size * float(near)) != found:
            near = np.nextafter(near, np.float32(np.inf))
        scales.append(float(near))
    return scales


@lowers(L.IConstantLayer)
def constant(layer: L.IConstantLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """An initializer; a batch dimension of one stands in for an implicit batch."""
    shape = (1,) * graph.batch_axes + tuple(layer.shape)
    return [graph.node("Identity", [graph.weights(WeightsRole.CONSTANT, layer.held("weights"), shape)])]
