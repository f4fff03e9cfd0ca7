"""The TensorFlow networks of the MNIST samples, in Keras, and their training."""

from __future__ import annotations

from pathlib import Path

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import keras
import numpy as np
import tensorflow as tf

from trtflow.families.common.schedule import Schedule, keep_loss
from trtflow.progress import track


def lenet() -> keras.Model:
    """Return LeNet with biases and ReLUs as sampleUffMNIST has it: pictures [N, 28, 28, 1] to logits [N, 10]."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="in"),
            keras.layers.Conv2D(20, 5, activation="relu", name="conv1"),
            keras.layers.MaxPooling2D(2, name="maxpool1"),
            keras.layers.Conv2D(50, 5, activation="relu", name="conv2"),
            keras.layers.MaxPooling2D(2, name="maxpool2"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(500, activation="relu", name="matmul1"),
            keras.layers.Dense(10, name="out"),
        ]
    )


def perceptron() -> keras.Model:
    """Return sampleMLP's two hidden layers of 256 sigmoids: pictures [N, 28, 28, 1] to logits [N, 10]."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="in"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(256, activation="sigmoid", name="hidden0"),
            keras.layers.Dense(256, activation="sigmoid", name="hidden1"),
            keras.layers.Dense(10, name="output"),
        ]
    )


def dense() -> keras.Model:
    """Return the network of end_to_end_tensorflow_mnist: pictures [N, 28, 28, 1] to probabilities [N, 10]."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="input_1"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(512, activation="relu", name="dense"),
            keras.layers.Dense(10, activation="softmax", name="dense_1"),
        ]
    )


def clipped() -> keras.Model:
    """Return the network of uff_custom_plugin, whose ReLU6 a plugin is to replace: to probabilities [N, 10]."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="InputLayer"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(512, name="dense"),
            keras.layers.ReLU(max_value=6, name="ReLU6"),
            keras.layers.Dense(10, activation="softmax", name="OutputLayer"),
        ]
    )


NETWORKS = {"lenet": lenet, "perceptron": perceptron, "dense": dense, "clipped": clipped}


def train(model: keras.Model, images: np.ndarray, labels: np.ndarray, schedule: Schedule) -> list[float]:
    """Train a model in place with Adam, whose rate falls to nothing along a cosine.

    Args:
        model: from pictures to logits, or to probabilities where its last activation is softmax.
        images: float32 [n, 28, 28, 1].
        labels: int64 [n].
        schedule: how long and how fast.

    Returns:
        The loss of each step.

    Raises:
        UserError: the loss is no longer a number.
    """
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=not gives_probabilities(model))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(schedule.learning_rate, schedule.steps))

    @tf.function
    def step(pictures: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(values, model(pictures, training=True))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return loss

    losses: list[float] = []
    for batch in track(schedule.batches(len(images)), "Training", total=schedule.steps):
        keep_loss(losses, float(step(images[batch], labels[batch])))
    return losses


def gives_probabilities(model: keras.Model) -> bool:
    """Whether the last layer is a softmax."""
    return model.layers[-1].activation is keras.activations.softmax


def probabilities(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the probabilities of the ten digits, float32 [N, 10], of pictures float32 [N, 28, 28, 1]."""
    result = model(images, training=False)
    return (result if gives_probabilities(model) else tf.nn.softmax(result)).numpy()


def save_checkpoint(model: keras.Model, prefix: Path) -> None:
    """Write a perceptron as a TensorFlow checkpoint with the names of sampleMLP, such as hiddenWeights0."""
    names = (("hiddenWeights0", "hiddenBias0"), ("hiddenWeights1", "hiddenBias1"), ("outputWeights", "outputBias"))
    layers = [layer for layer in model.layers if layer.weights]
    parts = {
        name: tf.Variable(variable.value)
        for pair, layer in zip(names, layers, strict=True)
        for name, variable in zip(pair, layer.weights, strict=True)
    }
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tf.train.Checkpoint(**parts).write(str(prefix))
