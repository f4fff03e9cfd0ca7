"""Brings nodes of any opset to what they say in opset 17, by one small function a change of an operator.

A function takes a node, the opset that it was written for and what the parse knows around it; it returns nodes of
opset 17 that give the same, where opset 17 can say it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from onnx import helper, numpy_helper

from trtflow.reference.record.onnx.errors import Refusal
from trtflow.reference.record.onnx.registry import NO_PLUGIN, OPSET, attribute, graphs_of, schema_of

EXPORT_AGAIN = f"Export the model with opset_version={OPSET}."
BRING_DOWN = f"Export the model with opset_version={OPSET}, or have `trtflow migrate MODEL.onnx` bring it down."


@dataclass
class Around:
    """What is known of the values that a node reads.

    Attributes:
        constant: returns the array of a constant, None for another value.
        rank: returns the number of dimensions of a value, None where it is not known.
        size: returns the size of a value along an axis, None where it is not known.
        elem_type: returns ONNX's type of a value, 0 where it is not known.
        warn: tells what a user should know of a model that is taken.
        object_to: takes a node of a later opset and what TensorRT 8.6 has against its form, which opset 17 can say
            otherwise. A parse warns of that; where a model is brought down it is what is mended.
        plain: whether all must be operators of ONNX's opset 17, for a file and not for TensorRT's layers.
    """

    constant: Callable[[str], np.ndarray | None]
    rank: Callable[[str], int | None]
    size: Callable[[str, int], int | None]
    elem_type: Callable[[str], int]
    warn: Callable[[str], None]
    object_to: Callable[[onnx.NodeProto, Refusal], None]
    plain: bool = False


def around_of(parse: Any, object_to: Callable[[onnx.NodeProto, Refusal], None], *, plain: bool) -> Around:
    """Return what a parse knows so far."""

    def rank(name: str) -> int | None:
        shape = parse.told[name].shape if name in parse.told else None
        return None if shape is None else len(shape)

    def size(name: str, axis: int) -> int | None:
        shape = parse.told[name].shape if name in parse.told else None
        known = shape[axis] if shape and -len(shape) <= axis < len(shape) else None
        return known if isinstance(known, int) else None

    def constant(name: str) -> np.ndarray | None:
        value = parse.values.get(name)
        return value if isinstance(value, np.ndarray) else None

    def elem_type(name: str) -> int:
        return parse.told[name].elem_type if name in parse.told else 0

    return Around(constant, rank, size, elem_type, parse.warn, object_to, plain)


NUMBERS = ("value_int", "value_ints", "value_float", "value_floats")  # attributes of Constant
Bring = Callable[[onnx.NodeProto, int, Around], list[onnx.NodeProto]]
_BEFORE: dict[str, list[tuple[int, Bring]]] = {}  # changes up to opset 17: what holds below an opset
_BEHIND: dict[str, Bring] = {}  # changes behind opset 17
_MISREAD: dict[str, Bring] = {}  # what TensorRT reads otherwise in opset 17 itself


def before(opset: int, *operators: str) -> Callable[[Bring], Bring]:
    """Register how nodes of earlier opsets are brought to that of an opset; the earliest change comes first."""

    def register(function: Bring) -> Bring:
        for operator in operators:
            _BEFORE.setdefault(operator, []).append((opset, function))
            _BEFORE[operator].sort(key=lambda entry: entry[0])
        return function

    return register


def behind(*operators: str) -> Callable[[Bring], Bring]:
    """Register how nodes of later opsets are brought back."""

    def register(function: Bring) -> Bring:
        _BEHIND.update(dict.fromkeys(operators, function))
        return function

    return register


def misread(*operators: str) -> Callable[[Bring], Bring]:
    """Register how nodes of opset 17 that TensorRT 8.6 takes for others are written in a file."""

    def register(function: Bring) -> Bring:
        _MISREAD.update(dict.fromkeys(operators, function))
        return function

    return register


def changes() -> dict[str, tuple[list[int], bool]]:
    """Return for each operator that is brought the opsets below which it is, and whether it is from later ones."""
    names = {*_BEFORE, *_BEHIND}
    return {name: ([limit for limit, _ in _BEFORE.get(name, []) if limit <= OPSET], name in _BEHIND) for name in names}


def bring(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Return nodes of opset 17 that give what a node gives in an opset.

    Raises:
        Refusal: opset 17 cannot say it.
    """
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for graph in graphs_of(copy):
        _bring_graph(graph, opset, around)
    nodes = _brought_back(copy, opset, around) if opset > OPSET else _brought_up(copy, opset, around)
    if not around.plain:
        return nodes
    return [made for item in nodes for made in _MISREAD.get(item.op_type, _same)(item, opset, around)]


def _same(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return [node]


def _brought_up(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if opset < 6:
        drop(node, "consumed_inputs")
    nodes = [node]
    for limit, function in _BEFORE.get(node.op_type, []):
        if opset < limit:
            nodes = [made for item in nodes for made in _apply(function, item, node.op_type, opset, around)]
    return nodes


def _apply(function: Bring, node: onnx.NodeProto, operator: str, opset: int, around: Around) -> list[onnx.NodeProto]:
    return function(node, opset, around) if node.op_type == operator else [node]


def _bring_graph(graph: onnx.GraphProto, opset: int, outside: Around) -> None:
    """Bring the nodes of a graph that a node holds."""
    inside = {value.name for value in graph.input} | {name for node in graph.node for name in node.output}
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer} | _constants(graph.node)

    def constant(name: str) -> np.ndarray | None:
        return stored[name] if name in stored else None if name in inside else outside.constant(name)

    around = replace(
        outside,
        constant=constant,
        rank=lambda name: None,
        size=lambda name, axis: None,
        elem_type=lambda name: 0,
        warn=lambda message: None,
    )
    nodes = [made for node in graph.node for made in bring(node, opset, around)]
    del graph.node[:]
    graph.node.extend(nodes)


def _constants(nodes: Iterable[onnx.NodeProto]) -> dict[str, np.ndarray]:
    """Return what Constants among nodes hold."""
    found = {node.output[0]: constant_value(node) for node in nodes if node.op_type == "Constant"}
    return {name: value for name, value in found.items() if value is not None}


def _brought_back(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    schema, known = schema_of(node, opset), schema_of(node, OPSET)
    if schema is None or (known is not None and known.since_version == schema.since_version):
        return [node]
    parts = parts_of(node, opset, around)
    if parts is not None:
        return _bring_parts(parts, opset, around)
    nodes = _BEHIND[node.op_type](node, opset, around) if node.op_type in _BEHIND else [node]
    for made in nodes:
        _check_form(made, opset)
    return nodes


def _check_form(node: onnx.NodeProto, opset: int) -> None:
    """Raise Refusal where a node uses what its operator does not have in opset 17."""
    schema = schema_of(node, OPSET)
    if schema is None:
        return  # an operator that TensorRT has and ONNX has since opset 18
    more = [item.name for item in node.attribute if item.name not in schema.attributes]
    if more or len(node.input) > schema.max_input:
        what = f"attribute {more[0]!r}" if more else f"{len(node.input)} inputs"
        raise Refusal(f"{node.op_type} of opset {opset} has {what}, which opset {OPSET} does not know", EXPORT_AGAIN)


def parts_of(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto] | None:
    """Return the nodes, of its own opset, that an operator newer than opset 17 is made of; None for any other.

    Raises:
        Refusal: ONNX does not say what it is made of.
    """
    schema = schema_of(node, opset) if opset > OPSET else None
    if schema is None or node.op_type in _BEHIND or schema_of(node, OPSET) is not None:
        return None
    parts = _body(node, opset, schema, around)
    newer = f"{node.op_type} came with opset {schema.since_version}, and TensorRT 8.6 knows {OPSET}"
    if [part.op_type for part in parts] == [node.op_type]:
        raise Refusal(newer, EXPORT_AGAIN)
    around.object_to(node, Refusal(NO_PLUGIN, f"{newer}. {BRING_DOWN}"))
    kept = {*node.input, *node.output, ""}
    for part in parts:  # values inside have one name in each node of the operator
        for names in (part.input, part.output):
            names[:] = [name if name in kept else f"{node.output[0]}::{name}" for name in names]
    return parts


def _bring_parts(parts: list[onnx.NodeProto], opset: int, around: Around) -> list[onnx.NodeProto]:
    """Bring parts of an operator, of which no more is known than the constants among them, to what TensorRT reads."""
    stored = _constants(parts)

    def constant(name: str) -> np.ndarray | None:
        return stored[name] if name in stored else around.constant(name)

    return [made for part in parts for made in bring(part, opset, replace(around, constant=constant, plain=True))]


def _body(node: onnx.NodeProto, opset: int, schema: Any, around: Around) -> list[onnx.NodeProto]:
    """Return the nodes that a node stands for by ONNX's own definition; itself where it has none for such inputs."""
    if not (schema.has_function or schema.has_context_dependent_function):
        return [node]
    inputs = [
        helper.make_tensor_value_info(name, around.elem_type(name) or onnx.TensorProto.FLOAT, None)
        for name in dict.fromkeys(node.input)
        if name
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    given = {item.name for item in node.attribute}
    whole = onnx.NodeProto()
    whole.CopyFrom(node)
    defaults = {name: item.default_value for name, item in schema.attributes.items() if name not in given}
    whole.attribute.extend(value for value in defaults.values() if value.type)  # which the inliner leaves out
    model = helper.make_model(
        helper.make_graph([whole], "node", inputs, outputs), opset_imports=[helper.make_opsetid("", opset)]
    )
    return list(onnx.inliner.inline_selected_functions(model, [("", node.op_type)], False, True).graph.node)


def drop(node: onnx.NodeProto, *names: str) -> None:
    """Remove attributes."""
    kept = [item for item in node.attribute if item.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)


def constant_node(node: onnx.NodeProto, what: str, values: Any, dtype: Any) -> onnx.NodeProto:
    """Return a Constant whose output is named by a node's output and what it is for."""
    tensor = numpy_helper.from_array(np.asarray(values, dtype), what)
    return helper.make_node("Constant", [], [f"{node.output[0]}::{what}"], value=tensor)


def constant_value(node: onnx.NodeProto) -> np.ndarray | None:
    """Return what a Constant gives; None of any other node, and of text."""
    if node.op_type != "Constant" or not node.attribute:
        return None
    item = node.attribute[0]
    if item.name == "value":
        return numpy_helper.to_array(item.t)
    if item.name not in NUMBERS:
        return None
    return np.asarray(helper.get_attribute_value(item), np.float32 if "float" in item.name else np.int64)


def as_inputs(node: onnx.NodeProto, attributes: dict[str, int], dtype: Any) -> list[onnx.NodeProto]:
    """Turn attributes into inputs at the places that are given."""
    made = []
    for name, place in attributes.items():
        values = attribute(node, name)
        if values is not None:
            made.append(constant_node(node, name, values, dtype))
            node.input.extend([""] * (place + 1 - len(node.input)))
            node.input[place] = made[-1].output[0]
    drop(node, *attributes)
    return [*made, node]
