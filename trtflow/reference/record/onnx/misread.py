"""Forms of opset 17 that TensorRT 8.6 takes for others, in operators that it takes for what they are.

The parser takes them as ONNX means them, with a warning; a file that is brought down has none of them.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trtflow.reference.record.onnx.opsets import Around, constant_node, drop, misread
from trtflow.reference.record.onnx.registry import attribute

LAST = 2**31 - 1  # behind all axes


def is_misread(node: onnx.NodeProto) -> bool:
    """Whether TensorRT takes a node of opset 17 for another that can be written so that it does not."""
    given = {item.name for item in node.attribute}
    if node.op_type in ("LSTM", "GRU", "RNN"):
        return bool(attribute(node, "layout", 0))
    if node.op_type == "ReduceSum":
        return bool(attribute(node, "noop_with_empty_axes", 0))
    return bool(given & {"Shape": {"start", "end"}, "Constant": {"value_int", "value_ints"}}.get(node.op_type, set()))


@misread("Shape")
def _part_of_a_shape(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Cut the part out of the whole shape."""
    start, end = attribute(node, "start", 0), attribute(node, "end", LAST)
    drop(node, "start", "end")
    if (start, end) == (0, LAST):
        return [node]
    result, whole = node.output[0], f"{node.output[0]}::whole"
    node.output[0] = whole
    bounds = [constant_node(node, what, [value], np.int64) for what, value in (("start", start), ("end", end))]
    cut = helper.make_node("Slice", [whole, *(bound.output[0] for bound in bounds)], [result], f"{node.name}_part")
    return [node, *bounds, cut]


@misread("Constant")
def _whole_numbers(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Give whole numbers as a tensor."""
    for name in ("value_int", "value_ints"):
        values = attribute(node, name)
        if values is not None:
            tensor = numpy_helper.from_array(np.asarray(values, np.int64), node.output[0])
            return [helper.make_node("Constant", [], list(node.output), node.name, value=tensor)]
    return [node]


@misread("ReduceSum")
def _sum_along_nothing(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Pass on what is summed along no axes."""
    noop = attribute(node, "noop_with_empty_axes", 0)
    drop(node, "noop_with_empty_axes")
    axes = around.constant(node.input[1]) if len(node.input) > 1 and node.input[1] else np.empty(0)
    if noop and axes is not None and not axes.size:
        return [helper.make_node("Identity", node.input[:1], list(node.output), node.name)]
    return [node]
