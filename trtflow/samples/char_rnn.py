"""Building an RNN network layer by layer: guide chapter 7, sampleCharRNN.

Two stacked LSTM cells and a fully connected layer foresee the next character of a text. The weights come from a
TensorFlow checkpoint by way of a `.wts2` file, and are converted gate by gate. One run is one character: hidden and
cell state go in and come out; the character's embedding is looked up outside the network.

That is the guide's form, `rnn_v2`. In the form `layers` the cells are plain layers (trtflow/runtime/lstm.py) and the
embedding is looked up inside, so that a prediction becomes the next character on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.characters import read_vocabulary
from trtflow.formats import FormatError
from trtflow.formats.wts import read_wts2, require
from trtflow.runtime.loop import StepLoop
from trtflow.runtime.lstm import LAYERS, RECURRENT, RNN_V2, Cell, add_stack
from trtflow.runtime.tensors import add_constant, add_reshape

__all__ = ["RECURRENT", "define_network", "generate", "give", "load_weights", "make_loop", "score", "write_on"]

LAYER_COUNT, SEQ_SIZE = 2, 1
INPUT, HIDDEN_IN, CELL_IN = "data", "hiddenIn", "cellIn"
CHARACTER = "character"  # the input of the form `layers` in place of INPUT
HIDDEN_OUT, CELL_OUT, LOGITS, OUTPUT = "hiddenOut", "cellOut", "Add Bias output", "pred"

RNNW_NAMES = [f"rnn_multi_rnn_cell_cell_{layer}_basic_lstm_cell_kernel" for layer in range(LAYER_COUNT)]
RNNB_NAMES = [f"rnn_multi_rnn_cell_cell_{layer}_basic_lstm_cell_bias" for layer in range(LAYER_COUNT)]
FCW_NAME, FCB_NAME, EMBED_NAME = "softmax_softmax_w", "softmax_softmax_b", "embedding"

# TensorFlow's BasicLSTMCell stacks the gates i, j (the cell's), f, o. The guide's prose has another order than the
# sample's own code; what counts is that each gate's weights get its name.
GATE_ORDER = ("INPUT", "CELL", "FORGET", "OUTPUT")


def load_weights(export: Path) -> dict[str, np.ndarray]:
    """§7.2.3: return the weights by name, each in its shape.

    `embedding` is [characters, data size]; a network trained on one-hot vectors has none, and gets the identity.

    Raises:
        FormatError: the file is damaged, a blob is missing, or sizes disagree with each other or with the vocabulary.
    """
    path, vocabulary = export / "model.wts2", export / "vocab.json"
    blobs, characters = read_wts2(path), len(read_vocabulary(vocabulary))
    if FCB_NAME in blobs and blobs[FCB_NAME].size != characters:
        fault = f"it is for {blobs[FCB_NAME].size} characters, but {vocabulary} has {characters}"
        raise FormatError(path, fault, "Take weights and vocabulary of the same training.")
    blobs = {EMBED_NAME: np.eye(characters, dtype=np.float32), **blobs}
    data_size = blobs[EMBED_NAME].size // characters
    hidden_size = blobs[RNNB_NAMES[0]].size // len(GATE_ORDER) if RNNB_NAMES[0] in blobs else 0
    gates = len(GATE_ORDER) * hidden_size
    shapes = {EMBED_NAME: (characters, data_size), FCW_NAME: (hidden_size, characters), FCB_NAME: (characters,)}
    for layer, inputs in enumerate((data_size, hidden_size)):
        shapes |= {RNNW_NAMES[layer]: (inputs + hidden_size, gates), RNNB_NAMES[layer]: (gates,)}
    return {name: require(blobs, name, int(np.prod(shape)), path).reshape(shape) for name, shape in shapes.items()}


def convert_rnn_weights(kernel: np.ndarray, hidden_size: int) -> dict[bool, np.ndarray]:
    """§7.2.3: a kernel [inputs + H, 4 * H] has W in its upper rows, R in the lower; TensorRT takes both transposed.

    Returns:
        W [4 * H, inputs] under True and R [4 * H, H] under False, as `set_weights_for_gate` calls them.
    """
    inputs = len(kernel) - hidden_size
    return {is_w: np.ascontiguousarray(part.T) for is_w, part in ((True, kernel[:inputs]), (False, kernel[inputs:]))}


def convert_rnn_bias(bias: np.ndarray) -> dict[bool, np.ndarray]:
    """§7.2.3: TensorFlow has one bias [4 * H], TensorRT one for W and one for R, which is zero."""
    return {True: np.ascontiguousarray(bias), False: np.zeros_like(bias)}


def add_rnn_v2_layer(trt: ModuleType, network: Any, data: Any, weights: dict[str, np.ndarray]) -> Any:
    """§7.1.1, §7.1.2, §7.2.4: a linear, unidirectional LSTM that begins in given states."""
    hidden_size = len(weights[FCW_NAME])
    rnn = network.add_rnn_v2(data, LAYER_COUNT, hidden_size, SEQ_SIZE, trt.RNNOperation.LSTM)
    rnn.input_mode, rnn.direction = trt.RNNInputMode.LINEAR, trt.RNNDirection.UNIDIRECTION
    rnn.hidden_state = network.add_input(HIDDEN_IN, trt.float32, (LAYER_COUNT, hidden_size))
    rnn.cell_state = network.add_input(CELL_IN, trt.float32, (LAYER_COUNT, hidden_size))
    for layer in range(LAYER_COUNT):
        kernels = convert_rnn_weights(weights[RNNW_NAMES[layer]], hidden_size)
        biases = convert_rnn_bias(weights[RNNB_NAMES[layer]])
        for is_w in (True, False):
            for index, name in enumerate(GATE_ORDER):
                rows, gate = slice(index * hidden_size, (index + 1) * hidden_size), getattr(trt.RNNGateType, name)
                rnn.set_weights_for_gate(layer, gate, is_w, kernels[is_w][rows])
                rnn.set_bias_for_gate(layer, gate, is_w, biases[is_w][rows])
    return rnn


def add_cells(trt: ModuleType, network: Any, weights: dict[str, np.ndarray]) -> tuple[Any, Any, Any]:
    """The form `layers`: a Gather and two cells of plain layers in place of the RNNv2.

    Returns:
        the last layer's hidden state [1, H], hidden and cell states [layers, H].
    """
    hidden_size = len(weights[FCW_NAME])
    number = network.add_input(CHARACTER, trt.int32, (1, 1))
    before = [network.add_input(name, trt.float32, (LAYER_COUNT, hidden_size)) for name in (HIDDEN_IN, CELL_IN)]
    found = network.add_gather(add_constant(network, weights[EMBED_NAME]), number, 0)
    value = add_reshape(network, found.get_output(0), (SEQ_SIZE, weights[EMBED_NAME].shape[1]))
    names = zip(RNNW_NAMES, RNNB_NAMES, strict=True)
    cells = [Cell(weights[kernel], weights[bias], GATE_ORDER) for kernel, bias in names]
    flat = [add_reshape(network, state, (SEQ_SIZE, LAYER_COUNT * hidden_size)) for state in before]
    output, *after = add_stack(trt, network, cells, value, flat)
    hidden, state = (add_reshape(network, value, (LAYER_COUNT, hidden_size)) for value in after)
    return output, hidden, state


def add_prediction(trt: ModuleType, network: Any, hidden: Any, weights: dict[str, np.ndarray]) -> tuple[Any, Any]:
    """§7.1: MatrixMultiply and ElementWise as the fully connected layer, then TopK; return logits and prediction."""
    hidden_size, vocab_size = weights[FCW_NAME].shape
    fc_weights = network.add_constant((vocab_size, hidden_size), np.ascontiguousarray(weights[FCW_NAME].T))
    none, transpose = trt.MatrixOperation.NONE, trt.MatrixOperation.TRANSPOSE
    product = network.add_matrix_multiply(fc_weights.get_output(0), none, hidden, transpose)
    fc_bias = network.add_constant((vocab_size, 1), weights[FCB_NAME])
    add_bias = network.add_elementwise(product.get_output(0), fc_bias.get_output(0), trt.ElementWiseOperation.SUM)
    pred = network.add_topk(add_bias.get_output(0), trt.TopKOperation.MAX, 1, 1)  # along the first axis
    layers = {"fc_weights": fc_weights, "product": product, "fc_bias": fc_bias, "add_bias": add_bias, "pred": pred}
    for name, layer in layers.items():
        layer.name = name
    return add_bias.get_output(0), pred.get_output(1)


def define_network(trt: ModuleType, network: Any, export: Path, recurrent: str = RNN_V2) -> None:
    """§7.1: RNNv2, or cells of plain layers, and the prediction."""
    weights = load_weights(export)
    if recurrent == LAYERS:
        value, hidden, state = add_cells(trt, network, weights)
    else:
        data = network.add_input(INPUT, trt.float32, (SEQ_SIZE, weights[EMBED_NAME].shape[1]))
        rnn = add_rnn_v2_layer(trt, network, data, weights)
        rnn.name = "rnn"
        value, hidden, state = (rnn.get_output(index) for index in range(3))
    logits, pred = add_prediction(trt, network, value, weights)
    # §7.1.6; the logits are marked too, for the perplexity
    for tensor, name in ((hidden, HIDDEN_OUT), (state, CELL_OUT), (logits, LOGITS), (pred, OUTPUT)):
        tensor.name = name
        network.mark_output(tensor)
    pred.dtype = trt.int32


def make_loop(trt: ModuleType, engine: Any, export: Path) -> StepLoop:
    """Return a loop in which states become inputs. Its inputs tell the form of the engine.

    Of the guide's form the embeddings lie on the device; of the other the prediction becomes the next character.
    """
    feedback = {HIDDEN_OUT: HIDDEN_IN, CELL_OUT: CELL_IN}
    if CHARACTER in [engine.get_binding_name(index) for index in range(engine.num_bindings)]:
        return StepLoop(trt, engine, {**feedback, OUTPUT: CHARACTER})
    return StepLoop(trt, engine, feedback, {INPUT: load_weights(export)[EMBED_NAME]}, record=False)


def give(loop: StepLoop, character: int) -> None:
    """Let the next step read a character."""
    if CHARACTER in loop:
        loop.write(CHARACTER, np.array(character))
    else:
        loop.choose(INPUT, character)


def write_on(loop: StepLoop, length: int) -> list[int]:
    """Feed each prediction back, from the character that was given on; return the numbers of `length` characters.

    In the form `layers` the host reads them all at the end; else it has to read each, to choose its embedding.
    """
    characters: list[int] = []
    if CHARACTER in loop:
        loop.run(length, [OUTPUT])
        return [int(char) for char in loop.kept(OUTPUT).ravel()]
    for _ in range(length):
        (pred,) = loop.step(outputs=[OUTPUT])
        characters.append(int(pred.item()))
        give(loop, characters[-1])
    return characters


def generate(loop: StepLoop, seed: Sequence[int], length: int) -> list[int]:
    """Run a seed through the network, then feed each prediction back; return the numbers of `length` characters."""
    loop.reset()
    for place, char in enumerate(seed):
        if place:
            loop.step()
        give(loop, int(char))
    return write_on(loop, length)


def score(loop: StepLoop, text: Sequence[int]) -> np.ndarray:
    """Return the log-probability that the network gave each character of a text but the first, float32."""
    loop.reset()
    found = np.zeros(len(text) - 1, np.float32)
    for step, (char, following) in enumerate(pairwise(text)):
        give(loop, int(char))
        (logits,) = loop.step(outputs=[LOGITS])
        logits = logits.reshape(-1).astype(np.float64)
        found[step] = logits[following] - logits.max() - np.log(np.exp(logits - logits.max()).sum())
    return found
