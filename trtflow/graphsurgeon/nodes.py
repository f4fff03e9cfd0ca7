"""Nodes of TensorFlow graphs, from Python values to their attributes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from trtflow.formats import UserError

NodeDef = tf.compat.v1.NodeDef
INPUTS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
LARGEST_CONSTANT = 1 << 29  # values, which is as much as a graph's 2 GiB hold
AGAIN = "Freeze the model again."


def create_node(name: str, op: str | None = None, trt_plugin: bool = False, **kwargs: Any) -> Any:
    """Return a node.

    Args:
        name: name of the node.
        op: its operation; by default the name.
        trt_plugin: whether it stands for a plugin of TensorRT's, whose attributes carry their types in their names.
        kwargs: attributes: numbers, lists of numbers, text, TensorFlow's types, and arrays, which become tensors, such
            as the `value` of a Const. `shape` means what it says, and `inputs` are nodes or names of nodes. A
            placeholder without `dtype` is one of float32.

    Raises:
        TypeError: an attribute is of another type.
    """
    node = NodeDef(name=name, op=op or name)
    if node.op in INPUTS:
        kwargs.setdefault("dtype", tf.float32)
    return update_node(node, trt_plugin=trt_plugin, **kwargs)


def create_plugin_node(name: str, op: str | None = None, **kwargs: Any) -> Any:
    """Return a node that stands for a plugin of TensorRT's: `op` is its type, `kwargs` are its fields."""
    return create_node(name, op, trt_plugin=True, **kwargs)


def update_node(
    node: Any, name: str | None = None, op: str | None = None, trt_plugin: bool = False, **kwargs: Any
) -> Any:
    """Change a node in place, and return it; arguments as those of `create_node`, and `inputs` are added."""
    node.name, node.op = name or node.name, op or node.op
    for key, value in kwargs.items():
        if key == "inputs":
            node.input.extend(item if isinstance(item, str) else item.name for item in value)
        elif key == "shape":
            node.attr["shape"].shape.CopyFrom(_shape_proto(value))
        elif key == "dtype" or isinstance(value, tf.DType):
            node.attr[key].type = tf.as_dtype(value).as_datatype_enum
        elif isinstance(value, np.ndarray):
            _set_tensor(node, key, value)
        else:
            suffix, attribute = _attribute(key, value)
            node.attr[f"{key}_u_{suffix}" if trt_plugin else key].CopyFrom(attribute)
    return node


def _set_tensor(node: Any, key: str, array: np.ndarray) -> None:
    tensor = node.attr[key].tensor
    tensor.CopyFrom(tf.make_tensor_proto(array))
    if key == "value":  # a Const without its type is none
        node.attr["dtype"].type = tensor.dtype


def _shape_proto(value: Iterable[int | None]) -> Any:
    sizes = [None if size is None or size < 0 else int(size) for size in value]
    return tf.TensorShape(sizes).as_proto()


def _attribute(key: str, value: Any) -> tuple[str, Any]:
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
    if isinstance(value, (list, tuple)):
        if all(isinstance(item, (bool, int, np.integer)) for item in value):
            attribute.list.i.extend(int(item) for item in value)
            return "ilist", attribute
        if all(isinstance(item, (int, float, np.integer, np.floating)) for item in value):
            attribute.list.f.extend(float(item) for item in value)
            return "flist", attribute
    raise TypeError(f"attribute {key!r}: {value!r} is no number, text, array or list of numbers")


def shape(node: Any) -> tuple[int, ...]:
    """Return the shape attribute of a node; -1 where a size is open."""
    return tuple(dim.size for dim in node.attr["shape"].shape.dim)


def extract_numpy_array(node: Any) -> np.ndarray:
    """Return the value of a constant, in its shape.

    Raises:
        UserError: it holds no such value: other sizes than its shape has, or an unknown or absurd type or shape.
    """
    tensor = node.attr["value"].tensor
    count = math.prod(dim.size for dim in tensor.tensor_shape.dim)
    if count > LARGEST_CONSTANT:
        raise UserError(f"the constant {node.name!r} claims {count} values. {AGAIN}")
    try:
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"the constant {node.name!r} is damaged ({error}). {AGAIN}") from error
