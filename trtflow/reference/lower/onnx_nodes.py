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
    made = graph.node(layer.node.op_type, names, outputs=len(results), domain=layer.node.domain, **attributes)
    return [
        name if ONNX_TYPES[dtype] == elem_type else graph.node("Cast", [name], to=ONNX_TYPES[dtype])
        for name, dtype, elem_type in zip([made] if len(results) == 1 else made, layer.dtypes, results, strict=True)
    ]
