"""The two networks: the encoder, and the generator with a step of the decoder and the choice of words.

Each has two forms: `rnn_v2`, the guide's, and `layers`, whose LSTM cells are plain layers (trtflow/runtime/lstm.py).
The encoder of the latter reads a few words a run, `CHUNK`, and goes on from its own states.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.runtime.lstm import LAYERS, RNN_V2, add_cell_over
from trtflow.runtime.tensors import (
    add_constant,
    add_elementwise,
    add_joined,
    add_part,
    add_product,
    add_reshape,
)
from trtflow.samples.nmt.layers import (
    add_alignment,
    add_attention,
    add_context,
    add_embedder,
    add_likelihood,
    add_lstm,
    add_lstm_step,
    cells,
)
from trtflow.samples.nmt.model import Model, read_model

WORDS, LENGTH = "input_encoder_data", "actual_input_sequence_lengths"  # of the encoder
MEMORY, KEYS, FIRST_HIDDEN, FIRST_CELL = "memory", "attention_keys", "encoder_hidden", "encoder_cell"
BEAM_WORDS, PARENTS, BEAM_LENGTHS = (
    "input_decoder_data",
    "source_ray_indices",
    "actual_input_sequence_lengths_with_beam",
)
MEMORY_IN, KEYS_IN = "input_memory", "input_attention_keys"
HIDDEN_IN, CELL_IN, ATTENTION_IN = "input_hidden", "input_cell", "input_attention"
HIDDEN_OUT, CELL_OUT, ATTENTION_OUT = "output_hidden", "output_cell", "output_attention"
LIKELIHOODS, CANDIDATES, ALIGNMENT = "candidate_likelihoods", "candidate_words", "alignment"
INSIDE, LAST = "inside", "last"  # of the encoder of layers: which words are there, and which is a sentence's last
RUNNING = ("running_hidden", "running_cell")
ENCODER_FEEDBACK = {
    **{name: f"input_{name}" for name in RUNNING},
    FIRST_HIDDEN: "input_encoder_hidden",
    FIRST_CELL: "input_encoder_cell",
}
CHUNK = 10  # words that the encoder of layers reads in a run
FROM_ENCODER = {MEMORY_IN: MEMORY, KEYS_IN: KEYS, HIDDEN_IN: FIRST_HIDDEN, CELL_IN: FIRST_CELL}
FEEDBACK = {HIDDEN_OUT: HIDDEN_IN, CELL_OUT: CELL_IN, ATTENTION_OUT: ATTENTION_IN}


def mark(network: Any, outputs: dict[str, Any]) -> None:
    """Name tensors and mark them as outputs."""
    for name, tensor in outputs.items():
        tensor.name = name
        network.mark_output(tensor)


def define_encoder(trt: ModuleType, network: Any, export: Path, recurrent: str = RNN_V2) -> None:
    """Sentences to memory, keys, and the states that each of the beam's hypotheses begins with."""
    model = read_model(export)
    if recurrent == LAYERS:
        _define_chunk(trt, network, model)
        return
    words = network.add_input(WORDS, trt.int32, (model.max_length,))
    length = network.add_input(LENGTH, trt.int32, ())
    embedded = add_embedder(network, words, model.matrices["encembed"])
    rnn = add_lstm(trt, network, embedded, model.encoder, model.max_length)
    rnn.seq_lengths = length
    memory = rnn.get_output(0)
    keys = add_product(trt, network, memory, add_constant(network, model.matrices["decmem"]))
    mark(network, {MEMORY: memory, KEYS: keys})
    for index, name in ((1, FIRST_HIDDEN), (2, FIRST_CELL)):
        one = add_reshape(network, rnn.get_output(index), (1, model.encoder.layers, model.encoder.units))
        mark(network, {name: add_joined(network, [one] * model.beam, 0)})


def _define_chunk(trt: ModuleType, network: Any, model: Model) -> None:
    """A few words of each sentence to their rows of memory and keys, and the states behind the sentence's last word.

    `INSIDE`, float32 [words, 1], is 0 behind a sentence's end, where rows become 0, and else 1. `LAST`, [1, words], is
    1 at its last word: all 0 in every run but one, so that the states of the runs add up to those at its end. The
    running states go on behind it, where nothing reads them.
    """
    add, multiply = trt.ElementWiseOperation.SUM, trt.ElementWiseOperation.PROD
    steps, layers, units = min(CHUNK, model.max_length), model.encoder.layers, model.encoder.units
    words = network.add_input(WORDS, trt.int32, (steps,))
    inside = network.add_input(INSIDE, trt.float32, (steps, 1))
    last = network.add_input(LAST, trt.float32, (1, steps))
    before = {name: network.add_input(name, trt.float32, (layers, units)) for name in ENCODER_FEEDBACK.values()}
    running = [before[ENCODER_FEEDBACK[name]] for name in RUNNING]

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
    mark(network, {MEMORY: memory, KEYS: keys})
    for name, end, kind in zip(RUNNING, (FIRST_HIDDEN, FIRST_CELL), states, strict=True):
        run_on = [add_part(network, rows, (steps - 1, 0), (1, units)) for rows in kind]
        at_end = add_joined(network, [add_product(trt, network, last, rows) for rows in kind], 0)
        ended = add_elementwise(network, before[ENCODER_FEEDBACK[end]], at_end, add)
        mark(network, {name: add_joined(network, run_on, 0), end: ended})


def define_network(trt: ModuleType, network: Any, export: Path, recurrent: str = RNN_V2) -> None:
    """The generator: a word more for each hypothesis, which first takes over the states of the one it goes on from."""
    model = read_model(export)
    beam, length, units, layers = model.beam, model.max_length, model.decoder.units, model.decoder.layers
    words, parents = (network.add_input(name, trt.int32, (beam,)) for name in (BEAM_WORDS, PARENTS))
    lengths = network.add_input(BEAM_LENGTHS, trt.int32, (beam, 1))
    memory, keys = (network.add_input(name, trt.float32, (length, units)) for name in (MEMORY_IN, KEYS_IN))
    size = model.matrices["decatt"].shape[1]
    shapes = {HIDDEN_IN: (beam, layers, units), CELL_IN: (beam, layers, units), ATTENTION_IN: (beam, size)}
    before = {name: network.add_input(name, trt.float32, shape) for name, shape in shapes.items()}
    taken = {name: network.add_gather(tensor, parents, 0).get_output(0) for name, tensor in before.items()}

    embedded = add_embedder(network, words, model.matrices["decembed"])
    data = add_joined(network, [embedded, taken[ATTENTION_IN]], 1)
    query, hidden, state = _add_decoder(trt, network, model, recurrent, data, (taken[HIDDEN_IN], taken[CELL_IN]))
    scores = add_alignment(trt, network, query, keys)
    context, alignment = add_context(trt, network, scores, memory, lengths)
    attention = add_attention(trt, network, query, context, model.matrices["decatt"])
    logits = add_product(trt, network, attention, add_constant(network, model.matrices["decproj"]))
    best = add_likelihood(trt, network, logits, beam)
    mark(network, {HIDDEN_OUT: hidden, CELL_OUT: state, ATTENTION_OUT: attention})
    mark(network, {ALIGNMENT: alignment, LIKELIHOODS: best.get_output(0), CANDIDATES: best.get_output(1)})
    best.get_output(1).dtype = trt.int32


def _add_decoder(
    trt: ModuleType, network: Any, model: Model, recurrent: str, data: Any, states: tuple[Any, Any]
) -> tuple[Any, Any, Any]:
    """Return the decoder's output [beam, H] for an input [beam, inputs], and its states [beam, layers, H]."""
    if recurrent == LAYERS:
        return add_lstm_step(trt, network, data, model.decoder, states)
    step = add_reshape(network, data, (model.beam, 1, model.decoder.inputs))
    rnn = add_lstm(trt, network, step, model.decoder, 1)
    rnn.hidden_state, rnn.cell_state = states
    query = add_reshape(network, rnn.get_output(0), (model.beam, model.decoder.units))
    return query, rnn.get_output(1), rnn.get_output(2)
