"""What TensorRT's loops cannot hold: sizes that change from one iteration to the next."""

from __future__ import annotations

import onnx

from trtflow.reference.record.onnx.registry import graphs_of

SHAPE_OPERANDS: dict[str, tuple[int, ...]] = {  # places of inputs that sizes are made of
    "Reshape": (1,),
    "Expand": (1,),
    "ConstantOfShape": (0,),
    "Range": (0, 1, 2),
    "Resize": (2, 3),
    "Slice": (1, 2),
    "Tile": (1,),
    "TopK": (1,),
    "OneHot": (1,),
    "Pad": (1,),
    "Loop": (0,),
}


def varying_size(node: onnx.NodeProto) -> str:
    """Return which size changes inside a Loop or Scan, or nothing; TensorRT's builder refuses such."""
    if node.op_type not in ("Loop", "Scan"):
        return ""
    return next((fault for graph in graphs_of(node) if (fault := _varying(graph))), "")


def _varying(graph: onnx.GraphProto) -> str:
    changing = {value.name for value in graph.input}
    for node in graph.node:
        for place in SHAPE_OPERANDS.get(node.op_type, ()):
            if place < len(node.input) and node.input[place] in changing:
                return f"{node.op_type} makes sizes of {node.input[place]!r}, which changes from iteration to iteration"
        if node.op_type not in ("Shape", "Size") and changing.intersection(node.input):
            changing.update(node.output)
    return ""
