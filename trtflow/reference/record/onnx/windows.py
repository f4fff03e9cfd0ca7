"""Importers of what slides a window or resizes."""

from __future__ import annotations

from typing import Any

import onnx

from trtflow.formats import UserError
from trtflow.reference.record.enums import (
    InterpolationMode,
    PoolingType,
    ResizeCoordinateTransformation,
    ResizeRoundMode,
)
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import UnsupportedForm, attribute, float_only, need, parses
from trtflow.reference.record.tensor import ITensor

COORDINATES = {item.name.lower(): item for item in ResizeCoordinateTransformation}
ROUNDINGS = {
    "round_prefer_floor": ResizeRoundMode.HALF_DOWN,
    "round_prefer_ceil": ResizeRoundMode.HALF_UP,
    "floor": ResizeRoundMode.FLOOR,
    "ceil": ResizeRoundMode.CEIL,
}


def _window(node: onnx.NodeProto, layer: Any, data: ITensor) -> None:
    """Set stride, padding and dilation of a window over two axes."""
    layer.stride = tuple(attribute(node, "strides", [1, 1]))
    layer.dilation = tuple(attribute(node, "dilations", [1, 1]))
    mode = attribute(node, "auto_pad", b"NOTSET").decode()
    pads = attribute(node, "pads", [0, 0, 0, 0])
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        if -1 in data.shape[-2:]:
            raise UnsupportedForm
        pads = _same(layer, data.shape[-2:], mode)
    layer.pre_padding, layer.post_padding = tuple(pads[:2]), tuple(pads[2:])


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
    if len(kernel.shape) != 4:
        raise UnsupportedForm
    weights = [None if isinstance(operand, ITensor) else operand for operand in (kernel, bias)]
    layer = parse.network.add_convolution(data, kernel.shape[0], kernel.shape[2:], *weights)
    for index, operand in ((1, kernel), (2, bias)):
        if isinstance(operand, ITensor):  # as behind a dequantize layer
            layer.set_input(index, operand)
    layer.num_groups = attribute(node, "group", 1)
    _window(node, layer, data)
    return layer.outputs[0]


@parses("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
def _pool(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    data = need(operands[0], tensor=True)
    everything = node.op_type.startswith("Global")
    if len(data.shape) != 4 or len(node.output) > 1 or (everything and -1 in data.shape[2:]):
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
    if parse.opset < 11:  # it was Upsample under another name
        return upsample(parse, node, operands)
    mode = attribute(node, "mode", b"nearest").decode()
    coordinates = attribute(node, "coordinate_transformation_mode", b"half_pixel").decode()
    rounding = attribute(node, "nearest_mode", b"round_prefer_floor").decode()
    by_scales = len(operands) == 3 and operands[2] is not None
    others = {"axes", "antialias", "keep_aspect_ratio_policy"} & {item.name for item in node.attribute}
    if mode not in ("nearest", "linear") or coordinates not in COORDINATES or not by_scales or others:
        raise UnsupportedForm
    layer = parse.network.add_resize(float_only(need(operands[0], tensor=True)))
    layer.scales = need(operands[2]).tolist()
    layer.resize_mode, layer.coordinate_transformation = InterpolationMode[mode.upper()], COORDINATES[coordinates]
    layer.nearest_rounding = ROUNDINGS[rounding]
    return layer.outputs[0]


@parses("Upsample")
def upsample(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    scales = attribute(node, "scales") if len(operands) < 2 else operands[1]
    if scales is None or isinstance(scales, ITensor):
        raise UserError("its scales depend on an input. Make them constant")
    layer = parse.network.add_resize(operands[0])  # nearest, asymmetric and rounded down, which is what it means
    layer.scales = [float(scale) for scale in scales]
    if attribute(node, "mode", b"nearest") != b"nearest":
        layer.resize_mode = InterpolationMode.LINEAR
    return layer.outputs[0]
