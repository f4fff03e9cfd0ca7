"""ONNX models in the forms that TensorRT 8.6 reads: what exporters write today it would take for something else.

PyTorch's exporter writes opset 18 and later, in which ReduceMean has its axes as an input. TensorRT 8.6 passes over it
and reduces along all axes, without a word; parts of Shape and whole numbers of a Constant it reads wrong too. Opset 17
says the same in forms that it knows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnx.inliner
from onnx import helper, numpy_helper

from trtflow.reference.record.onnx.errors import Refusal
from trtflow.reference.record.onnx.opsets import NUMBERS, Around, bring, constant_value
from trtflow.reference.record.onnx.registry import OPSET, attribute, graphs_of

ONNX = ("", "ai.onnx")


def in_known_forms(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model that gives the same, in opset 17 at most and in forms that TensorRT 8.6 reads as they are meant.

    Args:
        model: it is left as it is. Where opset 17 cannot say a node the model comes back as it is too, and TensorRT's
            parser, or the reference's, says which node that is.
    """
    try:
        return _brought(onnx.inliner.inline_local_functions(model) if model.functions else model)
    except Refusal:
        return model


def _brought(model: onnx.ModelProto) -> onnx.ModelProto:
    opset = next((item.version for item in model.opset_import if item.domain in ONNX), OPSET)
    found = onnx.ModelProto()
    found.CopyFrom(model)
    around = _around(model)
    nodes = list(found.graph.node)
    if opset > OPSET:
        nodes = [made for node in nodes for made in (bring(node, opset, around) if node.domain in ONNX else [node])]
        for item in found.opset_import:
            item.version = OPSET if item.domain in ONNX else item.version
        del found.graph.value_info[:]  # of values that may be others now
    replaced = [onnx.NodeProto.FromString(made.SerializeToString()) for node in nodes for made in _plain(node)]
    del found.graph.node[:]
    found.graph.node.extend(replaced)
    return found


def _plain(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Yield what stands for a node of opset 17 in forms that TensorRT 8.6 reads, in graphs within it too."""
    for graph in graphs_of(node):
        nodes = [onnx.NodeProto.FromString(made.SerializeToString()) for item in graph.node for made in _plain(item)]
        del graph.node[:]
        graph.node.extend(nodes)
    value = constant_value(node) if node.domain in ONNX else None
    if value is not None and node.attribute[0].name in NUMBERS:
        tensor = numpy_helper.from_array(value, node.output[0])
        yield helper.make_node("Constant", [], list(node.output), node.name, value=tensor)
    elif node.domain in ONNX and node.op_type == "Shape" and node.attribute:
        yield from _part_of_shape(node)
    else:
        yield node


def _part_of_shape(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Yield Shape of all axes, and the Slice that its start and end stand for."""
    name, ends = node.output[0], (attribute(node, "start", 0), attribute(node, "end", np.iinfo(np.int64).max))
    whole, places = f"{name}/whole", [f"{name}/start", f"{name}/end"]
    yield helper.make_node("Shape", list(node.input), [whole], node.name)
    for place, value in zip(places, ends, strict=True):
        yield helper.make_node("Constant", [], [place], value=numpy_helper.from_array(np.array([value], np.int64)))
    yield helper.make_node("Slice", [whole, *places], [name], f"{node.name or name}/part")


def _around(model: onnx.ModelProto) -> Around:
    """Return what is known of the values of a model's graph, by inference."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    told = {value.name: value.type.tensor_type for value in (*graph.input, *graph.value_info, *graph.output)}
    values = {node.output[0]: made for node in graph.node if (made := constant_value(node)) is not None}

    def constant(name: str) -> np.ndarray | None:
        return numpy_helper.to_array(constants[name]) if name in constants else values.get(name)

    def shape(name: str) -> list[int | None] | None:
        if name in constants:
            return list(constants[name].dims)
        if name not in told or not told[name].HasField("shape"):
            return None
        return [dim.dim_value if dim.HasField("dim_value") else None for dim in told[name].shape.dim]

    def rank(name: str) -> int | None:
        sizes = shape(name)
        return None if sizes is None else len(sizes)

    def size(name: str, axis: int) -> int | None:
        sizes = shape(name)
        return sizes[axis] if sizes and -len(sizes) <= axis < len(sizes) else None

    def elem_type(name: str) -> int:
        return constants[name].data_type if name in constants else told[name].elem_type if name in told else 0

    return Around(constant, rank, size, elem_type, lambda message: None)
