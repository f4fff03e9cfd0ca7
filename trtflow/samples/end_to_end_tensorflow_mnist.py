""" "Hello World" for TensorRT using TensorFlow and Python: guide chapter 19, end_to_end_tensorflow_mnist.

Keras trains a small network, which is frozen, written as a protobuf, converted to UFF and parsed.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import SIDE, read_images, unit
from trtflow.runtime.parsers import parse_uff

__all__ = ["read_images"]

INPUT, OUTPUT = "input_1", "dense_1/Softmax"


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """Ink from 0 to 1, float32 [N, 1, 28, 28]."""
    return unit(images)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Register input and output by the names of the Keras graph, and parse."""
    parse_uff(trt, network, export / "model.uff", {INPUT: (1, SIDE, SIDE)}, [OUTPUT])


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": outputs[OUTPUT].reshape(-1, 10)}
