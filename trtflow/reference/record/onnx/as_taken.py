"""A model as TensorRT 8.6's parser takes it, which asks for less than ONNX's checker does.

It sorts the nodes, looks at an operator's name and never at its domain, takes every initializer for a constant, and
does not read the version of the file, names of graphs, functions that no node calls, inputs of the branches of If and
what is declared of values. So that the checker can look at all the rest, a model is given what it wants of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx

from trtflow.reference.record.onnx.errors import ErrorCode, Refusal
from trtflow.reference.record.onnx.operators import SUPPORTED
from trtflow.reference.record.onnx.registry import OWN_DOMAINS, captured, graphs_of

OPTIONAL_INPUTS = 4  # the first version of the file in which initializers need not be inputs too
Warn = Callable[[str], None]


def settle(model: onnx.ModelProto, warn: Warn) -> list[int]:
    """Bring a model into the form that ONNX's checker wants, in place.

    Args:
        model: the model.
        warn: takes what TensorRT passes over.

    Returns:
        for each node of its graph the place that it had.

    Raises:
        Refusal: the nodes read one another in a circle.
    """
    calls = {(node.domain, node.op_type) for node in _nodes(model.graph)}
    unused = [item for item in model.functions if (item.domain, item.name) not in calls]
    for function in unused:
        model.functions.remove(function)
    called = {(item.domain, item.name) for item in model.functions}
    for node in _nodes(model.graph):
        if (node.domain, node.op_type) not in called:
            _pass_over_domain(node, warn)
    model.graph.name = model.graph.name or "graph"
    model.ir_version = max(model.ir_version, OPTIONAL_INPUTS)
    for node in _nodes(model.graph):
        for inner in graphs_of(node):
            _leave_out_declared(inner, node.op_type)
    for tensor in _tensors(model.graph):
        if not tensor.raw_data:
            tensor.ClearField("raw_data")  # which is read where it has something
    own = [item.version for item in model.opset_import if item.domain in OWN_DOMAINS]
    if len(set(own)) > 1:
        warn(f"The model is of the opsets {', '.join(map(str, own))}: TensorRT goes by the first.")
    return _sort(model.graph, warn)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and those that its nodes hold."""
    yield graph
    for node in graph.node:
        for inner in graphs_of(node):
            yield from _graphs(inner)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield the initializers of a graph and the tensors of its nodes, and those in the graphs that they hold."""
    for inner in _graphs(graph):
        yield from inner.initializer
    for node in _nodes(graph):
        yield from (item.t for item in node.attribute if item.HasField("t"))


def _leave_out_declared(graph: onnx.GraphProto, holder: str) -> None:
    """Leave out what the graph of a node declares: shapes that may be wrong, and the inputs of a branch."""
    del graph.value_info[:]
    if holder == "If":
        del graph.input[:]
    for value in (*graph.input, *graph.output):
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    for value in graph.input[:2] if holder == "Loop" else ():  # the iteration and the condition
        value.type.tensor_type.shape.SetInParent()


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of the graphs that they hold."""
    for inner in _graphs(graph):
        yield from inner.node


def _pass_over_domain(node: onnx.NodeProto, warn: Warn) -> None:
    """Make a node one of ONNX's where TensorRT has an importer of that name; plugins keep their domain."""
    if node.domain not in OWN_DOMAINS:
        if node.op_type not in SUPPORTED:
            return
        name = node.name or next(iter(node.output), "")
        warn(f"TensorRT passes over the domain {node.domain!r} of {name!r} and reads ONNX's own {node.op_type}.")
    node.domain = ""


def _sort(graph: onnx.GraphProto, warn: Warn) -> list[int]:
    """Put each node behind those whose values it reads; return the places that they had."""
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    order: dict[int, None] = {}
    waiting = set[int]()
    for first in range(len(graph.node)):
        stack = [first]
        while stack:
            index = stack[-1]
            if index in order:
                stack.pop()
                continue
            node = graph.node[index]
            needed = {makers[name] for name in (*node.input, *captured(node)) if name in makers}
            behind = sorted(needed - order.keys() - {index}, reverse=True)
            if index in needed or not waiting.isdisjoint(behind):
                raise Refusal(
                    "Failed to sort the model topologically.",
                    f"Node {index}, {node.name!r} ({node.op_type}), reads what depends on it.",
                    ErrorCode.INVALID_GRAPH,
                )
            if behind:
                waiting.add(index)
                stack += behind
            else:
                order[stack.pop()] = None
                waiting.discard(index)
    places = list(order)
    if places != sorted(places):
        warn("The nodes of the model are not in the order in which they are computed: TensorRT sorts them.")
        nodes = [onnx.NodeProto.FromString(graph.node[index].SerializeToString()) for index in places]
        del graph.node[:]
        graph.node.extend(nodes)
    return places
