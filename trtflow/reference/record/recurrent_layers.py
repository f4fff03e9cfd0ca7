"""Recurrent layers, and the softmax over sequences of different lengths that attention takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import LayerType, RNNDirection, RNNGateType, RNNInputMode, RNNOperation
from trtflow.reference.record.layer import FLOATS, INT32, ILayer
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, Weights

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

GATES = {  # of each cell, in the order in which ONNX stacks them
    RNNOperation.RELU: (RNNGateType.INPUT,),
    RNNOperation.TANH: (RNNGateType.INPUT,),
    RNNOperation.LSTM: (RNNGateType.INPUT, RNNGateType.OUTPUT, RNNGateType.FORGET, RNNGateType.CELL),
    RNNOperation.GRU: (RNNGateType.UPDATE, RNNGateType.RESET, RNNGateType.HIDDEN),
}
HIDDEN, CELL, LENGTHS = 1, 2, 3  # places of the inputs that can be left out

Gate = tuple[int, RNNGateType, bool]


def _optional_input(place: int, doc: str) -> property:
    def put(layer: IRNNv2Layer, tensor: ITensor) -> None:
        layer.put(place, tensor)

    return property(lambda layer: layer.get_input(place), put, doc=doc)


class IRNNv2Layer(ILayer):
    """Recurrent cells in layers, over sequences [index dimensions…, S, E], an explicit batch among these dimensions.

    Outputs: the last layer's hidden state at each step, [index dimensions…, S, K * H], 0 behind the end of a sequence;
    the last hidden state and, of an LSTM, the last cell state of all layers, [index dimensions…, L * K, H]. K is 2 for
    BIDIRECTION, else 1; there layer l has the index 2 * l forward and 2 * l + 1 backward, in weights and states.

    Weights of each gate are set one by one: W [H, E], behind the first layer [H, K * H]; R [H, H]; biases [H] of both.
    Refitters do not know them.

    Attributes:
        op: cell; changing it makes new output tensors, as their number may change.
        input_mode: SKIP takes the input in place of its product with W in the first layer.
        direction: UNIDIRECTION or BIDIRECTION.
    """

    layer_type, title = LayerType.RNN_V2, "RNN"
    takes = (FLOATS, FLOATS, FLOATS, INT32)
    _op: RNNOperation

    def __init__(
        self, network: INetworkDefinition, input: ITensor, layers: int, hidden_size: int, length: int, op: RNNOperation
    ) -> None:
        super().__init__(network, [input])
        if len(input.shape) < 2 or input.shape[-2] != length:
            fault = f"its input {input.name!r} has shape {input.shape}"
            raise NetworkError(self.name, fault, f"It must be (…, {length}, E): max_seq_length comes before the last.")
        self._sizes = int(layers), int(hidden_size), int(length)
        self._weights: dict[Gate, Weights] = {}
        self._biases: dict[Gate, Weights] = {}
        self._op = RNNOperation(op)
        self.input_mode, self.direction = RNNInputMode.LINEAR, RNNDirection.UNIDIRECTION

    num_layers = property(lambda self: self._sizes[0], doc="Number of layers, each of them in every direction.")
    hidden_size = property(lambda self: self._sizes[1], doc="Size H of a hidden state.")
    max_seq_length = property(lambda self: self._sizes[2], doc="Number S of steps.")
    data_length = property(lambda self: self.inputs[0].shape[-1], doc="Size E of a step's input.")
    hidden_state = _optional_input(HIDDEN, "First hidden states [index dimensions…, L * K, H]; 0 where None.")
    cell_state = _optional_input(CELL, "First cell states of an LSTM [index dimensions…, L * K, H]; 0 where None.")
    seq_lengths = _optional_input(LENGTHS, "Number of steps of each sequence, INT32 [index dimensions…].")

    def put(self, place: int, tensor: ITensor) -> None:
        """Set an input that can be left out.

        Raises:
            NetworkError: a cell state for a cell without one.
        """
        if place == CELL and self.op != RNNOperation.LSTM:
            raise NetworkError(self.name, f"a cell state for {self.op.name}", "Only an LSTM has one.")
        self._places[place] = tensor
        self.network.in_order = False
        self.network.revision += 1

    @property
    def op(self) -> RNNOperation:
        """The cell."""
        return self._op

    @op.setter
    def op(self, op: RNNOperation) -> None:
        self._op = RNNOperation(op)
        self.add_outputs()

    @property
    def num_outputs(self) -> int:  # type: ignore[override]
        """3 for an LSTM, which has a cell state, else 2."""
        return 3 if self.op == RNNOperation.LSTM else 2

    @property
    def directions(self) -> int:
        """K, 1 or 2."""
        return 2 if self.direction == RNNDirection.BIDIRECTION else 1

    def set_weights_for_gate(self, layer_index: int, gate: RNNGateType, is_w: bool, weights: Any) -> None:
        """Set the matrix of a gate for the input (`is_w`) or for the hidden state, in rows."""
        self._weights[int(layer_index), RNNGateType(gate), bool(is_w)] = Weights.of(weights)

    def get_weights_for_gate(self, layer_index: int, gate: RNNGateType, is_w: bool) -> np.ndarray:
        """Return the matrix of a gate as it was set; empty where it was not."""
        return self._weights.get((layer_index, RNNGateType(gate), bool(is_w)), Weights()).numpy()

    def set_bias_for_gate(self, layer_index: int, gate: RNNGateType, is_w: bool, bias: Any) -> None:
        """Set the bias of a gate, W's (`is_w`) or R's."""
        self._biases[int(layer_index), RNNGateType(gate), bool(is_w)] = Weights.of(bias)

    def get_bias_for_gate(self, layer_index: int, gate: RNNGateType, is_w: bool) -> np.ndarray:
        """Return the bias of a gate as it was set; empty where it was not."""
        return self._biases.get((layer_index, RNNGateType(gate), bool(is_w)), Weights()).numpy()

    def matrix(self, index: int, gate: RNNGateType, is_w: bool) -> np.ndarray:
        """Return the matrix [H, columns] of a gate, the identity where the input is taken as it is.

        Raises:
            NetworkError: it was not set, or has another size.
        """
        first = index < self.directions
        columns = self.hidden_size * (self.directions if is_w and not first else 1)
        if is_w and first and self.input_mode == RNNInputMode.SKIP:
            return np.eye(self.hidden_size, dtype=np.float32)
        if is_w and first:
            columns = self.data_length
        found = self.get_weights_for_gate(index, gate, is_w)
        return self._sized(found, (self.hidden_size, columns), index, gate, f"{'W' if is_w else 'R'}")

    def bias(self, index: int, gate: RNNGateType, is_w: bool) -> np.ndarray:
        """Return the bias [H] of a gate.

        Raises:
            NetworkError: it was not set, or has another size.
        """
        found = self.get_bias_for_gate(index, gate, is_w)
        return self._sized(found, (self.hidden_size,), index, gate, f"the bias of {'W' if is_w else 'R'}")

    def _sized(
        self, values: np.ndarray, shape: tuple[int, ...], index: int, gate: RNNGateType, what: str
    ) -> np.ndarray:
        if values.size != np.prod(shape):
            fault = f"{what} of gate {gate.name} in layer {index} has {values.size} values, not {Dims(shape)}"
            remedy = "Call set_weights_for_gate and set_bias_for_gate for each gate, with is_w True and False."
            raise NetworkError(self.name, fault, remedy)
        return values.reshape(shape)

    def check(self) -> None:
        """Compare the shapes of the inputs, and the gates that were set, with the layer's sizes.

        Raises:
            NetworkError: they do not fit.
        """
        if not self.network.has_implicit_batch_dimension and len(self.inputs[0].shape) < 3:
            fault = (
                f"an input of shape {self.inputs[0].shape}, although the batch is explicit: Assertion rank >= 1 failed"
            )
            raise NetworkError(self.name, fault, "Give the batch as its first dimension.")
        states = self.output_shape(1)
        wanted = {HIDDEN: states, CELL: states, LENGTHS: states[:-2]}
        for place, shape in wanted.items():
            tensor = self.get_input(place)
            if tensor is not None and tuple(tensor.shape) not in (shape, self._without_batch_of_one(shape)):
                fault = f"its input {tensor.name!r} has shape {tensor.shape}, not {Dims(shape)}"
                raise NetworkError(self.name, fault, "States are (…, layers * directions, hidden size), lengths (…).")
        if self.input_mode == RNNInputMode.SKIP and self.data_length != self.hidden_size:
            fault = f"inputs of size {self.data_length} and hidden states of size {self.hidden_size}"
            raise NetworkError(self.name, fault, "With RNNInputMode.SKIP they must be equal.")
        count = self.num_layers * self.directions
        for index, gate, _ in [*self._weights, *self._biases]:
            if gate not in GATES[self.op] or not 0 <= index < count:
                gates = ", ".join(known.name for known in GATES[self.op])
                fault = f"weights for gate {gate.name} in layer {index}"
                raise NetworkError(
                    self.name, fault, f"{self.op.name} has the gates {gates} in layers 0 to {count - 1}."
                )

    def _without_batch_of_one(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return a shape as TensorRT takes it too: where the batch is explicit and 1, states may be without it."""
        explicit = not self.network.has_implicit_batch_dimension
        return shape[1:] if explicit and self.inputs[0].shape[0] == 1 else shape

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return that of the hidden states at each step, or that of all layers' last states."""
        outer = tuple(self.inputs[0].shape[:-2])
        if index == 0:
            return (*outer, self.max_seq_length, self.directions * self.hidden_size)
        return (*outer, self.num_layers * self.directions, self.hidden_size)


class IRaggedSoftMaxLayer(ILayer):
    """Softmax over the first `bounds` elements of each row [Z, S]; bounds are INT32 [Z, 1]; 0 behind them."""

    layer_type, title = LayerType.RAGGED_SOFTMAX, "RaggedSoftMax"
    takes = (FLOATS, INT32)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the input's shape, checked against that of the bounds."""
        shape, bounds = (tuple(tensor.shape) for tensor in self.inputs)
        if len(shape) < 2 or bounds != (*shape[:-1], 1):
            fault = f"an input of shape {Dims(shape)} and bounds of shape {Dims(bounds)}"
            raise NetworkError(self.name, fault, "They must be (Z, S) and (Z, 1).")
        return shape
