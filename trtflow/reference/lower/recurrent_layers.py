"""Lowerings of the recurrent layers to ONNX's own, one node a layer of cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.reference.lower.graph import Graph, lowers
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import DataType, RNNOperation
from trtflow.reference.record.recurrent_layers import CELL, GATES, HIDDEN, LENGTHS

OPERATORS = {
    RNNOperation.RELU: "RNN",
    RNNOperation.TANH: "RNN",
    RNNOperation.LSTM: "LSTM",
    RNNOperation.GRU: "GRU",
}


@lowers(L.IRNNv2Layer)
def rnn_v2(layer: L.IRNNv2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """LSTM, GRU or RNN for each layer; index dimensions become one with the batch, which ONNX has second."""
    layer.check()
    given = _spread(layer, graph, layer.by_input(inputs))
    steps, size, states = layer.max_seq_length, layer.hidden_size, layer.num_layers * layer.directions
    value = _steps_first(graph, given[0], [-1, steps, layer.data_length])
    lengths = graph.node("Reshape", [given[LENGTHS], graph.ints("flat", [-1])]) if LENGTHS in given else ""
    first = {
        place: _by_layer(layer, graph, _steps_first(graph, given[place], [-1, states, size]))
        for place in (HIDDEN, CELL)
        if place in given
    }
    last: list[list[str]] = []
    for index in range(layer.num_layers):
        begin = [first[place][index] if place in first else "" for place in (HIDDEN, CELL)][: layer.num_outputs - 1]
        operands = [value, *_weights(layer, graph, index), lengths, *begin]
        value, *found = graph.node(
            OPERATORS[layer.op], operands, outputs=layer.num_outputs, hidden_size=size, **_attributes(layer)
        )
        last.append(found)
        if index + 1 < layer.num_layers:  # [S, K, N, H] to [S, N, K * H]
            value = graph.node("Transpose", [value], perm=[0, 2, 1, 3])
            value = graph.node("Reshape", [value, graph.ints("joined", [0, 0, -1])])
    hidden = graph.node("Transpose", [value], perm=[2, 0, 1, 3])
    outputs = [hidden, *(_batch_first(graph, list(parts)) for parts in zip(*last, strict=True))]
    shapes = [
        graph.ints("shape", [-1] * graph.batch_axes + list(layer.output_shape(index)))
        for index in range(layer.num_outputs)
    ]
    return [graph.node("Reshape", list(pair)) for pair in zip(outputs, shapes, strict=True)]


def _spread(layer: L.IRNNv2Layer, graph: Graph, given: dict[int, str]) -> dict[int, str]:
    """Repeat inputs that are the same for the whole batch, as constants are, for each of its entries."""
    varying = [value for place, value in given.items() if layer.get_input(place) in graph.batched]
    if not varying:
        return given
    found = {}
    for place, value in given.items():
        tensor = layer.get_input(place)
        assert tensor is not None
        found[place] = value if tensor in graph.batched else graph.spread(value, graph.rank(tensor), varying[0])
    return found


def _steps_first(graph: Graph, value: str, shape: list[int]) -> str:
    """Return a value of a shape [N, A, B], index dimensions joined with the batch, as [A, N, B]."""
    flat = graph.node("Reshape", [value, graph.ints("flat", shape)])
    return str(graph.node("Transpose", [flat], perm=[1, 0, 2]))


def _by_layer(layer: L.IRNNv2Layer, graph: Graph, states: str) -> list[str]:
    """Cut states [L * K, N, H] into those of each layer."""
    if layer.num_layers == 1:
        return [states]
    sizes = graph.ints("sizes", [layer.directions] * layer.num_layers)
    return list(graph.node("Split", [states, sizes], outputs=layer.num_layers, axis=0))


def _batch_first(graph: Graph, states: list[str]) -> str:
    """Join states [K, N, H] of all layers to [N, L * K, H]."""
    joined = graph.node("Concat", states, axis=0) if len(states) > 1 else states[0]
    return str(graph.node("Transpose", [joined], perm=[1, 0, 2]))


def _weights(layer: L.IRNNv2Layer, graph: Graph, index: int) -> list[str]:
    """Add W [K, gates * H, E], R [K, gates * H, H] and the biases [K, 2 * gates * H] of a layer."""
    gates = GATES[layer.op]
    places = range(index * layer.directions, (index + 1) * layer.directions)
    matrices = [
        np.stack([np.concatenate([layer.matrix(place, gate, is_w) for gate in gates]) for place in places])
        for is_w in (True, False)
    ]
    biases = [
        np.concatenate([layer.bias(place, gate, is_w) for is_w in (True, False) for gate in gates]) for place in places
    ]
    named = {"input_weights": matrices[0], "hidden_weights": matrices[1], "biases": np.stack(biases)}
    return [graph.constant(name, values) for name, values in named.items()]


def _attributes(layer: L.IRNNv2Layer) -> dict[str, Any]:
    attributes: dict[str, Any] = {"direction": "bidirectional" if layer.directions > 1 else "forward"}
    if layer.op in (RNNOperation.RELU, RNNOperation.TANH):
        attributes["activations"] = [layer.op.name.capitalize()] * layer.directions
    if layer.op == RNNOperation.GRU:  # r * (R.H + Rb), TensorRT's equation
        attributes["linear_before_reset"] = 1
    return attributes


@lowers(L.IRaggedSoftMaxLayer)
def ragged_softmax(layer: L.IRaggedSoftMaxLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Softmax with the least number behind the bounds, and 0 there afterwards."""
    layer.output_shape(0)
    data, bounds = inputs
    sizes = graph.node("Shape", [data])
    ones = graph.node("Expand", [graph.constant("one", 1, np.int64), sizes])
    places = graph.node("CumSum", [ones, graph.constant("axis", -1, np.int64)], exclusive=1)
    inside = graph.node("Less", [places, graph.wide(bounds)])
    least = graph.constant("least", np.finfo(np.float16 if graph.dtype == DataType.HALF else np.float32).min)
    weights = graph.node("Softmax", [graph.node("Where", [inside, data, least])], axis=-1)
    return [graph.node("Where", [inside, weights, graph.zero(DataType.FLOAT)])]
