"""Convolutions of a single point that pass over others, with their stride taken before the steps are read.

OpenVINO moves such a stride in front of the convolution itself, behind the DequantizeLinear, and then finds no integer
kernel: 6 of ResNet-50's 53 convolutions took 11 of 29 ms in float32. A pool over single points does the same on the
steps, and what is left reads every point.
"""

from __future__ import annotations

import onnx
from onnx import helper

from trtflow.reference.run.graph_index import Index, drop_unread, replace_nodes


def stride_early(model: onnx.ModelProto) -> None:
    """Rewrite a lowered network of Q/DQ pairs in place; its values stay the same."""
    graph = model.graph
    index = Index(graph)
    strided: dict[tuple[str, tuple[int, ...]], str] = {}  # where the points that are left of a value are
    behind: dict[str, list[onnx.NodeProto]] = {}  # what is to stand behind the maker of a value
    for node in graph.node:
        source = index.producers.get(node.input[0]) if node.op_type == "Conv" else None
        if source is None or source.op_type != "DequantizeLinear" or source.input[0] not in index.producers:
            continue
        if (strides := _strides(node)) is None:
            continue
        key = source.output[0], strides
        if key not in strided:
            pool, reader = _pooled(source, strides)
            strided[key] = reader.output[0]
            behind.setdefault(source.output[0], []).extend([pool, reader])
        node.input[0] = strided[key]
        next(item for item in node.attribute if item.name == "strides").ints[:] = [1] * len(strides)
    if behind:
        replace_nodes(graph, [kept for node in graph.node for kept in (node, *behind.get(node.output[0], ()))])
        drop_unread(graph)


def _strides(node: onnx.NodeProto) -> tuple[int, ...] | None:
    """Return the strides of a convolution of a single point, None of another and where they are 1."""
    found = {item.name: tuple(item.ints) for item in node.attribute}
    strides = found.get("strides", ())
    single = set(found.get("kernel_shape", ())) == {1} and not any(found.get("pads", ()))
    return strides if single and set(strides) - {1} else None


def _pooled(source: onnx.NodeProto, strides: tuple[int, ...]) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    """Return a pool of the steps that a DequantizeLinear reads, and one more of it that reads the pool's."""
    name = f"{source.output[0]}/{'x'.join(map(str, strides))}"
    steps = f"{name}/steps"
    pool = helper.make_node(
        "MaxPool", [source.input[0]], [steps], steps, kernel_shape=[1] * len(strides), strides=list(strides)
    )
    reader = onnx.NodeProto()
    reader.CopyFrom(source)
    reader.name = reader.output[0] = name
    reader.input[0] = steps
    return pool, reader
