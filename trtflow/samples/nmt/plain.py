"""The two networks of plain layers: what TensorRT computes fast, where the guide's form shows what is computed.

LSTM cells are products (trtflow/runtime/lstm.py). The encoder reads a few words a run, `CHUNK`, and goes on from its
own states. The generator extends the hypotheses by itself (trtflow/samples/nmt/search.py). Sizes that its products read
or make are round, for which TensorRT has faster kernels and copies nothing, and an FP16 engine keeps in float16 what
stays on the device, which else it would convert twice a step.
"""

from __future__ import annotations

from collections.abc import Collection
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.runtime.lstm import add_cell_over
from trtflow.runtime.tensors import add_constant, add_elementwise, add_joined, add_part, add_product
from trtflow.samples.nmt import bindings as b
from trtflow.samples.nmt.layers import (
    add_attending,
    add_embedder,
    add_likelihood,
    add_lstm_step,
    add_states,
    cells,
    mark,
)
from trtflow.samples.nmt.model import Model
from trtflow.samples.nmt.search import SearchState, add_search

CHUNK = 10  # words that the encoder reads in a run
ROUND_LENGTH, ROUND_WORDS = 32, 64  # multiples of which are words of a sentence in memory and keys, and a vocabulary
UNLIKELY = -6e4  # a logit, near float16's least number


def rounded(number: int, multiple: int) -> int:
    """Return the least multiple that is not below a number."""
    return -(-number // multiple) * multiple


def define_encoder(trt: ModuleType, network: Any, model: Model, half: Any = None) -> None:
    """A few words of each sentence to their rows of memory and keys, and the states behind the sentence's last word.

    `INSIDE`, float32 [words, 1], is 0 behind a sentence's end, where rows become 0, and else 1. `LAST`, [1, words], is
    1 at its last word: all 0 in every run but one, so that the states of the runs add up to those at its end. The
    running states go on behind it, where nothing reads them.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: the network.
        model: the weights.
        half: float16 as the type of what stays on the device; None for float32.
    """
    add, multiply = trt.ElementWiseOperation.SUM, trt.ElementWiseOperation.PROD
    steps, layers, units = min(CHUNK, model.max_length), model.encoder.layers, model.encoder.units
    words = network.add_input(b.WORDS, trt.int32, (steps,))
    inside = network.add_input(b.INSIDE, trt.float32, (steps, 1))
    last = network.add_input(b.LAST, trt.float32, (1, steps))
    fed_back = b.PLAIN_ENCODER_FEEDBACK
    before = {name: network.add_input(name, trt.float32, (layers, units)) for name in fed_back.values()}
    running = [before[fed_back[name]] for name in b.RUNNING]

    value = add_embedder(network, words, model.matrices["encembed"])
    states: tuple[list[Any], list[Any]] = ([], [])  # hidden and cell states of each layer, [steps, units]
    for layer, cell in enumerate(cells(model.encoder)):
        first = tuple(add_part(network, state, (layer, 0), (1, units)) for state in running)
        found = add_cell_over(trt, network, cell, value, first)
        for kind, rows in zip(states, found, strict=True):
            kind.append(add_joined(network, rows, 0))
        value = states[0][-1]
    memory = add_elementwise(network, value, inside, multiply)
    keys = add_product(trt, network, memory, add_constant(network, model.matrices["decmem"]))
    mark(network, {b.MEMORY: memory, b.KEYS: keys})
    for name, end, kind in zip(b.RUNNING, (b.FIRST_HIDDEN, b.FIRST_CELL), states, strict=True):
        run_on = [add_part(network, rows, (steps - 1, 0), (1, units)) for rows in kind]
        at_end = add_joined(network, [add_product(trt, network, last, rows) for rows in kind], 0)
        ended = add_elementwise(network, before[fed_back[end]], at_end, add)
        mark(network, {name: add_joined(network, run_on, 0), end: ended})
    _bind_as(trt, network, half, [*fed_back, *fed_back.values(), b.MEMORY, b.KEYS])


def define_generator(trt: ModuleType, network: Any, model: Model, half: Any = None) -> None:
    """A word more for each hypothesis, which first takes over the states of the one it goes on from.

    Arguments as of `define_encoder`.
    """
    beam, units, length = model.beam, model.decoder.units, rounded(model.max_length, ROUND_LENGTH)
    words, parents = (network.add_input(name, trt.int32, (beam,)) for name in (b.BEAM_WORDS, b.PARENTS))
    lengths = network.add_input(b.BEAM_LENGTHS, trt.int32, (beam, 1))
    memory, keys = (network.add_input(name, trt.float32, (length, units)) for name in (b.MEMORY_IN, b.KEYS_IN))
    *states, looked = add_states(trt, network, model, parents)

    embedding = model.matrices["decembed"] if half is None else model.matrices["decembed"].astype(np.float16)
    data = add_joined(network, [add_embedder(network, words, embedding), looked], 1)
    query, hidden, state = add_lstm_step(trt, network, data, model.decoder, (states[0], states[1]))
    attention, alignment = add_attending(trt, network, query, (memory, keys), lengths, model.matrices["decatt"])
    best = add_likelihood(trt, network, _add_logits(trt, network, attention, model.matrices["decproj"]), beam)
    mark(network, {b.HIDDEN_OUT: hidden, b.CELL_OUT: state, b.ATTENTION_OUT: attention, b.ALIGNMENT: alignment})

    likelihoods, candidates = (best.get_output(place) for place in range(2))
    hypotheses = (network.add_input(name, trt.float32, (beam, 1)) for name in (b.SCORES_IN, b.ENDED_IN, b.SEEN_IN))
    outside = network.add_input(b.OUTSIDE, trt.float32, (beam, beam))
    *chosen, after = add_search(trt, network, likelihoods, candidates, SearchState(*hypotheses), outside)
    mark(network, dict(zip(b.SEARCH_FEEDBACK, (*chosen, *after), strict=True)))
    mark(network, {b.LIKELIHOODS: likelihoods, b.CANDIDATES: candidates})
    for tensor in (candidates, *chosen):
        tensor.dtype = trt.int32
    _bind_as(trt, network, half, [*b.FEEDBACK, *b.FEEDBACK.values(), b.MEMORY_IN, b.KEYS_IN])


def _add_logits(trt: ModuleType, network: Any, attention: Any, kernel: np.ndarray) -> Any:
    """slp_projection: a matrix [A, words], filled up with unlikely words.

    Rows of another size TensorRT makes by a kernel for round ones and copies, 46 of 424 us a step on an H200.
    """
    words = kernel.shape[1]
    more = rounded(words, ROUND_WORDS) - words
    logits = add_product(trt, network, attention, add_constant(network, np.pad(kernel, ((0, 0), (0, more)))))
    bias = np.repeat(np.array([0, UNLIKELY], np.float32), (words, more))
    return add_elementwise(network, logits, add_constant(network, bias[np.newaxis]), trt.ElementWiseOperation.SUM)


def _bind_as(trt: ModuleType, network: Any, half: Any, names: Collection[str]) -> None:
    """Give inputs and outputs a type; None leaves float32."""
    if half is None:
        return
    sides = ((network.get_input, network.num_inputs), (network.get_output, network.num_outputs))
    for tensor in (get(index) for get, count in sides for index in range(count)):
        if tensor.name in names:
            tensor.dtype, tensor.allowed_formats = half, 1 << int(trt.TensorFormat.LINEAR)
