"""What nodes of opsets before 17 say, in the form of opset 17: one small function a change of an operator."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from trtflow.reference.record.onnx.errors import Refusal
from trtflow.reference.record.onnx.opsets import EXPORT_AGAIN, Around, as_inputs, before, constant_node, drop
from trtflow.reference.record.onnx.registry import OPSET, attribute


@before(7, "Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less", "Gemm", "PRelu")
def _without_broadcast(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if attribute(node, "broadcast", 0):
        around.warn(f"TensorRT 8.6 ignores broadcast of {node.name!r} ({node.op_type}), of opset {opset}.")
    drop(node, "axis", "broadcast")
    return [node]


@before(9, "BatchNormalization")
def _batch_norm(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if not attribute(node, "spatial", 1):
        raise Refusal("BatchNormalization with spatial 0", "Normalise each channel.")
    drop(node, "spatial", "is_test")
    return [node]


@before(6, "Cast")
def _cast(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    wanted = onnx.TensorProto.DataType.Value(attribute(node, "to").decode().upper())
    drop(node, "to")
    node.attribute.append(helper.make_attribute("to", wanted))
    return [node]


@before(5, "Reshape")
def _reshape(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return as_inputs(node, {"shape": 1}, np.int64)


@before(7, "Dropout")
def _tested(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if not attribute(node, "is_test", 1):
        words = "TensorRT does not support the Droupout operator with training mode."
        raise Refusal(words, "Export the model in its evaluation mode.")
    drop(node, "is_test")
    return [node]


@before(12, "Dropout")
def _dropout(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return as_inputs(node, {"ratio": 1}, np.float32)


@before(11, "Clip")
def _clip(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return as_inputs(node, {"min": 1, "max": 2}, np.float32)


@before(11, "Pad")
def _pad(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    for item in node.attribute:
        if item.name == "paddings":  # of opset 1
            item.name = "pads"
    *made, node = as_inputs(node, {"pads": 1}, np.int64)
    return [*made, *as_inputs(node, {"value": 2}, np.float32)]


@before(10, "Slice")
def _slice(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return as_inputs(node, {"starts": 1, "ends": 2, "axes": 3}, np.int64)


@before(10, "TopK")
def _topk(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    count = attribute(node, "k")
    drop(node, "k")
    made = constant_node(node, "k", [count], np.int64)
    node.input.append(made.output[0])
    return [made, node]


@before(13, "Squeeze", "Unsqueeze", "ReduceSum")
def _axes(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return as_inputs(node, {"axes": 1}, np.int64)


@before(13, "Split")
def _split(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return as_inputs(node, {"split": 1}, np.int64)


@before(11, "Scatter")
def _scatter(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    node.op_type = "ScatterElements"
    return [node]


@before(11, "Resize")
def _resize(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    node.input.insert(1, "")
    return [_asymmetric(node)]


@before(OPSET + 1, "Resize")
def without_empty(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Leave out inputs that hold nothing, which stood for such until opset 12."""
    for place, name in enumerate(node.input):
        values = around.constant(name)
        if values is not None and not values.size:
            node.input[place] = ""
    return [node]


@before(OPSET + 1, "Upsample")
def _upsample(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if attribute(node, "mode", b"nearest") not in (b"nearest", b"linear", b"bilinear"):
        words = "The attribute mode can only be nearest, linear, or bilinear."
        raise Refusal(words, "Resize of opset 11 and later has more.")
    *made, node = as_inputs(node, {"scales": 1}, np.float32)
    node.op_type = "Resize"
    node.input.insert(1, "")
    return [*made, _asymmetric(node)]


def _asymmetric(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a Resize as it was before opset 11: the only coordinates there were, and rounding down."""
    if attribute(node, "mode") == b"bilinear":  # of opset 1
        drop(node, "mode")
        node.attribute.append(helper.make_attribute("mode", "linear"))
    node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
    node.attribute.append(helper.make_attribute("nearest_mode", "floor"))
    return node


@before(13, "Softmax", "LogSoftmax", "Hardmax")
def _flat_softmax(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Flatten from the axis on, as these did until opset 12; the last axis alone means the same in both."""
    axis, rank = attribute(node, "axis", 1), around.rank(node.input[0])
    last = axis in (-1, None if rank is None else rank - 1)
    drop(node, "axis")
    node.attribute.append(helper.make_attribute("axis", -1))
    if last:
        return [node]
    data, result = node.input[0], node.output[0]
    flat, normed, shape = (f"{result}::{what}" for what in ("flat", "normed", "shape"))
    node.input[0], node.output[0] = flat, normed
    return [
        helper.make_node("Flatten", [data], [flat], f"{node.name}_flat" if node.name else "", axis=axis),
        node,
        helper.make_node("Shape", [data], [shape]),
        helper.make_node("Reshape", [normed, shape], [result], f"{node.name}_shape" if node.name else ""),
    ]


@before(9, "Scan")
def _batched_scan(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Scan of opset 8 runs over a batch: that of one picture is Scan of today."""
    if node.input[0]:
        raise Refusal("TensorRT doesn't support sequence_lens input for this node!", "Leave sequence_lens out.")
    if any(around.size(name, 0) != 1 for name in node.input[1:]):
        raise Refusal("Scan of opset 8 over a batch", EXPORT_AGAIN)
    made = [constant_node(node, "axes", [0], np.int64)]
    axes = made[0].output[0]
    inputs = [f"{node.output[0]}::{name}" for name in node.input[1:]]
    outputs = [f"{name}::single" if name else "" for name in node.output]
    made += [
        helper.make_node("Squeeze", [name, axes], [single]) for name, single in zip(node.input[1:], inputs, strict=True)
    ]
    wide = [
        helper.make_node("Unsqueeze", [single, axes], [name])
        for name, single in zip(node.output, outputs, strict=True)
        if name
    ]
    for item in node.attribute:
        if item.name == "directions":
            item.name = "scan_input_directions"
    del node.input[:], node.output[:]
    node.input.extend(inputs)
    node.output.extend(outputs)
    return [*made, node, *wide]


@before(16, "RoiAlign")
def _roi_align(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "output_half_pixel"))
    return [node]


@before(OPSET + 1, "LSTM", "GRU", "RNN")
def batch_first(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Put the sequence first: ONNX Runtime has no layout 1."""
    if not attribute(node, "layout", 0):
        return [node]
    around.warn(f"TensorRT 8.6 ignores the layout of {node.name!r} ({node.op_type}): its values differ.")
    drop(node, "layout")
    made, behind_it = [], []
    for place, perm in ((0, [1, 0, 2]), (5, [1, 0, 2]), (6, [1, 0, 2])):
        if place < len(node.input) and node.input[place]:
            turned = f"{node.output[0] or node.name}::{node.input[place]}"
            made.append(helper.make_node("Transpose", [node.input[place]], [turned], perm=perm))
            node.input[place] = turned
    for place, perm in enumerate([[2, 0, 1, 3], [1, 0, 2], [1, 0, 2]][: len(node.output)]):
        if node.output[place]:
            behind_it.append(
                helper.make_node("Transpose", [f"{node.output[place]}::turned"], [node.output[place]], perm=perm)
            )
            node.output[place] = f"{node.output[place]}::turned"
    return [*made, node, *behind_it]
