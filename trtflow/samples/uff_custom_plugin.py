"""Adding a custom layer to your TensorFlow network in TensorRT in Python: guide chapter 22, uff_custom_plugin.

graphsurgeon puts a plugin node in place of the network's ReLU6 (`config/preprocessors/uff_custom_plugin.py`) before the
graph becomes UFF. The plugin, a clip layer as a CUDA kernel, lies in a shared library; loading that registers it, and
the UFF parser finds it by its name.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import SIDE, read_images, unit
from trtflow.runtime.parsers import parse_uff
from trtflow.runtime.plugins import load_plugins

__all__ = ["read_images"]

INPUT, OUTPUT = "InputLayer", "OutputLayer/Softmax"
PLUGINS = ("CustomClipPlugin",)


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """Ink from 0 to 1, float32 [N, 1, 28, 28]."""
    return unit(images)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Load the plugin's library, register input and output, and parse."""
    load_plugins(trt, PLUGINS)
    parse_uff(trt, network, export / "model.uff", {INPUT: (1, SIDE, SIDE)}, [OUTPUT])


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": outputs[OUTPUT].reshape(-1, 10)}
