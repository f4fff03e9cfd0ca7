"""Applying FP16 to GoogLeNet and profiling the app: guide chapter 6, sampleGoogleNet.

A Caffe model is parsed with its weights in the precision that the engine is to have, and the engine's layers are timed.
NVIDIA's sample feeds noughts; here the pictures are real, and both precisions must say the same of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digit_pictures import read_images
from trtflow.datasets.images import read_pictures
from trtflow.families.common.input_size import read_input_size
from trtflow.runtime.parsers import parse_caffe

__all__ = ["read_images"]

INPUT, OUTPUT = "data", "prob"
HALF_WEIGHTS = True


def preprocess(paths: Sequence[Path], export: Path) -> np.ndarray:
    """Blue, green, red, minus the means 104, 117, 123, as bvlc_googlenet takes them: float32 [N, 3, H, W]."""
    return read_pictures(paths, "bgr", read_input_size(export))


def define_network(trt: ModuleType, network: Any, export: Path, weights: Any = None) -> None:
    """Parse the model; `weights` is the type that the parser gives them, float16 for an FP16 engine."""
    deploy, model = export / "model.prototxt", export / "model.caffemodel"
    parse_caffe(trt, network, deploy, model, (OUTPUT,), weights=weights)


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the classes, float32 [N, classes]."""
    probabilities = outputs[OUTPUT]
    return {"probabilities": probabilities.reshape(len(probabilities), -1)}
