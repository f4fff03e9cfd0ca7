"""The two networks: the encoder, and the generator with a step of the decoder and the choice of words."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.samples.nmt.layers import (
    add_alignment,
    add_attention,
    add_constant,
    add_context,
    add_embedder,
    add_likelihood,
    add_lstm,
    add_product,
    add_reshape,
)
from trtflow.samples.nmt.model import read_model

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
FROM_ENCODER = {MEMORY_IN: MEMORY, KEYS_IN: KEYS, HIDDEN_IN: FIRST_HIDDEN, CELL_IN: FIRST_CELL}
FEEDBACK = {HIDDEN_OUT: HIDDEN_IN, CELL_OUT: CELL_IN, ATTENTION_OUT: ATTENTION_IN}


def mark(network: Any, outputs: dict[str, Any]) -> None:
    """Name tensors and mark them as outputs."""
    for name, tensor in outputs.items():
        tensor.name = name
        network.mark_output(tensor)


def define_encoder(trt: ModuleType, network: Any, export: Path) -> None:
    """Sentences to memory, keys, and the states that each of the beam's hypotheses begins with."""
    model = read_model(export)
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
        copies = network.add_concatenation([one] * model.beam)
        copies.axis = 0
        mark(network, {name: copies.get_output(0)})


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
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
    both = network.add_concatenation([embedded, taken[ATTENTION_IN]])
    both.axis = 1
    step = add_reshape(network, both.get_output(0), (beam, 1, model.decoder.inputs))
    rnn = add_lstm(trt, network, step, model.decoder, 1)
    rnn.hidden_state, rnn.cell_state = taken[HIDDEN_IN], taken[CELL_IN]
    query = add_reshape(network, rnn.get_output(0), (beam, units))
    scores = add_alignment(trt, network, query, keys)
    context, alignment = add_context(trt, network, scores, memory, lengths)
    attention = add_attention(trt, network, query, context, model.matrices["decatt"])
    logits = add_product(trt, network, attention, add_constant(network, model.matrices["decproj"]))
    best = add_likelihood(trt, network, logits, beam)
    mark(network, {HIDDEN_OUT: rnn.get_output(1), CELL_OUT: rnn.get_output(2), ATTENTION_OUT: attention})
    mark(network, {ALIGNMENT: alignment, LIKELIHOODS: best.get_output(0), CANDIDATES: best.get_output(1)})
    best.get_output(1).dtype = trt.int32
