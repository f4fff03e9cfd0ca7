"""Translation with Luong's attention in TensorFlow: training, and TensorFlow's own translations.

Names, layouts and equations are those of TensorFlow's NMT framework (guide §11.4): BasicLSTMCells, gates stacked
i, c, f, o, whose forget bias of 1 is added when they run; the encoder's last states begin the decoder; the attention
vector goes into the next step. Luong, Pham, Manning 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import numpy as np
import tensorflow as tf

from trtflow.families.common.schedule import Schedule, keep_loss
from trtflow.formats import FormatError
from trtflow.formats.nmt_weights import CELLS, MATRICES
from trtflow.progress import track

FORGET_BIAS = 1.0
CLIP_NORM = 5.0  # of all gradients together
START, END = 1, 2

Weights = Mapping[str, tf.Tensor | tf.Variable]
State = list[tuple[tf.Tensor, tf.Tensor]]


def create_weights(source_words: int, target_words: int, units: int, layers: int) -> dict[str, tf.Variable]:
    """Return fresh variables, drawn from TensorFlow's global seed."""
    shapes: dict[str, tuple[int, ...]] = {
        MATRICES["encembed"]: (source_words, units),
        MATRICES["decembed"]: (target_words, units),
        MATRICES["decmem"]: (units, units),
        MATRICES["decatt"]: (2 * units, units),
        MATRICES["decproj"]: (units, target_words),
    }
    for name, cell in CELLS.items():
        for layer in range(layers):
            inputs = 2 * units if name == "decrnn" and layer == 0 else units
            shapes[f"{cell % layer}kernel"] = (inputs + units, 4 * units)
            shapes[f"{cell % layer}bias"] = (4 * units,)
    uniform = tf.keras.initializers.GlorotUniform()
    return {
        name: tf.Variable(tf.zeros(shape) if name.endswith("bias") else uniform(shape))
        for name, shape in shapes.items()
    }


def count_layers(weights: Weights) -> int:
    """Return the number of LSTM layers."""
    return sum(f"{CELLS['encrnn'] % layer}kernel" in weights for layer in range(len(weights)))


def lstm(weights: Weights, name: str, value: tf.Tensor, states: State) -> tuple[tf.Tensor, State]:
    """Run all layers a step: `value` [batch, inputs] and states [batch, H]."""
    found = []
    for layer, (hidden, cell) in enumerate(states):
        place = CELLS[name] % layer
        gates = tf.concat([value, hidden], -1) @ weights[f"{place}kernel"] + weights[f"{place}bias"]
        update, candidate, forget, output = tf.split(gates, 4, axis=-1)
        new = tf.sigmoid(forget + FORGET_BIAS) * cell + tf.sigmoid(update) * tf.tanh(candidate)
        value = tf.sigmoid(output) * tf.tanh(new)
        found.append((value, new))
    return value, found


def encode(weights: Weights, source: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, State]:
    """Return the outputs [batch, T, H] of sentences int32 [batch, T], and the states behind each one's last word."""
    units = weights[MATRICES["decmem"]].shape[0]
    states = [(tf.zeros((len(source), units)),) * 2 for _ in range(count_layers(weights))]
    outputs = []
    for place, words in enumerate(tf.unstack(source, axis=1)):
        output, new = lstm(weights, "encrnn", tf.gather(weights[MATRICES["encembed"]], words), states)
        inside = (place < lengths)[:, None]
        states = [
            tuple(tf.where(inside, now, before) for now, before in zip(*both, strict=True))
            for both in zip(new, states, strict=True)
        ]
        outputs.append(tf.where(inside, output, 0.0))
    return tf.stack(outputs, 1), states


def attend(weights: Weights, query: tf.Tensor, memory: tf.Tensor, keys: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return the attention vectors [batch, K, A] of decoder outputs [batch, K, H] over a memory [batch, T, H]."""
    scores = tf.matmul(query, keys, transpose_b=True)
    inside = tf.sequence_mask(lengths, memory.shape[1])[:, None]
    alignment = tf.nn.softmax(tf.where(inside, scores, tf.float32.min))
    context = alignment @ memory
    return tf.tanh(tf.tensordot(tf.concat([query, context], -1), weights[MATRICES["decatt"]], 1))


def loss_of(weights: Weights, source: tf.Tensor, lengths: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Return the mean loss, in nats a word, of translations int32 [batch, U] with </s> behind their ends.

    The decoder is given the right words (teacher forcing); the first </s> counts, those behind it do not.
    """
    memory, states = encode(weights, source, lengths)
    keys = tf.tensordot(memory, weights[MATRICES["decmem"]], 1)
    attention = tf.zeros_like(memory[:, 0])
    shifted = tf.concat([tf.fill((len(target), 1), START), target[:, :-1]], 1)
    attentions = []
    for words in tf.unstack(shifted, axis=1):
        inputs = tf.concat([tf.gather(weights[MATRICES["decembed"]], words), attention], -1)
        output, states = lstm(weights, "decrnn", inputs, states)
        attention = attend(weights, output[:, None], memory, keys, lengths)[:, 0]
        attentions.append(attention)
    logits = tf.tensordot(tf.stack(attentions, 1), weights[MATRICES["decproj"]], 1)
    counts = tf.cast(tf.concat([tf.ones_like(target[:, :1]), tf.cast(target[:, :-1] != END, tf.int32)], 1), tf.float32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)
    return tf.reduce_sum(losses * counts) / tf.reduce_sum(counts)


def train(
    weights: Mapping[str, tf.Variable],
    source: np.ndarray,
    lengths: np.ndarray,
    target: np.ndarray,
    schedule: Schedule,
) -> list[float]:
    """Train variables in place with Adam, whose rate falls to nothing along a cosine; return the loss of each batch.

    Args:
        weights: of `create_weights`.
        source: int32 [sentences, T].
        lengths: int32 [sentences], words of each.
        target: int32 [sentences, U], at least one </s> behind each.
        schedule: how many batches of how many sentences, and how fast.

    Raises:
        UserError: the loss is no longer a number.
    """
    optimizer = tf.keras.optimizers.Adam(
        tf.keras.optimizers.schedules.CosineDecay(schedule.learning_rate, schedule.steps), global_clipnorm=CLIP_NORM
    )
    variables = list(weights.values())

    @tf.function
    def step(*batch: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(weights, *batch)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    losses: list[float] = []
    for chosen in track(schedule.batches(len(source)), "Training", total=schedule.steps):
        keep_loss(losses, float(step(*(tf.constant(part[chosen]) for part in (source, lengths, target)))))
    return losses


class Decoder:
    """TensorFlow's own decoder over a batch of sentences, for a beam search.

    Args:
        weights: the network.
        source: int32 [batch, T].
        lengths: int32 [batch].
        beam: hypotheses of each sentence.
    """

    def __init__(self, weights: Weights, source: np.ndarray, lengths: np.ndarray, beam: int) -> None:
        self._weights, self._lengths, self._beam = weights, tf.constant(lengths), beam
        self._memory, states = tf.function(encode)(weights, tf.constant(source), self._lengths)
        self._keys = tf.tensordot(self._memory, weights[MATRICES["decmem"]], 1)
        self._states = [tuple(tf.repeat(part[:, None], beam, 1) for part in pair) for pair in states]
        self._attention = tf.zeros_like(self._states[0][0])
        self._run = tf.function(self._next)

    def step(self, words: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities and numbers of the likeliest words behind each hypothesis, [batch, beam, beam]."""
        chances, found, self._attention, self._states = self._run(
            tf.constant(words), tf.constant(parents), self._attention, self._states
        )
        return chances.numpy(), found.numpy()

    def _next(
        self, words: tf.Tensor, parents: tf.Tensor, attention: tf.Tensor, states: State
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, State]:
        attention, *parts = (
            tf.reshape(tf.gather(part, parents, batch_dims=1), (-1, part.shape[-1]))
            for part in (attention, *(part for pair in states for part in pair))
        )
        embedded = tf.gather(self._weights[MATRICES["decembed"]], tf.reshape(words, [-1]))
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        output, pairs = lstm(self._weights, "decrnn", tf.concat([embedded, attention], -1), pairs)

        def by_sentence(value: tf.Tensor) -> tf.Tensor:
            return tf.reshape(value, (-1, self._beam, value.shape[-1]))

        attention = attend(self._weights, by_sentence(output), self._memory, self._keys, self._lengths)
        logits = tf.tensordot(attention, self._weights[MATRICES["decproj"]], 1)
        chances, found = tf.math.top_k(tf.nn.softmax(logits), self._beam)
        return chances, found, attention, [tuple(by_sentence(part) for part in pair) for pair in pairs]


def save_checkpoint(weights: Weights, prefix: Path) -> None:
    """Write a checkpoint as TensorFlow 1 does, variables by name: `prefix`.index and `prefix`.data-00000-of-00001."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(weights)
    values = [tf.convert_to_tensor(weights[name]) for name in names]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)


def load_checkpoint(prefix: Path) -> dict[str, tf.Tensor]:
    """Return the network of a checkpoint.

    Raises:
        FormatError: it is no checkpoint of such a network.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = [name for name in reader.get_variable_to_shape_map() if name.startswith(("embeddings/", "dynamic_"))]
        weights = {name: tf.constant(reader.get_tensor(name)) for name in sorted(names)}
        missing = [name for name in MATRICES.values() if name not in weights]
        if missing or not count_layers(weights):
            raise ValueError(f"no variable {(missing or [CELLS['encrnn'] % 0])[0]}")
    except (ValueError, IndexError, tf.errors.OpError) as error:
        fault = f"not a checkpoint of a translation model ({str(error).splitlines()[0]})"
        raise FormatError(prefix, fault, "Give the prefix of its .index and .data files.") from error
    return weights
