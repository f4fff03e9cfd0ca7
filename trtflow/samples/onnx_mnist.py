""" "Hello World" for TensorRT from ONNX: guide chapter 5, sampleOnnxMNIST.

A network in ONNX is parsed and told layer by layer; what the parser cannot read it says node by node.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import read_images, unit
from trtflow.runtime.outputs import softmax
from trtflow.runtime.parsers import parse_onnx

__all__ = ["read_images"]

INPUT, OUTPUT = "Input3", "Plus214_Output_0"
EXPLICIT_BATCH = True


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """1 - p / 255 of a PGM file's pixel p, float32 [N, 1, 28, 28]."""
    return unit(images)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """§5.1 and §5.2: parse, or say which node was the matter, then report the layers."""
    parse_onnx(trt, network, export / "model.onnx")
    print("\n".join(layer_report(network)))


def layer_report(network: Any) -> list[str]:
    """Return a line a layer: name, type, and the names and dimensions of its outputs."""
    return [
        f"{layer.name or index}: {layer.type.name} -> "
        + ", ".join(
            f"{layer.get_output(place).name} {tuple(layer.get_output(place).shape)}"
            for place in range(layer.num_outputs)
        )
        for index, layer in enumerate(network.get_layer(index) for index in range(network.num_layers))
    ]


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]; the network ends in logits."""
    return {"probabilities": softmax(outputs[OUTPUT].reshape(-1, 10))}
