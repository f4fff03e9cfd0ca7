"""The registry of importers, and what they ask of nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from trtflow.reference.record.enums import DataType
from trtflow.reference.record.tensor import ITensor

if TYPE_CHECKING:
    from trtflow.reference.record.onnx.parse import Parse

OPSET = 17  # of lowered networks
Operand = ITensor | np.ndarray


class UnsupportedForm(Exception):  # noqa: N818 - no error: another way is tried
    """A node that its operator's own layer cannot express, but the node itself can."""


def schema_of(node: onnx.NodeProto, opset: int) -> Any:
    """Return an operator's schema, or None."""
    try:
        return onnx.defs.get_schema(node.op_type, opset, "" if node.domain == "ai.onnx" else node.domain)
    except onnx.defs.SchemaError:
        return None


def has_graph(node: onnx.NodeProto) -> bool:
    """Whether a node holds graphs of its own."""
    return any(item.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for item in node.attribute)


def reads_outside(node: onnx.NodeProto) -> bool:
    """Whether a graph that a node holds reads values of the graph around it."""
    graphs: list[Any] = [item.g for item in node.attribute if item.type == onnx.AttributeProto.GRAPH]
    for graph in graphs:
        inside = {value.name for value in (*graph.input, *graph.initializer)}
        inside |= {name for item in graph.node for name in item.output}
        if any(name and name not in inside for item in graph.node for name in item.input):
            return True
    return False


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Return the value of a node's attribute."""
    found = next((item for item in node.attribute if item.name == name), None)
    return default if found is None else onnx.helper.get_attribute_value(found)


Function = Callable[["Parse", onnx.NodeProto, list[Any]], Any]


OPERATORS: dict[str, Function] = {}
UNFOLDED: set[str] = set()  # operators that stay layers where all that they read is constant
PLUGINS: list[Function] = []  # asked in turn for operators that ONNX does not have; None where there is no such plugin


def parses(*operators: str) -> Callable[[Function], Function]:
    """Register the importer of operators of ONNX's own domain.

    It takes the parse, the node and its operands (a tensor, an array where the value is constant, None where it is left
    out), and returns the value or the list of values; with UnsupportedForm it leaves the node to `Parse.keep`.
    """

    def register(function: Function) -> Function:
        OPERATORS.update(dict.fromkeys(operators, function))
        return function

    return register


def need(value: Any, *, tensor: bool = False) -> Any:
    """Return an operand that must be a constant (or a tensor); else the node is kept as it is."""
    if isinstance(value, ITensor) != tensor:
        raise UnsupportedForm
    return value


def float_only(tensor: ITensor) -> ITensor:
    """Return a tensor of floats; a node on others is kept as it is."""
    if tensor.dtype != DataType.FLOAT:
        raise UnsupportedForm
    return tensor
