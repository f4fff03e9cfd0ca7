"""INT8 calibration in Python: guide chapter 25, int8_caffe_mnist.

A Caffe model is calibrated by a calibrator written in Python (`trtflow.calibration.calibrators`), which serves batches
and keeps its cache; then a random batch of 100 digits is run at once and scored.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import read_images, read_labels, unit
from trtflow.runtime.parsers import parse_caffe

__all__ = ["read_images", "read_labels"]

INPUT, OUTPUT = "data", "prob"


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """Ink from 0 to 1, float32 [N, 1, 28, 28], for calibration as at run time."""
    return unit(images)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Parse the Caffe model and mark its output."""
    parse_caffe(trt, network, export / "model.prototxt", export / "model.caffemodel", (OUTPUT,))


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": outputs[OUTPUT].reshape(-1, 10)}
