"""LeNet layer by layer in TensorRT's network API, with the weights of PyTorch's (guide chapters 20 and 26)."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.formats.arrays import read_arrays

INPUT, OUTPUT = "data", "prob"
SIDE = 28
BLOBS = [f"{layer}.{kind}" for layer in ("conv1", "conv2", "fc1", "fc2") for kind in ("weight", "bias")]


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of LeNet's state dict, such as conv1.weight, float32."""
    return dict(zip(BLOBS, read_arrays(path, *BLOBS), strict=True))


def add_layers(trt: ModuleType, network: Any, weights: dict[str, np.ndarray]) -> None:
    """Add convolution and pooling twice, then two fully connected layers with a ReLU between them."""
    data = network.add_input(INPUT, trt.float32, (1, SIDE, SIDE))
    conv1 = network.add_convolution(data, 20, (5, 5), weights["conv1.weight"], weights["conv1.bias"])
    pool1 = network.add_pooling(conv1.get_output(0), trt.PoolingType.MAX, (2, 2))
    pool1.stride = (2, 2)
    conv2 = network.add_convolution(pool1.get_output(0), 50, (5, 5), weights["conv2.weight"], weights["conv2.bias"])
    pool2 = network.add_pooling(conv2.get_output(0), trt.PoolingType.MAX, (2, 2))
    pool2.stride = (2, 2)
    fc1 = network.add_fully_connected(pool2.get_output(0), 500, weights["fc1.weight"], weights["fc1.bias"])
    relu1 = network.add_activation(fc1.get_output(0), trt.ActivationType.RELU)
    fc2 = network.add_fully_connected(relu1.get_output(0), 10, weights["fc2.weight"], weights["fc2.bias"])
    layers = {"conv_1": conv1, "pool_1": pool1, "conv_2": conv2, "pool_2": pool2}
    for name, layer in {**layers, "fc_1": fc1, "relu_1": relu1, "fc_2": fc2}.items():
        layer.name = name
    fc2.get_output(0).name = OUTPUT
    network.mark_output(fc2.get_output(0))
