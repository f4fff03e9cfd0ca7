"""The perceptron of "Neural Collaborative Filtering" (He et al., WWW 2017, §3.3) in Keras, as sampleMovieLens has it.

Layers are named as in the authors' own code, so that their published weights fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import h5py
import keras
import numpy as np
import tensorflow as tf

from trtflow.families.common.schedule import Schedule, keep_loss
from trtflow.formats import FormatError
from trtflow.progress import track

INPUTS = ("user_input", "item_input")
EMBEDDINGS = ("user_embedding", "item_embedding")
LAYERS = (64, 32, 16, 8)  # the first is both embeddings together
NEGATIVES = 4  # movies not watched that a movie watched is trained with


def network(users: int, movies: int) -> keras.Model:
    """Return the network: numbers of users and movies, int32 [N, 1] each, to probabilities float32 [N, 1]."""
    inputs = [keras.Input((1,), dtype="int32", name=name) for name in INPUTS]
    values = []
    for value, count, name in zip(inputs, (users, movies), EMBEDDINGS, strict=True):
        initial = keras.initializers.RandomNormal(stddev=0.05)
        rows = keras.layers.Embedding(count, LAYERS[0] // 2, embeddings_initializer=initial, name=name)(value)
        values.append(keras.layers.Flatten(name=f"flatten_{name}")(rows))
    hidden = keras.layers.Concatenate(name="concatenate")(values)
    for index, width in enumerate(LAYERS[1:], 1):
        hidden = keras.layers.Dense(width, activation="relu", name=f"layer{index}")(hidden)
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="prediction")(hidden))


def sizes(model: keras.Model) -> dict[str, int]:
    """Return how many users and movies a network knows."""
    users, movies = (model.get_layer(name).input_dim for name in EMBEDDINGS)
    return {"users": users, "movies": movies}


def load_published(path: Path) -> keras.Model:
    """Return the network with weights as the authors publish them, a Keras 1 file of weights.

    Raises:
        FormatError: the file is damaged, or of another network.
    """
    again = "Take the authors' ml-1m_MLP_[64,32,16,8] weights."
    try:
        with h5py.File(path) as file:
            arrays = {
                name: [group[weight][:] for weight in group.attrs["weight_names"]] for name, group in file.items()
            }
        model = network(*(len(arrays[name][0]) for name in EMBEDDINGS))
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(arrays[layer.name])
    except (OSError, KeyError, IndexError, ValueError, TypeError) as error:
        raise FormatError(path, f"not the weights of this network ({error})", again) from error
    return model


def train(model: keras.Model, ratings: np.ndarray, schedule: Schedule) -> list[float]:
    """Train a network in place with Adam, whose rate falls to nothing along a cosine.

    Each movie watched comes with `NEGATIVES` drawn from those that the user has not rated; the loss is the binary
    cross-entropy of watched or not (paper, §3.1.1).

    Args:
        model: of `network`.
        ratings: int64 [ratings, 4]: user, movie, rating and time, of which the first two count.
        schedule: how many batches of how many movies watched, and how fast.

    Returns:
        The loss of each step.

    Raises:
        UserError: the loss is no longer a number.
    """
    rate = keras.optimizers.schedules.CosineDecay(schedule.learning_rate, schedule.steps)
    optimizer, loss_of = keras.optimizers.Adam(rate), keras.losses.BinaryCrossentropy()

    @tf.function
    def step(users: tf.Tensor, movies: tf.Tensor, watched: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(watched, model([users, movies], training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    losses: list[float] = []
    for batch in track(_batches(ratings, schedule, **sizes(model)), "Training", total=schedule.steps):
        keep_loss(losses, float(step(*batch)))
    return losses


def _batches(ratings: np.ndarray, schedule: Schedule, users: int, movies: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield users and movies, int32 [n, 1] both, and whether they were watched, float32 [n, 1]."""
    rated = np.zeros((users, movies), bool)
    rated[ratings[:, 0], ratings[:, 1]] = True
    rng = np.random.default_rng(schedule.seed)
    for batch in schedule.batches(len(ratings)):
        user = ratings[batch, 0]
        drawn = rng.integers(0, movies, (len(batch), NEGATIVES))
        while (known := rated[user[:, None], drawn]).any():
            drawn[known] = rng.integers(0, movies, known.sum())
        movie = np.concatenate([ratings[batch, 1:2], drawn], axis=1)
        watched = np.zeros(movie.shape, np.float32)
        watched[:, 0] = 1
        columns = (np.repeat(user, 1 + NEGATIVES).astype(np.int32), movie.astype(np.int32), watched)
        yield tuple(column.reshape(-1, 1) for column in columns)


def probabilities(model: keras.Model, users: np.ndarray, choices: np.ndarray, batch: int = 64) -> np.ndarray:
    """Return the probability of each movie that users choose from, float32 [users, choices].

    Args:
        model: of `network`.
        users: int32 [users].
        choices: int32 [users, choices].
        batch: users of one call.
    """
    call = tf.function(lambda *values: model(values, training=False), reduce_retracing=True)
    found = []
    for first in range(0, len(users), batch):
        movies = choices[first : first + batch]
        user = np.repeat(users[first : first + batch], movies.shape[1])
        found.append(call(tf.constant(user[:, None]), tf.constant(movies.reshape(-1, 1))).numpy().reshape(movies.shape))
    return np.concatenate(found)
