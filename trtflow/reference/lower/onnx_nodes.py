"""Nodes of ONNX that are lowered as they are."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto, helper

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import ONNX_TYPES, SEPARATOR, Graph, lowers
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.layer import FLOATS
from trtflow.reference.record.onnx_layer import IOnnxLayer

# Operators that move values, of which ONNX Runtime has no kernels for some types: the inputs of that type, and the type
# that holds its values as well. INT64 are TensorRT's INT32, which DOUBLE holds.
CARRIERS: dict[str, tuple[tuple[int, ...], dict[int, int]]] = {
    "Where": ((1, 2), {TensorProto.BOOL: TensorProto.UINT8, TensorProto.INT8: TensorProto.INT32}),
    "OneHot": ((2,), dict.fromkeys((TensorProto.INT32, TensorProto.BOOL, TensorProto.INT8), TensorProto.INT64)),
    "Trilu": ((0,), {TensorProto.INT8: TensorProto.INT32}),
    "NonZero": ((0,), {TensorProto.INT8: TensorProto.INT32}),
    **dict.fromkeys(
        ("DepthToSpace", "SpaceToDepth"),
        ((0,), dict.fromkeys((TensorProto.INT32, TensorProto.INT64, TensorProto.INT8), TensorProto.DOUBLE)),
    ),
}


@lowers(IOnnxLayer)
def onnx_node(layer: IOnnxLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """The node with its inputs renamed; TensorRT's INT32 becomes ONNX's own type on the way in, and back."""
    if layer.fault:
        raise NetworkError(
            layer.name, layer.fault, "TensorRT's sizes are fixed before a loop runs: pad to the largest."
        )
    elem_types, results = layer.elem_types
    values = {
        name: value if _held(tensor.native_dtype) == elem_type else graph.node("Cast", [value], to=elem_type)
        for name, value, tensor, elem_type in zip(layer.names, inputs, layer.inputs, elem_types, strict=True)
    }
    values |= {name: graph.constant("constant", array, array.dtype) for name, array in layer.constants.items()}
    carriers = _carriers(layer)
    names = [
        graph.node("Cast", [values[name]], to=carriers[place]) if place in carriers else values[name] if name else ""
        for place, name in enumerate(layer.node.input)
    ]
    attributes = {item.name: _attribute(item, values, graph) for item in layer.node.attribute}
    count = len(layer.node.output)
    made = graph.node(layer.node.op_type, names, outputs=count, domain=layer.node.domain, **attributes)
    every = [made] if count == 1 else made
    wanted = [value for value, name in zip(every, layer.node.output, strict=True) if name]
    carried = CARRIERS[layer.node.op_type][1] if carriers else {}
    return [
        value if _held(dtype) == carried.get(elem_type, elem_type) else graph.node("Cast", [value], to=_held(dtype))
        for value, dtype, elem_type in zip(wanted, layer.dtypes, results, strict=True)
    ]


def _carriers(layer: IOnnxLayer) -> dict[int, int]:
    """Return the type that carries each of a node's inputs that ONNX Runtime has no kernel for, by its place."""
    places, types = CARRIERS.get(layer.node.op_type, ((), {}))
    known = dict(zip(layer.names, layer.elem_types[0], strict=True))
    known |= {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in layer.constants.items()}
    given = ((place, known[layer.node.input[place]]) for place in places)
    return {place: types[elem_type] for place, elem_type in given if elem_type in types}


def _held(dtype: DataType) -> int:
    """Return ONNX's type of a value in a lowered network where such a node reads or makes it."""
    return TensorProto.FLOAT if dtype in FLOATS else ONNX_TYPES[dtype]


def _attribute(item: onnx.AttributeProto, values: dict[str, str], graph: Graph) -> Any:
    if item.type == onnx.AttributeProto.GRAPH:
        return _renamed(item.g, values, f"{graph.layer_name}{SEPARATOR}")
    return helper.get_attribute_value(item)


def _renamed(inner: onnx.GraphProto, values: dict[str, str], prefix: str) -> onnx.GraphProto:
    """Return a copy of a graph that a node holds: its own names prefixed, those of the graph around as they are now."""
    copy, names = onnx.GraphProto(), dict(values)
    copy.CopyFrom(inner)
    own: list[Any] = [*copy.input, *copy.initializer]
    for value in own:
        names[value.name] = value.name = f"{prefix}{value.name}"
    del copy.value_info[:]
    for node in copy.node:
        reads = [names[name] if name else "" for name in node.input]
        for item in node.attribute:
            if item.type == onnx.AttributeProto.GRAPH:
                item.g.CopyFrom(_renamed(item.g, names, prefix))
        for index, name in enumerate(node.output):
            if name:
                names[name] = node.output[index] = f"{prefix}{name}"
        del node.input[:]
        node.input.extend(reads)
        node.name = f"{prefix}{node.name}" if node.name else ""
    for value in copy.output:
        value.name = names[value.name]
    return copy
