"""Import the TensorFlow model and run inference: guide chapter 4, sampleUffMNIST.

A TensorFlow model, frozen and converted to UFF, is read by the UFF parser, which must be told the input's dimensions
and their order, and the output.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import SIDE, read_images, unit
from trtflow.runtime.outputs import softmax
from trtflow.runtime.parsers import parse_uff

__all__ = ["read_images"]

INPUT, OUTPUT = "in", "out"


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """1 - p / 255 of a PGM file's pixel p, float32 [N, 1, 28, 28]."""
    return unit(images)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Register the input in NCHW order and the output, then parse."""
    parse_uff(trt, network, export / "model.uff", {INPUT: (1, SIDE, SIDE)}, [OUTPUT])


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]; the network ends in logits."""
    return {"probabilities": softmax(outputs[OUTPUT].reshape(-1, 10))}
