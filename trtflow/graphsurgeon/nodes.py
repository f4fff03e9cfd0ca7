"""Nodes of TensorFlow graphs, from Python values to their attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

NodeDef = tf.compat.v1.NodeDef


def create_node(name: str, op: str | None = None, trt_plugin: bool = False, **kwargs: Any) -> Any:
    """Return a node.

    Args:
        name: name of the node.
        op: its operation; by default the name.
        trt_plugin: whether it stands for a plugin of TensorRT's, whose attributes carry their types in their names.
        kwargs: attributes. `dtype`, `shape` and `inputs` mean what they say; others become attributes of their type.
    """
    node = NodeDef(name=name, op=op or name)
    return update_node(node, trt_plugin=trt_plugin, **kwargs)


def create_plugin_node(name: str, op: str | None = None, **kwargs: Any) -> Any:
    """Return a node that stands for a plugin of TensorRT's: `op` is its type, `kwargs` are its fields."""
    return create_node(name, op, trt_plugin=True, **kwargs)


def update_node(
    node: Any, name: str | None = None, op: str | None = None, trt_plugin: bool = False, **kwargs: Any
) -> Any:
    """Change a node in place, and return it; arguments as those of `create_node`."""
    node.name, node.op = name or node.name, op or node.op
    for key, value in kwargs.items():
        if key == "inputs":
            del node.input[:]
            node.input.extend(getattr(item, "name", item) for item in value)
        elif key == "dtype":
            node.attr["dtype"].type = tf.as_dtype(value).as_datatype_enum
        elif key == "shape":
            node.attr["shape"].shape.CopyFrom(_shape_proto(value))
        else:
            suffix, attribute = _attribute(value)
            node.attr[f"{key}_u_{suffix}" if trt_plugin else key].CopyFrom(attribute)
    return node


def _shape_proto(value: Iterable[int | None]) -> Any:
    sizes = [None if size is None or size < 0 else int(size) for size in value]
    return tf.TensorShape(sizes).as_proto()


def _attribute(value: Any) -> tuple[str, Any]:
    """Return an attribute, and the suffix that a plugin's has; a bool is an integer, as NVIDIA's has it."""
    attribute = tf.compat.v1.AttrValue()
    if isinstance(value, (bool, int, np.integer, np.bool_)):
        attribute.i = int(value)
        return "int", attribute
    if isinstance(value, (float, np.floating)):
        attribute.f = float(value)
        return "float", attribute
    if isinstance(value, (str, bytes)):
        attribute.s = value.encode() if isinstance(value, str) else value
        return "str", attribute
    values = list(value)
    if all(isinstance(item, (bool, int, np.integer)) for item in values):
        attribute.list.i.extend(int(item) for item in values)
        return "ilist", attribute
    if all(isinstance(item, (int, float, np.integer, np.floating)) for item in values):
        attribute.list.f.extend(float(item) for item in values)
        return "flist", attribute
    attribute.list.s.extend(item.encode() if isinstance(item, str) else item for item in values)
    return "slist", attribute


def shape(node: Any) -> list[int]:
    """Return the shape attribute of a node; -1 where a size is open."""
    return [dim.size for dim in node.attr["shape"].shape.dim]


def extract_numpy_array(node: Any) -> np.ndarray:
    """Return the value of a constant."""
    return tf.make_ndarray(node.attr["value"].tensor)
