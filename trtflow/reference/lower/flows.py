"""Lowerings of loops and conditionals, to Loop and If of ONNX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.blocks import Block, Unit, leading
from trtflow.reference.lower.graph import ONNX_TYPES
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import DataType, LoopOutput, TripLimit
from trtflow.reference.record.layer import FLOATS
from trtflow.reference.record.tensor import ITensor

if TYPE_CHECKING:
    from trtflow.reference.lower.lower import Lowering

LEAST = np.iinfo(np.int64).min  # as an end of Slice: before the first element


def lower_block(lowering: Lowering, block: Block) -> None:
    """Lower a loop or a conditional with all that it holds, in float32."""
    if isinstance(block.owner, L.ILoop):
        _Loop(lowering, block).lower()
    else:
        _lower_conditional(lowering, block)


def _type(tensor: ITensor) -> DataType:
    return DataType.FLOAT if tensor.native_dtype in FLOATS else tensor.native_dtype


def _value_info(name: str, tensor: ITensor, scans: bool = False) -> onnx.ValueInfoProto:
    shape = None if scans else [None if size < 0 else size for size in tensor.shape]
    return helper.make_tensor_value_info(name, ONNX_TYPES[_type(tensor)], shape)


@contextmanager
def _inner_graph(lowering: Lowering) -> Iterator[list[onnx.NodeProto]]:
    """Collect nodes for a graph inside; values that it makes are not known outside."""
    graph = lowering.graph
    outer, graph.nodes = graph.nodes, []
    graph.depth += 1
    try:
        with lowering.scope():
            yield graph.nodes
    finally:
        graph.nodes = outer
        graph.depth -= 1


def _given(lowering: Lowering, tensor: ITensor) -> str:
    """Return a value of a tensor that a graph inside gives."""
    return str(lowering.graph.node("Identity", [lowering.read(tensor, DataType.FLOAT)]))


def _lower_conditional(lowering: Lowering, block: Block) -> None:
    graph, owner = lowering.graph, block.owner
    conditions, outputs = block.border(L.IConditionLayer), block.border(L.IIfConditionalOutputLayer)
    if len(conditions) != 1 or not outputs:
        fault = f"a conditional of {len(conditions)} conditions and {len(outputs)} outputs"
        raise NetworkError(owner.name, fault, "Call set_condition once, and add_output for each output.")
    for layer in (*block.border(L.IIfConditionalInputLayer), *outputs):
        layer.check_types()
    for layer in block.border(L.IIfConditionalInputLayer):
        lowering.define(layer.outputs[0], lowering.read(layer.inputs[0], DataType.FLOAT), _type(layer.outputs[0]))
    branches = []
    for place, part in enumerate(block.parts):
        with _inner_graph(lowering) as nodes:
            for unit in part:
                lowering.lower_unit(unit)
            graph.layer_name = owner.name
            names = [_given(lowering, layer.inputs[place]) for layer in outputs]
            values = [_value_info(name, layer.inputs[place]) for name, layer in zip(names, outputs, strict=True)]
        branches.append(helper.make_graph(nodes, graph.unique("part"), [], values))
    graph.layer_name = owner.name
    condition = lowering.read(conditions[0].inputs[0], DataType.FLOAT)
    made = graph.node("If", [condition], outputs=len(outputs), then_branch=branches[0], else_branch=branches[1])
    for layer, name in zip(outputs, [made] if len(outputs) == 1 else made, strict=True):
        lowering.define(layer.outputs[0], name, _type(layer.outputs[0]))


class _Loop:
    """One loop on its way to ONNX.

    TensorRT asks a WHILE limit before each run, ONNX after it and once before the first: so the layers that lead to
    the limit are lowered twice, before the loop on the first values and at the end of its body on the next ones.
    """

    def __init__(self, lowering: Lowering, block: Block) -> None:
        self.lowering, self.graph, self.block, self.name = lowering, lowering.graph, block, block.owner.name
        self.carried = block.border(L.IRecurrenceLayer)
        self.slices = [layer for layer in block.border(L.IIteratorLayer) if isinstance(layer, L.IIteratorLayer)]
        self.outputs = [layer for layer in block.border(L.ILoopOutputLayer) if isinstance(layer, L.ILoopOutputLayer)]
        limits = [layer for layer in block.border(L.ITripLimitLayer) if isinstance(layer, L.ITripLimitLayer)]
        self.counts = [layer.inputs[0] for layer in limits if layer.kind == TripLimit.COUNT]
        self.conditions = [layer.inputs[0] for layer in limits if layer.kind == TripLimit.WHILE]
        self.scans = [layer for layer in self.outputs if layer.kind != LoopOutput.LAST_VALUE]
        self._check(limits)

    def _check(self, limits: list[L.ITripLimitLayer]) -> None:
        if not limits:
            raise NetworkError(self.name, "a loop without an end", "Call add_trip_limit.")
        for layer in self.block.owner.layers:
            layer.check_types()
        for layer in self.carried:
            if layer.get_input(1) is None:
                raise NetworkError(layer.name, "a recurrence without its next value", "Give it with set_input(1, …).")
        for output in self.outputs:
            if output.kind == LoopOutput.LAST_VALUE and output.inputs[0].producer not in self.carried:
                fault = f"LAST_VALUE of {output.inputs[0].name!r}, which is no recurrence of the loop"
                raise NetworkError(output.name, fault, "Give the output of one of its add_recurrence.")

    def lower(self) -> None:
        """Add the loop, and what brings its outputs in form."""
        first = {layer.outputs[0]: self.lowering.read(layer.inputs[0], DataType.FLOAT) for layer in self.carried}
        self.graph.layer_name = self.name
        zero = self.graph.constant("first", 0, np.int64)
        condition = self._condition(first, zero) if self.conditions else ""
        body = self._body()
        self.graph.layer_name = self.name
        count = len(self.carried) + len(self.scans)
        made = self.graph.node("Loop", [self._count(), condition, *first.values()], outputs=count, body=body)
        names = [made] if count == 1 else made
        last = dict(zip((layer.outputs[0] for layer in self.carried), names, strict=False))
        every = dict(zip(self.scans, names[len(self.carried) :], strict=True))
        for layer in self.outputs:
            self.graph.layer_name = layer.name
            value = self._in_form(layer, every[layer]) if layer in every else last[layer.inputs[0]]
            self.lowering.define(layer.outputs[0], value, _type(layer.outputs[0]))

    def _count(self) -> str:
        """Return the number of runs as ONNX takes it, the least of several."""
        scalars = [
            self.graph.node("Reshape", [self.graph.wide(self.lowering.read(tensor, DataType.FLOAT)), self._ints([])])
            for tensor in self.counts
        ]
        return str(self.graph.node("Min", scalars)) if len(scalars) > 1 else "".join(scalars)

    def _ints(self, values: list[int]) -> str:
        return self.graph.ints("sizes", values)

    def _body(self) -> onnx.GraphProto:
        lowering, graph = self.lowering, self.graph
        place, going = graph.unique("place"), graph.unique("going")
        now = {layer.outputs[0]: graph.unique("now") for layer in self.carried}
        with _inner_graph(lowering) as nodes:
            self._define(now, place)
            for unit in self.block.parts[0]:
                lowering.lower_unit(unit)
            graph.layer_name = self.name
            then = {layer.outputs[0]: _given(lowering, layer.inputs[1]) for layer in self.carried}
            seen = [_given(lowering, layer.inputs[0]) for layer in self.scans]
            following = graph.node("Add", [place, graph.constant("one", 1, np.int64)])
            goes_on = self._condition(then, following) if self.conditions else graph.node("Identity", [going])
        inputs = [
            helper.make_tensor_value_info(place, TensorProto.INT64, []),
            helper.make_tensor_value_info(going, TensorProto.BOOL, []),
            *(_value_info(name, tensor) for tensor, name in now.items()),
        ]
        outputs = [
            helper.make_tensor_value_info(goes_on, TensorProto.BOOL, []),
            *(_value_info(name, tensor) for tensor, name in then.items()),
            *(_value_info(name, layer.inputs[0]) for name, layer in zip(seen, self.scans, strict=True)),
        ]
        return helper.make_graph(nodes, graph.unique("body"), inputs, outputs)

    def _define(self, carried: Mapping[ITensor, str], place: str) -> None:
        """Say what recurrences and iterators are in a run."""
        for tensor, name in carried.items():
            self.lowering.define(tensor, name, _type(tensor))
        for layer in self.slices:
            self.graph.layer_name = layer.name
            tensor = layer.inputs[0]
            value = self.lowering.read(tensor, DataType.FLOAT)
            size = self.graph.node(
                "Squeeze",
                [
                    self.graph.node("Gather", [self.graph.node("Shape", [value]), self._ints([layer.axis])]),
                    self._ints([0]),
                ],
            )
            last = self.graph.node("Sub", [size, self.graph.constant("one", 1, np.int64)])
            inside = self.graph.node("Min", [place, last])  # the limit is asked once more than there are slices
            index = self.graph.node("Sub", [last, inside]) if layer.reverse else inside
            picked = self.graph.node("Gather", [value, index], axis=layer.axis)
            self.lowering.define(layer.outputs[0], picked, _type(tensor))

    def _condition(self, carried: Mapping[ITensor, str], place: str) -> str:
        """Return whether all WHILE limits hold, with these values of the recurrences and in this run."""
        needed = leading(self.conditions, set(self.block.owner.layers))
        with self.lowering.scope():
            self._define(carried, place)
            for unit in self.block.parts[0]:
                if _holds(unit) & needed:
                    self.lowering.lower_unit(unit)
            self.graph.layer_name = self.name
            values = [self.lowering.read(tensor, DataType.FLOAT) for tensor in self.conditions]
            scalars = [self.graph.node("Reshape", [value, self._ints([])]) for value in values]
        together = scalars[0]
        for scalar in scalars[1:]:
            together = self.graph.node("And", [together, scalar])
        return str(together)

    def _in_form(self, layer: L.ILoopOutputLayer, value: str) -> str:
        """Return all values [runs, …] as many as were asked for, in their order, along the axis."""
        length, rank = layer.get_input(1), len(layer.inputs[0].shape) + 1
        if length is None:
            raise NetworkError(layer.name, "it collects and has no length", "Give it: set_input(1, length).")
        if self.conditions or self.counts != [length]:
            value = self._of_length(value, rank, self.lowering.read(length, DataType.FLOAT))
        if layer.kind == LoopOutput.REVERSE:
            bounds = [self._ints([number]) for number in (-1, LEAST, 0, -1)]
            value = self.graph.node("Slice", [value, *bounds])
        if layer.axis:
            order = [*range(1, layer.axis + 1), 0, *range(layer.axis + 1, rank)]
            value = self.graph.node("Transpose", [value], perm=order)
        return value

    def _of_length(self, value: str, rank: int, length: str) -> str:
        """Return a value with that many entries along the first axis, noughts where there are fewer."""
        graph = self.graph
        wanted = graph.node("Reshape", [graph.wide(length), self._ints([1])])
        missing = graph.node("Max", [graph.node("Sub", [wanted, graph.first_sizes(value, 1)]), self._ints([0])])
        before, behind = self._ints([0] * rank), self._ints([0] * (rank - 1))
        padded = graph.node("Pad", [value, graph.node("Concat", [before, missing, behind], axis=0)])
        return str(graph.node("Slice", [padded, self._ints([0]), wanted]))


def _holds(unit: Unit) -> set[L.ILayer]:
    return unit.layers if isinstance(unit, Block) else {unit}
