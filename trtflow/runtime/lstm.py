"""LSTM cells of MatrixMultiply, ElementWise, Slice and Activation, in place of RNNv2.

TensorRT 8.6.0 makes of an RNNv2 a loop over single rows of the batch, and an engine with one cannot be recorded as a
CUDA graph. These layers take all rows at once, and can be recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.runtime.tensors import add_constant, add_elementwise, add_joined, add_part, add_product

RNN_V2, LAYERS = "rnn_v2", "layers"
RECURRENT = (RNN_V2, LAYERS)  # what the recurrent part of a network can be made of; the guide's form is the first


@dataclass(frozen=True)
class Cell:
    """Weights of an LSTM cell.

    Attributes:
        kernel: float32 [inputs + H, 4 * H]: rows for the input stand above those for the hidden state.
        bias: float32 [4 * H].
        order: names of the gates, INPUT, FORGET, CELL and OUTPUT, as they stand side by side in both.
    """

    kernel: np.ndarray
    bias: np.ndarray
    order: Sequence[str]

    @property
    def units(self) -> int:
        """Size H of a state."""
        return len(self.bias) // len(self.order)


def add_cell(trt: ModuleType, network: Any, cell: Cell, value: Any, states: Sequence[Any]) -> tuple[Any, Any]:
    """Return hidden and cell state, each [rows, H], behind an input [rows, inputs] and states of the same rows."""
    both = add_joined(network, [value, states[0]], axis=1)
    product = add_product(trt, network, both, add_constant(network, cell.kernel))
    gates = add_elementwise(
        network, product, add_constant(network, cell.bias[np.newaxis]), trt.ElementWiseOperation.SUM
    )
    return _add_states(trt, network, cell, gates, states[1])


def add_stack(
    trt: ModuleType, network: Any, cells: Sequence[Cell], value: Any, states: Sequence[Any]
) -> tuple[Any, Any, Any]:
    """Return what a stack of cells makes of an input in one step.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: the network.
        cells: the weights of each layer.
        value: the input, [rows, inputs].
        states: hidden and cell states before it, [rows, layers * H] each.

    Returns:
        the last layer's hidden state [rows, H], hidden and cell states [rows, layers * H].
    """
    found: tuple[list[Any], list[Any]] = ([], [])
    for layer, cell in enumerate(cells):
        shape = (int(value.shape[0]), cell.units)
        value, state = add_cell(
            trt, network, cell, value, [add_part(network, kind, (0, layer * cell.units), shape) for kind in states]
        )
        found[0].append(value)
        found[1].append(state)
    hidden, state = (add_joined(network, parts, 1) for parts in found)
    return value, hidden, state


def add_cell_over(
    trt: ModuleType, network: Any, cell: Cell, values: Any, states: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Return hidden and cell states, [1, H] each, behind every one of several inputs.

    The product of the inputs is one for all of them; that of the hidden state has to wait for the step before.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: the network.
        cell: the weights.
        values: the inputs, [steps, inputs].
        states: hidden and cell state before the first, [1, H].
    """
    steps, inputs = tuple(values.shape)
    add, width = trt.ElementWiseOperation.SUM, cell.kernel.shape[1]
    product = add_product(trt, network, values, add_constant(network, cell.kernel[:inputs]))
    outer = add_elementwise(network, product, add_constant(network, cell.bias[np.newaxis]), add)
    inner_kernel = add_constant(network, cell.kernel[inputs:])
    hidden, state = states
    hiddens, cells = [], []
    for step in range(steps):
        inner = add_product(trt, network, hidden, inner_kernel)
        gates = add_elementwise(network, add_part(network, outer, (step, 0), (1, width)), inner, add)
        hidden, state = _add_states(trt, network, cell, gates, state)
        hiddens.append(hidden)
        cells.append(state)
    return hiddens, cells


def _add_states(trt: ModuleType, network: Any, cell: Cell, gates: Any, state: Any) -> tuple[Any, Any]:
    """Return hidden and cell state of gates [rows, 4 * H] before their activations."""
    multiply, add = trt.ElementWiseOperation.PROD, trt.ElementWiseOperation.SUM
    rows, units = int(gates.shape[0]), cell.units
    opened = {}
    for place, name in enumerate(cell.order):
        part = add_part(network, gates, (0, place * units), (rows, units))
        kind = trt.ActivationType.TANH if name == "CELL" else trt.ActivationType.SIGMOID
        opened[name] = network.add_activation(part, kind).get_output(0)
    kept = add_elementwise(network, opened["FORGET"], state, multiply)
    added = add_elementwise(network, opened["INPUT"], opened["CELL"], multiply)
    state = add_elementwise(network, kept, added, add)
    shown = network.add_activation(state, trt.ActivationType.TANH).get_output(0)
    return add_elementwise(network, opened["OUTPUT"], shown, multiply), state
