"""The character model of sampleCharRNN in TensorFlow: training, and what TensorFlow itself makes of a text.

Names and layouts are those of TensorFlow 1's MultiRNNCell of BasicLSTMCells, as tensorflow-char-rnn trains them
(guide §7.2.1), so one reader takes its checkpoints and ours. As there, nothing is added to the forget gate when the
network runs; our training begins with a forget bias of 1 among the weights instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import numpy as np
import tensorflow as tf

from trtflow.families.common.schedule import Schedule, keep_loss
from trtflow.formats import FormatError, UserError
from trtflow.progress import track

LAYERS = 2
KERNELS = [f"rnn/multi_rnn_cell/cell_{layer}/basic_lstm_cell/kernel" for layer in range(LAYERS)]
BIASES = [f"rnn/multi_rnn_cell/cell_{layer}/basic_lstm_cell/bias" for layer in range(LAYERS)]
SOFTMAX_W, SOFTMAX_B, EMBEDDING = "softmax/softmax_w", "softmax/softmax_b", "embedding"
CLIP_NORM = 5.0  # of all gradients together
CHUNK = 100  # steps of one call when a text is scored

Weights = Mapping[str, tf.Tensor | tf.Variable]
State = list[tuple[tf.Tensor, tf.Tensor]]


def create_weights(characters: int, embedding_size: int, hidden_size: int) -> dict[str, tf.Variable]:
    """Return fresh variables, drawn from TensorFlow's global seed; gates are stacked i, j, f, o."""
    uniform, zeros = tf.keras.initializers.GlorotUniform(), tf.zeros
    weights = {EMBEDDING: tf.Variable(uniform((characters, embedding_size)))}
    for layer, inputs in enumerate((embedding_size, hidden_size)):
        weights[KERNELS[layer]] = tf.Variable(uniform((inputs + hidden_size, 4 * hidden_size)))
        gates = [zeros(hidden_size), zeros(hidden_size), tf.ones(hidden_size), zeros(hidden_size)]
        weights[BIASES[layer]] = tf.Variable(tf.concat(gates, 0))
    weights[SOFTMAX_W] = tf.Variable(uniform((hidden_size, characters)))
    weights[SOFTMAX_B] = tf.Variable(zeros(characters))
    return weights


def zero_state(weights: Weights, batch: int) -> State:
    """Return hidden and cell states [batch, H] of both layers."""
    size = weights[SOFTMAX_W].shape[0]
    return [(tf.zeros((batch, size)), tf.zeros((batch, size))) for _ in range(LAYERS)]


def run(weights: Weights, text: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
    """Return the logits [steps, batch, characters] of numbers int32 [steps, batch], and the states behind them."""
    characters = weights[SOFTMAX_B].shape[0]
    values = tf.gather(weights[EMBEDDING], text) if EMBEDDING in weights else tf.one_hot(text, characters)
    last = []
    for layer in range(LAYERS):
        kernel, (hidden, cell), outputs = weights[KERNELS[layer]], state[layer], []
        inputs = values.shape[-1]
        for value in tf.unstack(tf.tensordot(values, kernel[:inputs], 1) + weights[BIASES[layer]]):
            update, candidate, forget, output = tf.split(value + hidden @ kernel[inputs:], 4, axis=-1)
            cell = tf.sigmoid(forget) * cell + tf.sigmoid(update) * tf.tanh(candidate)
            hidden = tf.sigmoid(output) * tf.tanh(cell)
            outputs.append(hidden)
        values = tf.stack(outputs)
        last.append((hidden, cell))
    return tf.tensordot(values, weights[SOFTMAX_W], 1) + weights[SOFTMAX_B], last


def train(weights: Mapping[str, tf.Variable], text: np.ndarray, schedule: Schedule, steps: int) -> list[float]:
    """Train variables in place with Adam, whose rate falls to nothing along a cosine.

    The text is cut into as many pieces as a batch has; each batch goes on where the one before it ended, with its
    states, and gradients reach back to its beginning.

    Args:
        weights: of `create_weights`.
        text: int32 [characters].
        schedule: how many batches of how many pieces, and how fast.
        steps: characters of a piece that a batch takes.

    Returns:
        The loss of each batch, in nats a character.

    Raises:
        UserError: the text is too short, or the loss is no longer a number.
    """
    if len(text) // schedule.batch_size <= steps:
        wanted = schedule.batch_size * (steps + 1)
        raise UserError(f"{len(text)} characters to train on, {wanted} are needed. Enlarge splits.train.")
    optimizer = tf.keras.optimizers.Adam(
        tf.keras.optimizers.schedules.CosineDecay(schedule.learning_rate, schedule.steps), global_clipnorm=CLIP_NORM
    )
    variables = list(weights.values())

    @tf.function
    def step(inputs: tf.Tensor, targets: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        with tf.GradientTape() as tape:
            logits, last = run(weights, inputs, state)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss, last

    losses: list[float] = []
    state = zero_state(weights, schedule.batch_size)
    for inputs, targets, first in track(_batches(text, schedule, steps), "Training", total=schedule.steps):
        loss, state = step(inputs, targets, zero_state(weights, schedule.batch_size) if first else state)
        keep_loss(losses, float(loss))
    return losses


def _batches(text: np.ndarray, schedule: Schedule, steps: int) -> Iterator[tuple[tf.Tensor, tf.Tensor, bool]]:
    """Yield inputs and targets [steps, batch], and whether they begin the text anew."""
    length = len(text) // schedule.batch_size
    pieces = text[: length * schedule.batch_size].reshape(schedule.batch_size, length).T
    count = (length - 1) // steps
    for index in range(schedule.steps):
        first = index % count * steps
        inputs, targets = pieces[first : first + steps], pieces[first + 1 : first + steps + 1]
        yield tf.constant(inputs), tf.constant(targets), first == 0


def score(weights: Weights, text: np.ndarray) -> np.ndarray:
    """Return the log-probability of each character of a text int32 [characters] but the first, float32."""
    call = tf.function(run)
    state, found = zero_state(weights, 1), []
    for first in track(range(0, len(text) - 1, CHUNK), "Scoring"):
        inputs, targets = text[first : first + CHUNK][: len(text) - 1 - first], text[first + 1 : first + CHUNK + 1]
        logits, state = call(weights, tf.constant(inputs[:, None]), state)
        found.append(tf.gather(tf.nn.log_softmax(logits[:, 0]), targets, batch_dims=1).numpy())
    return np.concatenate(found)


def generate(weights: Weights, seed: Sequence[int], length: int) -> np.ndarray:
    """Return the numbers of the characters that follow a seed, each the likeliest, int32 [length]."""
    call = tf.function(run)
    state, following = zero_state(weights, 1), [int(char) for char in seed]
    found: list[int] = []
    while len(found) < length:
        for char in following:
            logits, state = call(weights, tf.constant([[char]], tf.int32), state)
        following = [int(tf.argmax(logits[0, 0]))]
        found += following
    return np.array(found, np.int32)


def save_checkpoint(weights: Weights, prefix: Path) -> None:
    """Write a checkpoint as TensorFlow 1 does, variables by name: `prefix`.index and `prefix`.data-00000-of-00001."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(weights)
    values = [tf.convert_to_tensor(weights[name]) for name in names]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)


def load_checkpoint(prefix: Path, characters: int) -> dict[str, tf.Tensor]:
    """Return the network of a checkpoint, ours or tensorflow-char-rnn's; without `embedding` it takes one-hot vectors.

    Raises:
        FormatError: it is no checkpoint of such a network, or one for another number of characters.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = [*KERNELS, *BIASES, SOFTMAX_W, SOFTMAX_B, *([EMBEDDING] if reader.has_tensor(EMBEDDING) else [])]
        weights = {name: tf.constant(reader.get_tensor(name)) for name in names}
    except (ValueError, IndexError, tf.errors.OpError) as error:
        fault = f"not a checkpoint of a character model ({str(error).splitlines()[0]})"
        raise FormatError(prefix, fault, "Give the prefix of its .index and .data files.") from error
    if weights[SOFTMAX_B].shape != (characters,):
        fault = f"it is for {weights[SOFTMAX_B].shape[0]} characters, but the vocabulary has {characters}"
        raise FormatError(prefix, fault, "Take weights and vocabulary of the same training.")
    return weights
