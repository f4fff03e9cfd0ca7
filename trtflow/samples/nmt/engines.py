"""The two networks: the encoder, and the generator with a step of the decoder and the choice of words.

Each has two forms: `rnn_v2`, the guide's, which is here, and `layers` (trtflow/samples/nmt/plain.py).
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.runtime.lstm import LAYERS, RNN_V2
from trtflow.runtime.tensors import add_constant, add_joined, add_product, add_reshape
from trtflow.samples.nmt import bindings as b
from trtflow.samples.nmt import plain
from trtflow.samples.nmt.layers import (
    add_attending,
    add_embedder,
    add_likelihood,
    add_lstm,
    add_states,
    mark,
)
from trtflow.samples.nmt.model import read_model


def define_encoder(trt: ModuleType, network: Any, export: Path, half: Any = None, recurrent: str = RNN_V2) -> None:
    """Sentences to memory, keys, and the states that each of the beam's hypotheses begins with.

    `half` is float16 in an FP16 engine, as the type of what stays on the device; the guide's form keeps float32.
    """
    model = read_model(export)
    if recurrent == LAYERS:
        plain.define_encoder(trt, network, model, half)
        return
    words = network.add_input(b.WORDS, trt.int32, (model.max_length,))
    length = network.add_input(b.LENGTH, trt.int32, ())
    embedded = add_embedder(network, words, model.matrices["encembed"])
    rnn = add_lstm(trt, network, embedded, model.encoder, model.max_length)
    rnn.seq_lengths = length
    memory = rnn.get_output(0)
    keys = add_product(trt, network, memory, add_constant(network, model.matrices["decmem"]))
    mark(network, {b.MEMORY: memory, b.KEYS: keys})
    for index, name in ((1, b.FIRST_HIDDEN), (2, b.FIRST_CELL)):
        one = add_reshape(network, rnn.get_output(index), (1, model.encoder.layers, model.encoder.units))
        mark(network, {name: add_joined(network, [one] * model.beam, 0)})


def define_network(trt: ModuleType, network: Any, export: Path, half: Any = None, recurrent: str = RNN_V2) -> None:
    """The generator: a word more for each hypothesis, which first takes over the states of the one it goes on from.

    `half` as of `define_encoder`.
    """
    model = read_model(export)
    if recurrent == LAYERS:
        plain.define_generator(trt, network, model, half)
        return
    beam, length, units = model.beam, model.max_length, model.decoder.units
    words, parents = (network.add_input(name, trt.int32, (beam,)) for name in (b.BEAM_WORDS, b.PARENTS))
    lengths = network.add_input(b.BEAM_LENGTHS, trt.int32, (beam, 1))
    memory, keys = (network.add_input(name, trt.float32, (length, units)) for name in (b.MEMORY_IN, b.KEYS_IN))
    *states, looked = add_states(trt, network, model, parents)

    embedded = add_embedder(network, words, model.matrices["decembed"])
    data = add_joined(network, [embedded, looked], 1)
    step = add_reshape(network, data, (beam, 1, model.decoder.inputs))
    rnn = add_lstm(trt, network, step, model.decoder, 1)
    rnn.hidden_state, rnn.cell_state = states
    query = add_reshape(network, rnn.get_output(0), (beam, units))
    attention, alignment = add_attending(trt, network, query, (memory, keys), lengths, model.matrices["decatt"])
    logits = add_product(trt, network, attention, add_constant(network, model.matrices["decproj"]))
    best = add_likelihood(trt, network, logits, beam)
    mark(network, {b.HIDDEN_OUT: rnn.get_output(1), b.CELL_OUT: rnn.get_output(2), b.ATTENTION_OUT: attention})
    mark(network, {b.ALIGNMENT: alignment, b.LIKELIHOODS: best.get_output(0), b.CANDIDATES: best.get_output(1)})
    best.get_output(1).dtype = trt.int32
