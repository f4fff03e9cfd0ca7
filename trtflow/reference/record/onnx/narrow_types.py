"""Operands in the types that TensorRT has: INT64 is INT32 to its parser, and so is a constant of UINT8.

So it takes an INT32 where ONNX's operator wants an INT64, as converters to INT32 leave models; ONNX Runtime does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from trtflow.reference.record.onnx.registry import OPSET, graphs_of, schema_of

if TYPE_CHECKING:
    from trtflow.reference.record.onnx.parse import Parse

QUANTISERS = ("QuantizeLinear", "DequantizeLinear")


def read_by_quantisers(graph: onnx.GraphProto) -> Iterator[str]:
    """Yield what quantisers read, of which importers of theirs say what becomes of UINT8."""
    for node in graph.node:
        if node.op_type in QUANTISERS:
            yield from node.input
        for inner in graphs_of(node):
            yield from read_by_quantisers(inner)


def as_weights(array: np.ndarray) -> np.ndarray:
    """Return a constant as TensorRT's parser holds it where it is UINT8: INT32."""
    return array.astype(np.int32) if array.dtype == np.uint8 else array


def as_read(parse: Parse, node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a node of opset 17 that reads INT64 where ONNX wants that and TensorRT has an INT32 all the same."""
    node = _filling(node) if node.op_type == "ConstantOfShape" and not parse.beyond else node
    schema = schema_of(node, OPSET)
    names = list(node.input)
    for place, name in enumerate(names):
        if schema is None or name not in parse.told or parse.told[name].elem_type != TensorProto.INT32:
            continue
        types = schema.inputs[min(place, len(schema.inputs) - 1)].types
        if "tensor(int64)" in types and "tensor(int32)" not in types:
            names[place] = _widened(parse, name)
    if names == list(node.input):
        return node
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = names
    return copy


def _widened(parse: Parse, name: str) -> str:
    """Return the name under which ONNX has an INT32 as an INT64; to TensorRT it is the same value."""
    wide, value, told = f"{name}::int64", parse.values[name], parse.told[name]
    array = value.astype(np.int64) if isinstance(value, np.ndarray) else None
    parse.values[wide] = value if array is None else array
    parse.told[wide] = replace(told, elem_type=TensorProto.INT64, array=array)
    if parse.is_weights(name):
        parse.weights.add(wide)
    return wide


def _filling(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a ConstantOfShape that fills with INT32 where it fills with UINT8."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for item in copy.attribute:
        if item.name == "value":
            item.t.CopyFrom(numpy_helper.from_array(as_weights(numpy_helper.to_array(item.t)), item.t.name))
    return copy
