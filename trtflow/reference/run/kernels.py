"""Fits a lowered network to the kernels that ONNX Runtime has on a CPU, without changing a value it computes.

The lowered network is written for everybody: float16 tensors and symmetric INT8 as TensorRT defines them. On a CPU

- float16 operators are missing or are silently run in float32 from end to end, so each is run in float32 and its
  result rounded to float16 by a pair of casts, which ONNX Runtime keeps;
- local response normalisation has no vector kernel, so others take its place (`normalisation.py`);
- Q/DQ pairs are brought into the form that the integer kernels take (`integer_kernels.py`); one that is there
  for such a kernel alone goes where a float kernel is faster.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtflow.reference.run.graph_index import Index, replace_nodes, set_initializer
from trtflow.reference.run.integer_kernels import use_integer_kernels
from trtflow.reference.run.normalisation import replace_lrn

KEEP_ROUNDING = {"Cast", "Concat", "Flatten", "Gather", "Identity", "MaxPool", "Relu", "Reshape", "Transpose"}


def for_cpu(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a lowered network that computes the same with the kernels a CPU has."""
    copy = with_emulated_half(model)
    use_integer_kernels(copy)
    replace_lrn(copy.graph)
    return copy


def with_emulated_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a lowered network that computes float16 in float32 and rounds it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _emulate_half(copy)
    return copy


def _emulate_half(model: onnx.ModelProto) -> None:
    """Run float16 operators in float32 and round what they compute to float16."""
    graph = model.graph
    if not any(node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT16 for node in graph.node):
        return
    typed = onnx.shape_inference.infer_shapes(model).graph.value_info
    half = {value.name for value in typed if value.type.tensor_type.elem_type == TensorProto.FLOAT16}
    index = Index(graph)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "Cast":
            if node.output[0] in half:
                _round(node, nodes)
            elif node.input[0] in half:
                node.op_type = "Identity"
                del node.attribute[:]
        elif half.intersection(node.output) and _rounds_here(node, index):
            for place, name in enumerate(node.output):
                if name in half:
                    _round(node, nodes, place)
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            set_initializer(tensor, numpy_helper.to_array(tensor).astype(np.float32))
    replace_nodes(graph, nodes)


def _rounds_here(node: onnx.NodeProto, index: Index) -> bool:
    """Whether a result needs rounding: not where values only move, and behind a ReLU rather than before it."""
    if node.op_type == "Relu":
        producer = index.producers.get(node.input[0])
        return producer is not None and index.only_consumer(producer) is node and producer.op_type not in KEEP_ROUNDING
    reader = index.only_consumer(node)
    deferred = reader is not None and reader.op_type == "Relu"
    return node.op_type not in KEEP_ROUNDING and not deferred


def _round(node: onnx.NodeProto, nodes: list[onnx.NodeProto], place: int = 0) -> None:
    """Give `node` a float32 result that is rounded to float16 under its old name."""
    name = node.output[place]
    exact, rounded = f"{name}/exact", f"{name}/half"
    if node.op_type == "Cast":
        node.output[place] = rounded
    else:
        node.output[place] = exact
        nodes.append(helper.make_node("Cast", [exact], [rounded], name=rounded, to=TensorProto.FLOAT16))
    nodes.append(helper.make_node("Cast", [rounded], [name], name=f"{name}/float", to=TensorProto.FLOAT))
