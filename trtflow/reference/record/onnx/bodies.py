"""The graphs that If, Loop and Scan hold, as TensorRT's parser reads them: node by node, as it reads a model.

The nodes stay what they are (a layer that is a node of ONNX holds its graphs), but what TensorRT refuses in them is
refused, and so is what its layers on the border of a loop or a conditional cannot hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import helper

from trtflow.formats import UserError
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx.errors import ErrorCode, Refusal, UnknownRank, UnsupportedForm
from trtflow.reference.record.onnx.inference import Told, title
from trtflow.reference.record.onnx.operators import check_node
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import BODIES, OPSET, attribute, graphs_of
from trtflow.reference.record.onnx.sizes import Shape, fixed
from trtflow.reference.record.onnx.types import TYPES


class Body(Parse):
    """The parse of a graph that a node holds, into a network of its own, of which only what is refused counts.

    Args:
        around: the parse of the graph around it, whose values it reads.
        graph: the graph, its nodes as opset 17 has them.
        inputs: what is known of each of its inputs.
    """

    def __init__(self, around: Parse, graph: onnx.GraphProto, inputs: Sequence[Told]) -> None:
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        super().__init__(model, INetworkDefinition(1), around.logger, around._fail, around.beyond)
        self.opset, self.inference, self.used_beyond = around.opset, around.inference, around.used_beyond
        self.warned = around.warned
        self.values, self.told, self.weights = dict(around.values), dict(around.told), set(around.weights)
        self.is_known = True  # while everything that its nodes read is
        for value, told in zip(graph.input, inputs, strict=True):
            self.weights.discard(value.name)
            shape = fixed(told.shape or ())
            self.values[value.name] = self.network.add_input(value.name, TYPES[told.elem_type], shape)
            self.told[value.name] = told
            self.is_known &= told.shape is not None

    def check(self) -> None:
        """Raise Refusal for the first node that TensorRT does not take, as far as is known what they read."""
        for initializer in self.graph.initializer:
            self.add_initializer(initializer)
        for node in self.graph.node:
            if not self.is_known:
                return
            self._check_node(node)

    def _check_node(self, node: onnx.NodeProto) -> None:
        operands = [self.values.get(name) for name in node.input]
        missing = any(name and name not in self.values for name in node.input)
        if not missing and node.op_type not in ("Constant", "If"):
            check_node(self, node, operands)
        try:
            self.step(node)
        except (UserError, UnsupportedForm, UnknownRank):  # ONNX Runtime, which runs the graph as it is, may know more
            self.is_known = False

    def shapes(self) -> list[Shape | None]:
        """Return the shape of each output, None where it is not known."""
        told = [self.told.get(value.name) for value in self.graph.output]
        return [item.shape if item and self.is_known else None for item in told]


def check_bodies(parse: Parse, node: onnx.NodeProto) -> None:
    """Check the graphs that a node holds.

    Raises:
        Refusal: TensorRT takes a node in them not, or changes of shape that a loop or a conditional makes.
    """
    bodies = [Body(parse, graph, _inputs(parse, node, graph)) for graph in graphs_of(node)]
    for body in bodies:
        try:
            body.check()
        except Refusal as refusal:
            raise Refusal(f"{refusal}".rstrip("."), f"It is in the graph of {title(node)}.", refusal.code) from refusal
    if node.op_type == "If":
        _check_branches(node, [body.shapes() for body in bodies])
    else:
        first = 2 if node.op_type == "Loop" else 0
        skipped = 1 if node.op_type == "Loop" else 0
        count = len(node.input) - (2 if node.op_type == "Loop" else attribute(node, "num_scan_inputs"))
        states = [parse.told[name].shape for name in node.input[first : first + count]]
        _check_states(node, states, bodies[0].shapes()[skipped : skipped + count])


def _inputs(parse: Parse, node: onnx.NodeProto, graph: onnx.GraphProto) -> list[Told]:
    """Return what is known of the inputs of a graph."""
    if node.op_type == "If":
        return []
    if node.op_type == "Loop":
        counted = [Told(onnx.TensorProto.INT64, ()), Told(onnx.TensorProto.BOOL, ())]
        return [*counted, *(_plain(parse.told[name]) for name in node.input[2:])]
    count = attribute(node, "num_scan_inputs")
    states = [_plain(parse.told[name]) for name in node.input[:-count]]
    axes = attribute(node, "scan_input_axes", [0] * count)
    return states + [_slice(parse.told[name], axis) for name, axis in zip(node.input[len(states) :], axes, strict=True)]


def _plain(told: Told) -> Told:
    """Return what a loop knows of a value that it begins with: not its values."""
    return Told(told.elem_type, told.shape)


def _slice(told: Told, axis: int) -> Told:
    if told.shape is None:
        return Told(told.elem_type, None)
    sizes = list(told.shape)
    del sizes[axis]
    return Told(told.elem_type, tuple(sizes))


def _differ(first: Shape | None, second: Shape | None) -> bool:
    """Whether two shapes cannot be the same."""
    if first is None or second is None:
        return False
    if len(first) != len(second):
        return True
    pairs = zip(first, second, strict=True)
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)


def _text(shape: Shape | None) -> str:
    return "[" + ",".join(str(size) for size in fixed(shape or ())) + "]"


def _check_branches(node: onnx.NodeProto, branches: list[list[Shape | None]]) -> None:
    """Raise Refusal where the branches of an If give other shapes."""
    for one, other in zip(*branches, strict=True):
        if _differ(one, other):
            words = "IIfConditionalOutputLayer inputs must have the same shape. "
            words = f"Invalid Node - {title(node)}\n{words}Shapes are {_text(one)} and {_text(other)}"
            raise Refusal(
                words, "Make the condition constant, or give both branches one shape.", ErrorCode.INVALID_NODE
            )


def _check_states(node: onnx.NodeProto, first: list[Shape | None], following: list[Shape | None]) -> None:
    """Raise Refusal where what a loop carries changes its shape."""
    for one, other in zip(first, following, strict=True):
        if _differ(one, other):
            words = f"First input has dimensions {_text(one)} and second input has dimensions {_text(other)}"
            words = f"Invalid Node - {title(node)}\ninputs to IRecurrenceLayer have different dimensions. {words}"
            raise Refusal(words, "Carry values of one shape, or collect them as scan outputs.", ErrorCode.INVALID_NODE)


BODIES.append(check_bodies)
