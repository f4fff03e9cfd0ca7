"""Performing inference in INT8 using custom calibration: guide chapter 8, sampleINT8.

A Caffe model is built in three precisions. The scales of INT8 come from a calibration on batch files; they are kept in
a table, and as long as that is there nothing is calibrated again.
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
    """Ink from 0 to 1, float32 [N, 1, 28, 28], in batch files (§8.6) as at run time."""
    return unit(images)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """§8.1: for INT8 as for any precision, weights are imported as FP32."""
    parse_caffe(trt, network, export / "model.prototxt", export / "model.caffemodel", (OUTPUT,))


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]; INT8 engines give float32 too (§8.4)."""
    return {"probabilities": outputs[OUTPUT].reshape(-1, 10)}
