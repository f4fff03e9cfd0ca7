"""Importers of what slides a window or resizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from trtflow.reference.record.enums import (
    InterpolationMode,
    PoolingType,
    ResizeCoordinateTransformation,
    ResizeRoundMode,
    ResizeSelector,
)
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import Function, UnsupportedForm, attribute, float_only, need, parses
from trtflow.reference.record.onnx.types import narrowed
from trtflow.reference.record.tensor import ITensor

COORDINATES = {
    "align_corners": (ResizeCoordinateTransformation.ALIGN_CORNERS, ResizeSelector.FORMULA),
    "asymmetric": (ResizeCoordinateTransformation.ASYMMETRIC, ResizeSelector.FORMULA),
    "half_pixel": (ResizeCoordinateTransformation.HALF_PIXEL, ResizeSelector.FORMULA),
    "pytorch_half_pixel": (ResizeCoordinateTransformation.HALF_PIXEL, ResizeSelector.UPPER),
}
ROUNDINGS = {
    "round_prefer_floor": ResizeRoundMode.HALF_DOWN,
    "round_prefer_ceil": ResizeRoundMode.HALF_UP,
    "floor": ResizeRoundMode.FLOOR,
    "ceil": ResizeRoundMode.CEIL,
}


def _window(node: onnx.NodeProto, layer: Any, data: ITensor) -> None:
    """Set stride, padding and dilation of a window."""
    count = len(layer.window)
    layer.stride = tuple(attribute(node, "strides", [1] * count))
    layer.dilation = tuple(attribute(node, "dilations", [1] * count))
    mode = attribute(node, "auto_pad", b"NOTSET").decode()
    pads = attribute(node, "pads", [0] * 2 * count)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        if -1 in data.shape[-count:]:
            raise UnsupportedForm
        pads = _same(layer, data.shape[-count:], mode)
    layer.pre_padding, layer.post_padding = tuple(pads[:count]), tuple(pads[count:])


def _same(layer: Any, sizes: tuple[int, ...], mode: str) -> list[int]:
    less, more = [], []
    for axis, size in enumerate(sizes):
        reach = layer.dilation[axis] * (layer.window[axis] - 1) + 1
        total = max((-(-size // layer.stride[axis]) - 1) * layer.stride[axis] + reach - size, 0)
        less.append(total // 2)
        more.append(total - total // 2)
    return [*less, *more] if mode == "SAME_UPPER" else [*more, *less]


@parses("Conv")
def _conv(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    data, kernel, bias = need(operands[0], tensor=True), operands[1], (*operands, None)[2]
    if len(kernel.shape) == 3 and isinstance(kernel, np.ndarray):
        return _of_rows(_conv, parse, node, operands)
    if len(kernel.shape) not in (4, 5) or -1 in kernel.shape:
        raise UnsupportedForm
    weights = [narrowed(operand) if isinstance(operand, np.ndarray) else None for operand in (kernel, bias)]
    layer = parse.network.add_convolution(data, kernel.shape[0], kernel.shape[2:], *weights)
    _give_tensors(layer, kernel, bias)
    layer.num_groups = attribute(node, "group", 1)
    _window(node, layer, data)
    return layer.outputs[0]


@parses("ConvTranspose")
def _conv_transpose(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    """A deconvolution, where its padding says what ONNX means: more output is less padding behind."""
    data, kernel, bias = need(operands[0], tensor=True), operands[1], (*operands, None)[2]
    if attribute(node, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or attribute(node, "output_shape"):
        raise UnsupportedForm
    if len(kernel.shape) == 3 and isinstance(kernel, np.ndarray):
        return _of_rows(_conv_transpose, parse, node, operands)
    if len(kernel.shape) not in (4, 5) or -1 in kernel.shape:
        raise UnsupportedForm
    pads, more = attribute(node, "pads", [0] * 6), attribute(node, "output_padding", [0] * 3)
    if any(end < size for end, size in zip(pads[len(kernel.shape) - 2 :], more, strict=False)):
        raise UnsupportedForm
    weights = [narrowed(operand) if isinstance(operand, np.ndarray) else None for operand in (kernel, bias)]
    groups = attribute(node, "group", 1)
    layer = parse.network.add_deconvolution(data, kernel.shape[1] * groups, kernel.shape[2:], *weights)
    _give_tensors(layer, kernel, bias)
    layer.num_groups = groups
    _window(node, layer, data)
    layer.post_padding = tuple(end - size for end, size in zip(layer.post_padding, more, strict=False))
    return layer.outputs[0]


def _give_tensors(layer: Any, kernel: Any, bias: Any) -> None:
    """Set those weights that are tensors, as behind a dequantize layer."""
    for index, operand in ((1, kernel), (2, bias)):
        if isinstance(operand, ITensor):
            layer.set_input(index, operand)


def _of_rows(importer: Function, parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    """Give rows a width of 1, as TensorRT does: a convolution has two dimensions or three."""
    flat = onnx.NodeProto()
    flat.CopyFrom(node)
    behind = {"strides": [1], "dilations": [1], "kernel_shape": [1], "output_padding": [0]}
    for item in flat.attribute:
        if item.name == "pads":
            item.ints[:] = [item.ints[0], 0, item.ints[1], 0]
        item.ints.extend(behind.get(item.name, []))
    wide = parse.network.add_shuffle(operands[0])
    wide.reshape_dims = (0, 0, 0, 1)
    made = importer(parse, flat, [wide.outputs[0], operands[1][..., None], *operands[2:]])
    rows = parse.network.add_shuffle(made)
    rows.reshape_dims = (0, 0, 0)
    return rows.outputs[0]


@parses("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
def _pool(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    data = need(operands[0], tensor=True)
    everything = node.op_type.startswith("Global")
    if len(data.shape) not in (4, 5) or len(node.output) > 1 or (everything and -1 in data.shape[2:]):
        raise UnsupportedForm
    if attribute(node, "ceil_mode", 0) or set(attribute(node, "dilations", [1])) != {1}:
        raise UnsupportedForm
    kind = PoolingType.MAX if "Max" in node.op_type else PoolingType.AVERAGE
    layer = parse.network.add_pooling(data, kind, data.shape[2:] if everything else attribute(node, "kernel_shape"))
    if not everything:
        _window(node, layer, data)
    layer.average_count_excludes_padding = not attribute(node, "count_include_pad", 0)
    return layer.outputs[0]


@parses("Resize")
def _resize(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    mode = attribute(node, "mode", b"nearest").decode()
    coordinates = attribute(node, "coordinate_transformation_mode", b"half_pixel").decode()
    scales, sizes = ([*operands[2:], None, None])[:2]
    if coordinates not in COORDINATES:
        raise UnsupportedForm
    layer = parse.network.add_resize(float_only(operands[0]))
    if sizes is not None and len(sizes.shape) == 1 and sizes.shape[0]:
        if isinstance(sizes, ITensor):
            layer.set_input(1, sizes)
        else:
            layer.shape = sizes.tolist()
    else:
        layer.scales = need(scales).tolist()
    layer.resize_mode = InterpolationMode.__members__[mode.upper()]
    layer.coordinate_transformation, layer.selector_for_single_pixel = COORDINATES[coordinates]
    layer.nearest_rounding = ROUNDINGS[attribute(node, "nearest_mode", b"round_prefer_floor").decode()]
    layer.exclude_outside = bool(attribute(node, "exclude_outside", 0))
    layer.cubic_coeff = attribute(node, "cubic_coeff_a", -0.75)
    return layer.outputs[0]
