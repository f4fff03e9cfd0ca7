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
from trtflow.formats import UserError
from trtflow.runtime.messages import because
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
    parser = trt.UffParser()
    parser.register_input(INPUT, (1, SIDE, SIDE))
    parser.register_output(OUTPUT)
    model = export / "model.uff"
    if not parser.parse(str(model), network):
        raise UserError(because(f"{model}: the UFF parser could not read it"))


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": outputs[OUTPUT].reshape(-1, 10)}
