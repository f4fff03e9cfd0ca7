"""Loops and conditionals: the layers that stand where values enter and leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.answers import answers
from trtflow.reference.record.enums import DataType, LayerType, LoopOutput, TripLimit
from trtflow.reference.record.layer import ANY, BOOL, INT32, ILayer, Types
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.shape_values import known_values
from trtflow.reference.record.tensor import ITensor

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition


class _Flow(Sealed):
    """What a loop and a conditional share.

    Attributes:
        name: for errors.
        layers: those that stand on its border, in the order in which they were added.
    """

    title = ""

    def __init__(self, network: INetworkDefinition, number: int) -> None:
        self.network, self.name = network, f"(Unnamed {self.title}* {number})"
        self.layers: list[ILayer] = []

    def _error(self, message: str, code: object = None) -> bool:
        return self.network._error(message)


class ILoop(_Flow):
    """Part of a network that is run again and again; made by `INetworkDefinition.add_loop`."""

    title = "Loop"

    @answers(None)
    def add_trip_limit(self, tensor: ITensor, kind: TripLimit) -> ITripLimitLayer:
        """Say when the loop ends: after a number of runs, an INT32 scalar, or when a BOOL scalar inside is false."""
        return self.network.add_layer(ITripLimitLayer(self, tensor, kind))

    @answers(None)
    def add_recurrence(self, initial_value: ITensor) -> IRecurrenceLayer:
        """Add a value that is carried from run to run; its `set_input(1, …)` says what the next one is."""
        return self.network.add_layer(IRecurrenceLayer(self, initial_value))

    @answers(None)
    def add_iterator(self, tensor: ITensor, axis: int = 0, reverse: bool = False) -> IIteratorLayer:
        """Add a value that is one slice of a tensor after the other."""
        return self.network.add_layer(IIteratorLayer(self, tensor, axis, reverse))

    @answers(None)
    def add_loop_output(self, tensor: ITensor, kind: LoopOutput, axis: int = 0) -> ILoopOutputLayer:
        """Add an output: a recurrence's last value, or a tensor's of all runs one after the other along an axis."""
        return self.network.add_layer(ILoopOutputLayer(self, tensor, kind, axis))


class IIfConditional(_Flow):
    """Two parts of a network of which one is run; made by `INetworkDefinition.add_if_conditional`."""

    title = "Conditional"

    @answers(None)
    def set_condition(self, condition: ITensor) -> IConditionLayer:
        """Say which part is run, by a BOOL scalar."""
        return self.network.add_layer(IConditionLayer(self, condition))

    @answers(None)
    def add_input(self, input: ITensor) -> IIfConditionalInputLayer:
        """Add a value that either part may read: what is computed from it is computed only where it is chosen."""
        return self.network.add_layer(IIfConditionalInputLayer(self, input))

    @answers(None)
    def add_output(self, true_subgraph_output: ITensor, false_subgraph_output: ITensor) -> IIfConditionalOutputLayer:
        """Add an output, which either part has."""
        return self.network.add_layer(IIfConditionalOutputLayer(self, true_subgraph_output, false_subgraph_output))


class ILoopBoundaryLayer(ILayer):
    """A layer on the border of a loop."""

    read_only = ("loop",)
    explicit_batch_only = True

    def __init__(self, loop: ILoop, inputs: list[ITensor]) -> None:
        super().__init__(loop.network, inputs)
        self.loop = loop
        loop.layers.append(self)


class ITripLimitLayer(ILoopBoundaryLayer):
    """What ends a loop."""

    layer_type = LayerType.TRIP_LIMIT
    title, num_outputs = "TripLimit", 0
    read_only = ("kind",)

    def __init__(self, loop: ILoop, tensor: ITensor, kind: TripLimit) -> None:
        super().__init__(loop, [tensor])
        self.kind = TripLimit(kind)

    def allowed_types(self, index: int) -> Types:
        """Return INT32 for a count, BOOL for a condition."""
        return INT32 if self.kind == TripLimit.COUNT else BOOL

    def size_inputs(self) -> list[ITensor]:
        """Return the count."""
        return self.inputs if self.kind == TripLimit.COUNT else []


class IRecurrenceLayer(ILoopBoundaryLayer):
    """A value that is carried from run to run: input 0 is the first one, input 1 the next."""

    layer_type = LayerType.RECURRENCE
    title, most_inputs = "Recurrence", 2

    def __init__(self, loop: ILoop, initial_value: ITensor) -> None:
        super().__init__(loop, [initial_value])

    def sources(self) -> list[ITensor]:
        """Return the first value alone: what comes next is made of it."""
        return self.inputs[:1]


class IIteratorLayer(ILoopBoundaryLayer):
    """One slice of a tensor after the other, in reverse order where that is set."""

    layer_type, title = LayerType.ITERATOR, "Iterator"

    def __init__(self, loop: ILoop, tensor: ITensor, axis: int, reverse: bool) -> None:
        super().__init__(loop, [tensor])
        self.axis, self.reverse = int(axis), bool(reverse)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the tensor's shape without the axis."""
        shape = tuple(self.inputs[0].shape)
        if not 0 <= self.axis < len(shape):
            raise NetworkError(self.name, f"axis {self.axis} of a tensor of shape {shape}")
        return (*shape[: self.axis], *shape[self.axis + 1 :])


class ILoopOutputLayer(ILoopBoundaryLayer):
    """An output of a loop; input 1, an INT32 scalar, is the size along the axis where all values are given."""

    layer_type = LayerType.LOOP_OUTPUT
    title, takes, most_inputs = "LoopOutput", (ANY, INT32), 2
    read_only = ("kind",)

    def __init__(self, loop: ILoop, tensor: ITensor, kind: LoopOutput, axis: int) -> None:
        super().__init__(loop, [tensor])
        self.kind = LoopOutput(kind)
        self.axis = int(axis)

    def size_inputs(self) -> list[ITensor]:
        """Return the size along the axis."""
        return self.inputs[1:]

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of one value, with the number of values along the axis."""
        shape, given = tuple(self.inputs[0].shape), self.get_input(1)
        if self.kind == LoopOutput.LAST_VALUE:
            return shape
        if given is None or not 0 <= self.axis <= len(shape):
            fault = f"{self.kind.name} along axis {self.axis} of values of shape {shape}"
            remedy = "Give input 1, the number of values, with set_input." if given is None else "Choose another axis."
            raise NetworkError(self.name, fault, remedy)
        return (*shape[: self.axis], known_values(given, 1)[0], *shape[self.axis :])


class IIfConditionalBoundaryLayer(ILayer):
    """A layer on the border of a conditional."""

    read_only = ("conditional",)
    explicit_batch_only = True

    def __init__(self, conditional: IIfConditional, inputs: list[ITensor]) -> None:
        super().__init__(conditional.network, inputs)
        self.conditional = conditional
        conditional.layers.append(self)


class IConditionLayer(IIfConditionalBoundaryLayer):
    """What chooses between the parts of a conditional."""

    layer_type, title, num_outputs = LayerType.CONDITION, "Condition", 0
    takes = (BOOL,)

    def __init__(self, conditional: IIfConditional, condition: ITensor) -> None:
        super().__init__(conditional, [condition])
        if len(condition.shape):
            raise NetworkError(self.name, f"a condition of shape {condition.shape}", "It is a scalar: shape ().")


class IIfConditionalInputLayer(IIfConditionalBoundaryLayer):
    """A value that enters a conditional."""

    layer_type, title = LayerType.CONDITIONAL_INPUT, "ConditionalInput"

    def __init__(self, conditional: IIfConditional, input: ITensor) -> None:
        super().__init__(conditional, [input])


class IIfConditionalOutputLayer(IIfConditionalBoundaryLayer):
    """A value that leaves a conditional: of two that have one type, and one shape, that of the part that is run."""

    layer_type, title = LayerType.CONDITIONAL_OUTPUT, "ConditionalOutput"

    def __init__(self, conditional: IIfConditional, then_output: ITensor, else_output: ITensor) -> None:
        super().__init__(conditional, [then_output, else_output])

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the shape that both have, -1 where one of them is not known."""
        first, second = (tuple(tensor.shape) for tensor in self.inputs)
        sizes = zip(first, second, strict=False)
        if len(first) != len(second) or any(a != b and -1 not in (a, b) for a, b in sizes):
            fault = f"IIfConditionalOutputLayer inputs must have the same shape; they are of {first} and {second}"
            raise NetworkError(self.name, fault, "Give both branches one shape.")
        return tuple(a if a == b else -1 for a, b in zip(first, second, strict=True))

    def output_dtype(self, index: int) -> DataType:
        """Return the type that both have."""
        first, second = (tensor.native_dtype for tensor in self.inputs)
        if first != second:
            raise NetworkError(self.name, f"outputs of type {first.name} and {second.name}", "Convert with add_cast.")
        return first
