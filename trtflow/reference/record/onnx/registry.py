"""The registries of importers and refusals, and what they ask of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from trtflow.reference.record.enums import DataType
from trtflow.reference.record.onnx.errors import UnsupportedForm
from trtflow.reference.record.tensor import ITensor

if TYPE_CHECKING:
    from trtflow.reference.record.onnx.parse import Parse

OWN_DOMAINS = ("", "ai.onnx")  # of ONNX's own operators
OPSET = 17  # of lowered networks, and the newest that TensorRT 8.6 knows
NO_PLUGIN = "Plugin not found, are the plugin name, version, and namespace correct?"
Operand = ITensor | np.ndarray
Function = Callable[["Parse", onnx.NodeProto, list[Any]], Any]

OPERATORS: dict[str, Function] = {}
REFUSALS: dict[str, list[Function]] = {}
PLUGINS: list[Function] = []  # asked in turn for operators that TensorRT's parser lacks; None where there is no plugin
BODIES: list[Callable[[Parse, onnx.NodeProto], None]] = []  # what checks the graphs that a node holds
UNFOLDED = {"RandomNormal", "RandomUniform"}  # operators that stay layers where all that they read is constant


def parses(*operators: str) -> Callable[[Function], Function]:
    """Register the importer of operators of ONNX's own domain, in the form that opset 17 gives them.

    It takes the parse, the node and its operands (a tensor, an array where the value is constant, None where it is left
    out), and returns the value or the list of values; with UnsupportedForm it leaves the node to `Parse.keep`.
    """

    def register(function: Function) -> Function:
        OPERATORS.update(dict.fromkeys(operators, function))
        return function

    return register


def refuses(*operators: str) -> Callable[[Function], Function]:
    """Register what TensorRT 8.6 checks of operators; it raises `Refusal`, and takes what an importer does."""

    def register(function: Function) -> Function:
        for operator in operators:
            REFUSALS.setdefault(operator, []).append(function)
        return function

    return register


def schema_of(node: onnx.NodeProto, opset: int) -> Any:
    """Return an operator's schema, or None."""
    try:
        return onnx.defs.get_schema(node.op_type, opset, "" if node.domain == "ai.onnx" else node.domain)
    except onnx.defs.SchemaError:
        return None


def graphs_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs that a node holds."""
    for item in node.attribute:
        if item.type == onnx.AttributeProto.GRAPH:
            yield item.g


def captured(node: onnx.NodeProto) -> list[str]:
    """Return the values of the graph around it that the graphs of a node read, in order."""
    found: dict[str, None] = {}
    for graph in graphs_of(node):
        inside = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
        for item in graph.node:
            found.update(dict.fromkeys(name for name in (*item.input, *captured(item)) if name and name not in inside))
            inside.update(item.output)
        found.update(dict.fromkeys(value.name for value in graph.output if value.name not in inside))
    return list(found)


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Return the value of a node's attribute."""
    found = next((item for item in node.attribute if item.name == name), None)
    return default if found is None else onnx.helper.get_attribute_value(found)


def need(value: Any, *, tensor: bool = False) -> Any:
    """Return an operand that must be a constant (or a tensor); else the node is kept as it is."""
    if isinstance(value, ITensor) != tensor:
        raise UnsupportedForm
    return value


def float_only(tensor: ITensor) -> ITensor:
    """Return a tensor of floats; a node on others is kept as it is."""
    if not isinstance(tensor, ITensor) or tensor.native_dtype not in (DataType.FLOAT, DataType.HALF):
        raise UnsupportedForm
    return tensor
