"""Nodes that name a plugin: what TensorRT's parser falls back to for an operator that it has no importer for.

The node's type is the plugin's, `plugin_version` ("1" without it) and `plugin_namespace` say which, and its other
attributes are the creator's fields.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from trtflow.reference.errors import NetworkError
from trtflow.reference.record import library
from trtflow.reference.record.onnx.errors import Refusal
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import PLUGINS, attribute
from trtflow.reference.record.plugins import PluginField, PluginFieldCollection, get_plugin_registry
from trtflow.reference.record.tensor import ITensor

NAMES = ("plugin_version", "plugin_namespace")


def is_registered(name: str) -> bool:
    """Whether there is a plugin of a name, of version 1, in no namespace."""
    library.register()
    return get_plugin_registry().get_plugin_creator(name, "1", "") is not None


def _text(node: onnx.NodeProto, name: str, default: str) -> str:
    value = attribute(node, name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


def _field(item: onnx.AttributeProto) -> PluginField:
    """Return an attribute as a field of its name."""
    value = onnx.helper.get_attribute_value(item)
    if item.type == onnx.AttributeProto.TENSOR:
        value = numpy_helper.to_array(value)
    elif item.type in (onnx.AttributeProto.FLOAT, onnx.AttributeProto.FLOATS):
        value = np.asarray(value, np.float32)
    elif item.type in (onnx.AttributeProto.INT, onnx.AttributeProto.INTS):
        value = np.asarray(value, np.int32)
    return PluginField(item.name, value)


def _plugin(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> list[ITensor] | None:
    """Return the outputs of the plugin that a node names, None where none is registered."""
    library.register()  # as TensorRT's parser registers its library
    version, namespace = _text(node, "plugin_version", "1"), _text(node, "plugin_namespace", "")
    creator = get_plugin_registry().get_plugin_creator(node.op_type, version, namespace)
    if creator is None:
        return None
    known = {field.name for field in creator.field_names}
    fields = [item for item in node.attribute if item.name not in NAMES]
    for item in fields:
        if item.name not in known:
            parse.warn(f"node {node.name!r} ({node.op_type}): TensorRT passes over {item.name!r}, which is no field.")
    try:
        collection = PluginFieldCollection(_field(item) for item in fields if item.name in known)
        plugin = creator.create_plugin(node.name, collection)
    except NetworkError as error:
        raise Refusal("Could not create plugin", str(error)) from error
    if any(operand is None for operand in operands):
        raise Refusal("An input of the plugin is left out", "Plugins take each of their inputs.")
    tensors = [parse.tensor(value, name) for value, name in zip(operands, node.input, strict=True)]
    try:
        layer = parse.network.add_plugin_v2(tensors, plugin)
        for tensor in layer.outputs:
            tensor.shape  # noqa: B018 - the plugin may refuse its inputs
    except NetworkError as error:
        raise Refusal("Could not add the plugin", str(error)) from error
    if len(node.output) > len(layer.outputs):
        raise Refusal("Node has more output tensors than TRT expected.", f"{node.op_type} has {len(layer.outputs)}.")
    return list(layer.outputs[: len(node.output)])


PLUGINS.append(_plugin)
