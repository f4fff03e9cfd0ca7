""" "Hello World" for TensorRT using PyTorch and Python: guide chapter 20, network_api_pytorch_mnist.

PyTorch trains a network; it is rebuilt here layer by layer, each with the weights that PyTorch gave it.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import normalised, read_images
from trtflow.families.digits.layers import INPUT, OUTPUT, add_layers, read_weights
from trtflow.runtime.outputs import softmax

__all__ = ["INPUT", "read_images"]


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """Ink with MNIST's mean and deviation taken out, float32 [N, 1, 28, 28], as torchvision's Normalize does."""
    return normalised(images)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Rebuild the network with the weights; its output holds logits."""
    add_layers(trt, network, read_weights(export / "weights.npz"))


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": softmax(outputs[OUTPUT].reshape(-1, 10))}
