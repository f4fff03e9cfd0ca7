""" "Hello World" for multi-layer perceptrons: guide chapter 17, sampleMLP.

The same perceptron three times over, in each form of layers that TensorRT's optimiser takes for one. The weights come
from a TensorFlow checkpoint by way of a `.wts2` file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import SIDE, read_images, unit
from trtflow.formats.wts import read_wts2, require
from trtflow.runtime.outputs import softmax

__all__ = ["read_images"]

INPUT, PIXELS = "data", SIDE * SIDE
BLOBS = (  # kernel, bias, inputs and outputs of each layer
    ("hiddenWeights0", "hiddenBias0", PIXELS, 256),
    ("hiddenWeights1", "hiddenBias1", 256, 256),
    ("outputWeights", "outputBias", 256, 10),
)


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """1 - p / 255 of a PGM file's pixel p, float32 [N, 784, 1, 1]."""
    return unit(images).reshape(-1, PIXELS, 1, 1)


def add_matrix_multiply(trt: ModuleType, network: Any, name: str, value: Any, kernel: Any, bias: Any) -> Any:
    """§17.1, first form: MatrixMultiplication, ElementWiseSum. `kernel` is [inputs, outputs]."""
    inputs, outputs = kernel.shape
    flat = network.add_shuffle(value)
    flat.reshape_dims = (1, inputs)
    none = trt.MatrixOperation.NONE
    weights = network.add_constant((inputs, outputs), kernel)
    product = network.add_matrix_multiply(flat.get_output(0), none, weights.get_output(0), none)
    offset = network.add_constant((1, outputs), bias)
    total = network.add_elementwise(product.get_output(0), offset.get_output(0), trt.ElementWiseOperation.SUM)
    named = {"flat": flat, "kernel": weights, "product": product, "bias": offset, "sum": total}
    for part, layer in named.items():
        layer.name = f"{name}_{part}"
    return total.get_output(0)


def add_fully_connected(trt: ModuleType, network: Any, name: str, value: Any, kernel: Any, bias: Any) -> Any:
    """§17.1, second form: FullyConnected, whose kernel is [outputs, inputs]."""
    layer = network.add_fully_connected(value, kernel.shape[1], np.ascontiguousarray(kernel.T), bias)
    layer.name = name
    return layer.get_output(0)


def add_fully_connected_scale(trt: ModuleType, network: Any, name: str, value: Any, kernel: Any, bias: Any) -> Any:
    """§17.1, third form: FullyConnected without a bias, then Scale that has only shifts."""
    layer = network.add_fully_connected(value, kernel.shape[1], np.ascontiguousarray(kernel.T))
    scale = network.add_scale(layer.get_output(0), trt.ScaleMode.CHANNEL, shift=bias)
    layer.name, scale.name = f"{name}_product", f"{name}_shift"
    return scale.get_output(0)


FORMS: dict[str, Callable[..., Any]] = {
    "matrix_multiply": add_matrix_multiply,
    "fully_connected": add_fully_connected,
    "fully_connected_scale": add_fully_connected_scale,
}


def add_mlp(trt: ModuleType, network: Any, form: str, data: Any, blobs: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """Chain the layers of one form, a sigmoid behind each but the last, whose logits go to the host."""
    value = data
    for index, (kernel, bias) in enumerate(blobs):
        name = f"{form}{index}"
        value = FORMS[form](trt, network, name, value, kernel, bias)
        if index < len(blobs) - 1:
            activation = network.add_activation(value, trt.ActivationType.SIGMOID)
            activation.name = f"{name}_sigmoid"
            value = activation.get_output(0)
    return value


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Add the three perceptrons on one input; each ends in an output of its own."""
    path = export / "model.wts2"
    weights = read_wts2(path)
    blobs = [
        (
            require(weights, kernel, inputs * outputs, path).reshape(inputs, outputs),
            require(weights, bias, outputs, path),
        )
        for kernel, bias, inputs, outputs in BLOBS
    ]
    data = network.add_input(INPUT, trt.float32, (PIXELS, 1, 1))
    for form in FORMS:
        logits = add_mlp(trt, network, form, data, blobs)
        logits.name = form
        network.mark_output(logits)


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10], and those of each form, [N, 3, 10]."""
    forms = np.stack([softmax(outputs[form].reshape(-1, 10)) for form in FORMS], axis=1)
    return {"probabilities": forms[:, 0], "forms": forms}
