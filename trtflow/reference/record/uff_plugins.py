"""UFF's custom operations: plugins by the registry."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import (
    PluginFieldType,
)
from trtflow.reference.record.plugins import PluginField, PluginFieldCollection, get_plugin_registry
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.uff_registry import parses
from trtflow.reference.record.uff_values import Constant, Operand, Value
from trtflow.reference.record.values import DTYPES

if TYPE_CHECKING:
    from trtflow.reference.record.uff_parser import Parse

SUFFIX = re.compile(r"_u_[a-z]+$")  # graphsurgeon's, by which a plugin's attribute tells its type


@parses("_Cast")
def _cast(parse: Parse, node: Any, operands: list[Operand]) -> Operand | list[Value]:
    """A constant in another type; NVIDIA's converter has no operation for it. A value's needs a plugin."""
    if not isinstance(operands[0], Constant):
        return add_plugin(parse, node, operands)
    dtype = parse.need_field(node, "DstT")
    return Constant(operands[0].array.astype(np.int32 if dtype is not None and dtype.kind == "i" else np.float32))


def add_plugin(parse: Parse, node: Any, operands: list[Operand]) -> list[Value]:
    """Make a plugin of a custom operation; its inputs keep the order that they have."""
    kind = node.operation[1:]
    creator = get_plugin_registry().get_plugin_creator(kind, "1", parse.namespace)
    if creator is None:
        known = sorted(item.name for item in get_plugin_registry().plugin_creator_list)
        remedy = f"Load the library that registers it first. Registered: {', '.join(known) or 'none'}."
        raise NetworkError(node.id, f"no plugin {kind!r} for a custom operation of {parse.source}", remedy)
    wanted = {field.name for field in creator.field_names}
    given = {SUFFIX.sub("", key): parse.field(node, key) for key in sorted(node.fields)}
    fields = PluginFieldCollection(_plugin_field(key, value) for key, value in given.items() if key in wanted)
    plugin = creator.create_plugin(node.id, fields)
    tensors = [
        operand.tensor if isinstance(operand, Value) else parse.axes.constant(operand, f"{node.id}_{index}")
        for index, operand in enumerate(operands)
    ]
    layer = parse.network.add_plugin_v2(tensors, plugin)
    values = [operand for operand in operands if isinstance(operand, Value)] if plugin.takes_inputs else []
    like = next(iter(values), None)
    return [_plugin_value(tensor, like) for tensor in layer.outputs]


def _plugin_value(tensor: ITensor, like: Value | None) -> Value:
    """Return a plugin's output: a vector, or something whose axes are those of the first input if it has as many."""
    dims = tuple(tensor.shape)
    if like is not None and dims == tuple(like.tensor.shape):
        return replace(like, tensor=tensor)
    if len(dims) == 3 and dims[1:] == (1, 1):
        return Value(tensor, 2, "NC+", "NC+")
    if like is not None and like.rank == len(dims) + 1:
        return replace(like, tensor=tensor)
    return Value(tensor, len(dims) + 1)


def _plugin_field(name: str, value: Any) -> PluginField:
    if isinstance(value, str):
        return PluginField(name, np.frombuffer(value.encode(), np.int8), PluginFieldType.CHAR)
    if isinstance(value, np.dtype):
        value = next(key for key, dtype in DTYPES.items() if dtype == value)
    array = np.atleast_1d(np.asarray(value))
    if array.dtype.kind == "f":
        return PluginField(name, array.astype(np.float32), PluginFieldType.FLOAT32)
    return PluginField(name, array.astype(np.int32), PluginFieldType.INT32)
