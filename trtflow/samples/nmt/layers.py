"""The parts of the network as the guide has them, a function each: they take and return tensors of the network."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from trtflow.formats.nmt_weights import GATES, Recurrent
from trtflow.runtime.lstm import Cell, add_stack
from trtflow.runtime.tensors import (
    add_constant,
    add_conversion,
    add_elementwise,
    add_joined,
    add_product,
    add_reshape,
)
from trtflow.samples.nmt.bindings import ATTENTION_IN, CELL_IN, HIDDEN_IN
from trtflow.samples.nmt.model import Model


def mark(network: Any, outputs: dict[str, Any]) -> None:
    """Name tensors and mark them as outputs."""
    for name, tensor in outputs.items():
        tensor.name = name
        network.mark_output(tensor)


def add_embedder(network: Any, words: Any, embedding: np.ndarray) -> Any:
    """slp_embedder: Gather from a Constant. Words int32 [N] become [N, E]."""
    return network.add_gather(add_constant(network, embedding), words, 0).get_output(0)


def add_lstm(trt: ModuleType, network: Any, data: Any, weights: Recurrent, steps: int) -> Any:
    """lstm_encoder, lstm_decoder: RNNv2 with the weights of each gate."""
    rnn = network.add_rnn_v2(data, weights.layers, weights.units, steps, trt.RNNOperation.LSTM)
    rnn.input_mode, rnn.direction = trt.RNNInputMode.LINEAR, trt.RNNDirection.UNIDIRECTION
    for layer, kernels in enumerate(weights.kernels):
        for place, is_w in enumerate((True, False)):
            for index, name in enumerate(GATES):
                gate = getattr(trt.RNNGateType, name)
                rnn.set_weights_for_gate(layer, gate, is_w, np.ascontiguousarray(kernels[place][index]))
                rnn.set_bias_for_gate(layer, gate, is_w, np.ascontiguousarray(weights.biases[layer, place, index]))
    return rnn


def cells(weights: Recurrent) -> list[Cell]:
    """Return the weights of each layer as a cell of plain layers has them; the two biases of a gate are one."""
    gates, found = 4 * weights.units, []
    for (w, r), biases in zip(weights.kernels, weights.biases, strict=True):
        kernel = np.concatenate([w.reshape(gates, -1), r.reshape(gates, -1)], axis=1).T
        found.append(Cell(np.ascontiguousarray(kernel), biases.sum(axis=0).reshape(-1), GATES))
    return found


def add_lstm_step(
    trt: ModuleType, network: Any, data: Any, weights: Recurrent, states: tuple[Any, Any]
) -> tuple[Any, Any, Any]:
    """lstm_decoder of plain layers: output [rows, H], hidden and cell states [rows, layers, H] behind one step.

    `data` is [rows, inputs], and `states` are hidden and cell states before it.
    """
    rows, units = int(data.shape[0]), weights.units
    flat = [add_reshape(network, state, (rows, weights.layers * units)) for state in states]
    output, *after = add_stack(trt, network, cells(weights), data, flat)
    hidden, state = (add_reshape(network, value, (rows, weights.layers, units)) for value in after)
    return output, hidden, state


def add_alignment(trt: ModuleType, network: Any, query: Any, keys: Any) -> Any:
    """multiplicative_alignment: scores [beam, T] of decoder outputs [beam, H] and keys [T, H]."""
    return add_product(trt, network, query, keys, transpose_right=True)


def add_context(trt: ModuleType, network: Any, scores: Any, memory: Any, lengths: Any) -> tuple[Any, Any]:
    """context: softmax over the words that are there, and the sum of memory [T, H] it weighs: [beam, H]."""
    weights = add_softmax_of_lengths(trt, network, scores, lengths)
    return add_product(trt, network, weights, memory), weights


def add_softmax_of_lengths(trt: ModuleType, network: Any, scores: Any, lengths: Any) -> Any:
    """Return the softmax of scores [beam, T] over the first of each row, as many as lengths int32 [beam, 1] say.

    The guide takes a RaggedSoftMax. TensorRT 8.6 builds one of inputs, but none of what comes from an RNNv2 ("must have
    exactly 2 dimensions", although it has), so the scores behind the end are pushed down by 500 at least instead.
    """
    places = np.arange(scores.shape[1], dtype=np.float32)[None] + np.float32(0.5)
    as_float = add_conversion(network, lengths, trt.float32)
    inside = add_elementwise(network, as_float, add_constant(network, places), trt.ElementWiseOperation.SUB)
    steep, zero = (add_constant(network, np.full((1, 1), value, np.float32)) for value in (1000, 0))
    pushed = add_elementwise(network, inside, steep, trt.ElementWiseOperation.PROD)
    mask = add_elementwise(network, pushed, zero, trt.ElementWiseOperation.MIN)
    softmax = network.add_softmax(add_elementwise(network, scores, mask, trt.ElementWiseOperation.SUM))
    softmax.axes = 1 << 1
    return softmax.get_output(0)


def add_attention(trt: ModuleType, network: Any, query: Any, context: Any, kernel: np.ndarray) -> Any:
    """slp_attention: tanh of a matrix [2 H, A] and decoder output and context together."""
    both = add_joined(network, [query, context], 1)
    product = add_product(trt, network, both, add_constant(network, kernel))
    return network.add_activation(product, trt.ActivationType.TANH).get_output(0)


def add_states(trt: ModuleType, network: Any, model: Model, parents: Any) -> list[Any]:
    """Add the inputs that the generator feeds back: hidden and cell states [beam, layers, H], attention [beam, A].

    Returns:
        those of the hypotheses that others go on from, which `parents` int32 [beam] tells.
    """
    states = (model.beam, model.decoder.layers, model.decoder.units)
    shapes = {HIDDEN_IN: states, CELL_IN: states, ATTENTION_IN: (model.beam, model.matrices["decatt"].shape[1])}
    before = [network.add_input(name, trt.float32, shape) for name, shape in shapes.items()]
    return [network.add_gather(tensor, parents, 0).get_output(0) for tensor in before]


def add_attending(
    trt: ModuleType, network: Any, query: Any, source: tuple[Any, Any], lengths: Any, kernel: np.ndarray
) -> tuple[Any, Any]:
    """Return the attention [beam, A] of decoder outputs [beam, H] to memory and keys [T, H], and weights [beam, T]."""
    memory, keys = source
    scores = add_alignment(trt, network, query, keys)
    context, alignment = add_context(trt, network, scores, memory, lengths)
    return add_attention(trt, network, query, context, kernel), alignment


def add_likelihood(trt: ModuleType, network: Any, logits: Any, beam: int) -> Any:
    """softmax_likelihood: SoftMax [beam, words], and TopK: the likeliest words, [beam, beam]."""
    softmax = network.add_softmax(logits)
    softmax.axes = 1 << 1
    return network.add_topk(softmax.get_output(0), trt.TopKOperation.MAX, beam, 1 << 1)
