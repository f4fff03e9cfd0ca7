"""Nodes of ONNX that are lowered as they are."""

from __future__ import annotations

import onnx

from trtflow.reference.lower.graph import ONNX_TYPES, Graph, lowers
from trtflow.reference.record.onnx_layer import IOnnxLayer


@lowers(IOnnxLayer)
def onnx_node(layer: IOnnxLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """The node with its inputs renamed; TensorRT's INT32 becomes ONNX's own type on the way in, and back."""
    elem_types, results = layer.elem_types
    values = iter(
        value if ONNX_TYPES[tensor.dtype] == elem_type else graph.node("Cast", [value], to=elem_type)
        for value, tensor, elem_type in zip(inputs, layer.inputs, elem_types, strict=True)
    )
    names = [next(values) if name else "" for name in layer.node.input]
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in layer.node.attribute}
    count = len(layer.node.output)
    made = graph.node(layer.node.op_type, names, outputs=count, domain=layer.node.domain, **attributes)
    every = [made] if count == 1 else made
    wanted = [value for value, name in zip(every, layer.node.output, strict=True) if name]
    return [
        value if ONNX_TYPES[dtype] == elem_type else graph.node("Cast", [value], to=ONNX_TYPES[dtype])
        for value, dtype, elem_type in zip(wanted, layer.dtypes, results, strict=True)
    ]
