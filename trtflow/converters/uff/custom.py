"""Operations that UFF does not have: custom nodes, for plugins to take up."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from trtflow.converters.uff.folding import definition_of
from trtflow.converters.uff.graph import Conversion, ConversionError
from trtflow.formats.uff import dtype_of
from trtflow.runtime.own_plugins import own_plugins

VARIABLES = ("Variable", "VariableV2", "VarHandleOp", "ReadVariableOp")


def add_custom(conversion: Conversion, node: Any) -> None:
    """Write a node as a custom one, which is named _Op and has the node's attributes as fields.

    Raises:
        ConversionError: the node is a variable; or the conversion is strict and the operation TensorFlow's own.
    """
    if node.op in VARIABLES:
        raise ConversionError(node, "it is a variable", "Freeze the graph first (scripts/freeze.py).")
    if conversion.strict and not _is_plugin(node.op):
        remedy = "Map it to a plugin with graphsurgeon, give one (--plugins), or convert without --strict."
        raise ConversionError(node, "UFF has no such operation", remedy)
    conversion.custom.setdefault(node.op, []).append(node.name)
    conversion.add(node, f"_{node.op}", conversion.inputs_of(node), **_attributes(node))


def report_custom(conversion: Conversion, say: Callable[[str], None]) -> None:
    """Warn of TensorFlow's operations that became custom nodes, and tell of plugins, which are meant to."""
    for operation, names in conversion.custom.items():
        nodes = f"_{operation}: {', '.join(names)}"
        if _is_plugin(operation):
            say(f"plugin {nodes}")
        else:
            print(f"warning: UFF has no operation {operation}; custom nodes {nodes}", file=sys.stderr)


def _is_plugin(operation: str) -> bool:
    """Whether an operation is not TensorFlow's, or one that a plugin of the user's own answers."""
    return definition_of(operation) is None or operation in own_plugins()


def _attributes(node: Any) -> dict[str, Any]:
    """Return an operation's attributes; names keep the suffix that tells a plugin's field's type, such as _u_int.

    Attributes that begin with _ are TensorFlow's notes to itself.
    """
    fields = {key: _value(value) for key, value in sorted(node.attr.items()) if not key.startswith("_")}
    return {key: value for key, value in fields.items() if value is not None}


def _value(attribute: Any) -> Any:
    """Return an attribute's value, or None for what UFF cannot hold.

    Text becomes what Python prints for its bytes, b'VALID', which is what NVIDIA's converter writes and plugins expect.
    """
    kind = attribute.WhichOneof("value")
    if kind == "type":
        return _dtype(attribute.type)
    if kind == "shape":
        return [dim.size for dim in attribute.shape.dim]
    if kind == "list":
        return _list(attribute.list)
    if kind == "s":
        return repr(attribute.s)
    return getattr(attribute, kind) if kind in ("i", "f", "b") else None


def _list(values: Any) -> list[Any] | None:
    for items in (values.i, values.f, values.b, [repr(item) for item in values.s]):
        if len(items):
            return list(items)
    dtypes = [_dtype(item) for item in values.type]
    return None if None in dtypes or values.shape or values.tensor or values.func else dtypes


def _dtype(number: int) -> np.dtype | None:
    import tensorflow as tf  # noqa: PLC0415

    try:
        dtype = np.dtype(tf.as_dtype(number).as_numpy_dtype)
    except TypeError:  # no type, or none of TensorFlow's
        return None
    return dtype if dtype_of(dtype) is not None else None
