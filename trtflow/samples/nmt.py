"""Neural machine translation with sequence-to-sequence models: guide chapter 11, sampleNMT.

Two engines. The encoder reads sentences; the generator extends each of a beam of hypotheses by a word, with Luong's
attention over what the encoder made of the sentence. States, attention vectors and memory stay on the device; the beam
search sees the likeliest words and says which hypothesis goes on from which.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.translation import SOURCE, TARGET, read_vocabulary
from trtflow.formats import FormatError
from trtflow.formats.nmt_weights import GATES, MATRICES, Recurrent, read_matrix, read_recurrent

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
FEEDBACK = {HIDDEN_OUT: HIDDEN_IN, CELL_OUT: CELL_IN, ATTENTION_OUT: ATTENTION_IN}


@dataclass(frozen=True)
class Model:
    """The seven weight files, the vocabularies, and what the engines are built for."""

    matrices: dict[str, np.ndarray]
    encoder: Recurrent
    decoder: Recurrent
    source: list[str]
    target: list[str]
    beam: int
    max_length: int


def read_model(export: Path) -> Model:
    """§11.5: read the weights and hold their sizes against each other and against the vocabularies.

    Raises:
        FormatError: a file is damaged, or two do not belong together.
    """
    found = {name: read_matrix(export / f"{name}.bin") for name in MATRICES}
    encoder = read_recurrent(export / "encrnn.bin", found["encembed"].shape[1])
    embedding, attention = found["decembed"].shape[1], found["decatt"].shape[1]
    decoder = read_recurrent(export / "decrnn.bin", embedding + attention)
    source, target = (read_vocabulary(export / f"vocab.{language}") for language in (SOURCE, TARGET))
    units, settings = encoder.units, json.loads((export / "inference.json").read_text())
    shapes = {"encembed": (len(source), encoder.inputs), "decembed": (len(target), embedding)}
    shapes |= {"decmem": (units, units), "decatt": (2 * units, attention), "decproj": (attention, len(target))}
    for name, shape in shapes.items():
        if found[name].shape != shape:
            fault = f"it is {found[name].shape}, but vocabularies and the other files want {shape}"
            raise FormatError(export / f"{name}.bin", fault, "Take weights and vocabularies of the same training.")
    if (decoder.layers, decoder.units) != (encoder.layers, units):
        fault = f"{decoder.layers} layers of {decoder.units}, but the encoder has {encoder.layers} of {units}"
        raise FormatError(export / "decrnn.bin", fault, "Take files of the same training.")
    return Model(found, encoder, decoder, source, target, settings["beam"], settings["max_input_sequence_length"])


def add_constant(network: Any, values: np.ndarray) -> Any:
    """Return a tensor of weights; its layer keeps no name of its own."""
    return network.add_constant(values.shape, np.ascontiguousarray(values)).get_output(0)


def add_product(trt: ModuleType, network: Any, left: Any, right: Any, *, transpose_right: bool = False) -> Any:
    """Return the matrix product of two tensors."""
    none, transpose = trt.MatrixOperation.NONE, trt.MatrixOperation.TRANSPOSE
    layer = network.add_matrix_multiply(left, none, right, transpose if transpose_right else none)
    return layer.get_output(0)


def add_embedder(network: Any, words: Any, embedding: np.ndarray) -> Any:
    """slp_embedder: Gather from a Constant. Words int32 [N] become [N, E]."""
    return network.add_gather(add_constant(network, embedding), words, 0).get_output(0)


def add_reshape(network: Any, value: Any, shape: tuple[int, ...]) -> Any:
    """Return a tensor in another shape: Shuffle."""
    layer = network.add_shuffle(value)
    layer.reshape_dims = shape
    return layer.get_output(0)


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


def add_alignment(trt: ModuleType, network: Any, query: Any, keys: Any) -> Any:
    """multiplicative_alignment: scores [beam, T] of decoder outputs [beam, H] and keys [T, H]."""
    return add_product(trt, network, query, keys, transpose_right=True)


def add_context(trt: ModuleType, network: Any, scores: Any, memory: Any, lengths: Any) -> tuple[Any, Any]:
    """context: RaggedSoftMax over the words that are there, and the sum of memory [T, H] it weighs: [beam, H]."""
    weights = network.add_ragged_softmax(scores, lengths).get_output(0)
    return add_product(trt, network, weights, memory), weights


def add_attention(trt: ModuleType, network: Any, query: Any, context: Any, kernel: np.ndarray) -> Any:
    """slp_attention: tanh of a matrix [2 H, A] and decoder output and context together."""
    both = network.add_concatenation([query, context])
    both.axis = 1
    product = add_product(trt, network, both.get_output(0), add_constant(network, kernel))
    return network.add_activation(product, trt.ActivationType.TANH).get_output(0)


def add_likelihood(trt: ModuleType, network: Any, logits: Any, beam: int) -> Any:
    """softmax_likelihood: SoftMax [beam, words], and TopK: the likeliest words, [beam, beam]."""
    softmax = network.add_softmax(logits)
    softmax.axes = 1 << 1
    return network.add_topk(softmax.get_output(0), trt.TopKOperation.MAX, beam, 1 << 1)


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


NETWORKS = {"encoder": define_encoder, "generator": define_network}
