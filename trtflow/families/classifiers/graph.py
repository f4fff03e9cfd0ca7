"""ResNet-50 as a frozen TensorFlow graph, made from weights that were trained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import numpy as np
import tensorflow as tf

from trtflow.families.classifiers.layers import Layer

INPUT, OUTPUT = "input", "output"  # of resnet50-infer-5.uff
v1 = tf.compat.v1


def to_graph(layers: Sequence[Layer], arrays: Mapping[str, Mapping[str, np.ndarray]], size: int) -> Any:
    """Return a GraphDef of constants and operations in TensorFlow's own order of axes.

    Args:
        layers: what `resnet50` returns.
        arrays: weights by layer and role, as `classifier_export.arrays_of` returns them.
        size: side of the input, pixels.
    """
    graph = tf.Graph()
    with graph.as_default():
        blobs = {"data": v1.placeholder(tf.float32, [None, size, size, 3], name=INPUT)}
        for layer in layers:
            values = [blobs[name] for name in layer.bottoms]
            blobs[layer.top] = _OPERATIONS[layer.kind](layer, values, arrays.get(layer.name, {}))
    return graph.as_graph_def()


def _constant(layer: Layer, role: str, values: np.ndarray) -> Any:
    return tf.constant(values, tf.float32, name=f"{layer.name}/{role}")


def _convolution(layer: Layer, values: list[Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """Pad by itself: TensorFlow's "same" would put the larger half of an odd sum behind."""
    value = values[0]
    if layer.pad:
        sides = [layer.pad, layer.pad]
        value = tf.pad(value, [[0, 0], sides, sides, [0, 0]], name=f"{layer.name}/pad")
    kernel = _constant(layer, "kernel", arrays["kernel"].transpose(2, 3, 1, 0))
    return v1.nn.conv2d(value, kernel, [1, layer.stride, layer.stride, 1], "VALID", name=layer.name)


def _norm(layer: Layer, values: list[Any], arrays: Mapping[str, np.ndarray]) -> Any:
    roles = ("gamma", "beta", "mean", "variance")
    moments = [_constant(layer, role, arrays[role]) for role in roles]
    epsilon = float(arrays["epsilon"])
    return v1.nn.fused_batch_norm(values[0], *moments, epsilon=epsilon, is_training=False, name=layer.name)[0]


def _maximum(layer: Layer, values: list[Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """With a side of even size, "same" reaches over the border where Caffe's rounding up does."""
    return tf.nn.max_pool2d(values[0], layer.kernel, layer.stride, "SAME", name=layer.name)


def _dense(layer: Layer, values: list[Any], arrays: Mapping[str, np.ndarray]) -> Any:
    flat = tf.reshape(values[0], [-1, arrays["kernel"].shape[1]], name="flatten")
    product = tf.matmul(flat, _constant(layer, "kernel", arrays["kernel"].T), name=f"{layer.name}/product")
    return tf.nn.bias_add(product, _constant(layer, "bias", arrays["bias"]), name=layer.name)


_OPERATIONS: dict[str, Any] = {
    "convolution": _convolution,
    "norm": _norm,
    "max": _maximum,
    "dense": _dense,
    "relu": lambda layer, values, arrays: tf.nn.relu(values[0], name=layer.name),
    "sum": lambda layer, values, arrays: tf.add(*values, name=layer.name),
    "average": lambda layer, values, arrays: tf.nn.avg_pool2d(
        values[0], layer.kernel, layer.stride, "VALID", name="pool5"
    ),
    "softmax": lambda layer, values, arrays: tf.nn.softmax(values[0], name=OUTPUT),
}
