"""Engine refit in Python: guide chapter 26, engine_refit_mnist.

An engine is built with dummy weights in its first convolution, which makes it useless, and then given the trained ones
without being built again.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import normalised, read_images
from trtflow.families.digits.layers import INPUT, OUTPUT, add_layers, read_weights
from trtflow.formats import UserError
from trtflow.runtime.messages import logger_of
from trtflow.runtime.outputs import softmax

__all__ = ["INPUT", "read_images"]

REFIT = True
LAYER = "conv_1"


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """Ink with MNIST's mean and deviation taken out, float32 [N, 1, 28, 28]."""
    return normalised(images)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Build the network of chapter 20 with noughts for the weights of its first convolution."""
    weights = read_weights(export / "weights.npz")
    dummies = {name: np.zeros_like(weights[name]) for name in ("conv1.weight", "conv1.bias")}
    add_layers(trt, network, {**weights, **dummies})


def refit(trt: ModuleType, engine: Any, export: Path) -> None:
    """Give the engine the trained weights of its first convolution; what is missing still is an error."""
    weights = read_weights(export / "weights.npz")
    refitter = trt.Refitter(engine, logger_of(trt))
    for role, values in (
        (trt.WeightsRole.KERNEL, weights["conv1.weight"]),
        (trt.WeightsRole.BIAS, weights["conv1.bias"]),
    ):
        if not refitter.set_weights(LAYER, role, values):
            known = ", ".join(f"{layer} {role.name}" for layer, role in zip(*refitter.get_all(), strict=True))
            raise UserError(f"{LAYER} takes no {role.name} of {values.size} values. The engine can refit {known}.")
    if not refitter.refit_cuda_engine():
        missing = [f"{layer} {role.name}" for layer, role in zip(*refitter.get_missing(), strict=True)]
        raise UserError(f"the engine could not be refitted: missing are {', '.join(missing) or 'no weights'}.")


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": softmax(outputs[OUTPUT].reshape(-1, 10))}
