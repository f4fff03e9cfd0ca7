"""Performing inference in INT8 precision: guide chapter 9, sampleINT8API.

No calibrator: the user gives a dynamic range for every tensor, and says in which precision each layer computes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.calibration.kept import computes, set_precision
from trtflow.calibration.tensors import layers_of, ranged_tensors, set_range
from trtflow.datasets.digit_pictures import read_images, read_labels
from trtflow.datasets.images import read_pictures
from trtflow.families.common.input_size import read_input_size
from trtflow.formats.dynamic_ranges import check_ranges, read_ranges
from trtflow.runtime.parsers import parse_onnx

__all__ = ["read_images", "read_labels"]

INPUT, OUTPUT = "gpu_0/data_0", "gpu_0/softmax_1"
EXPLICIT_BATCH = True


def preprocess(paths: Sequence[Path], export: Path) -> np.ndarray:
    """ImageNet's mean and deviation taken out, as in 5.1: float32 [N, 3, H, W]."""
    return read_pictures(paths, "imagenet", read_input_size(export))


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Parse ResNet-50 from ONNX."""
    parse_onnx(trt, network, export / "model.onnx")


def configure_network(trt: ModuleType, network: Any, path: Path, kept: Collection[str] = ()) -> None:
    """§9.2: give every tensor its range, and every layer its precision, which `build_plan` heeds: §9.1's strict types.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: the parsed network.
        path: file of ranges; tensors that it lacks are an error, and those that the network lacks a warning.
        kept: names of layers to compute in float32.
    """
    ranges = read_ranges(path)
    tensors = {tensor.name: tensor for tensor in ranged_tensors(trt, network)}
    check_ranges(path, ranges, list(tensors))
    for name, tensor in tensors.items():
        set_range(tensor, ranges[name])
    for layer in layers_of(network):
        if layer.type == trt.LayerType.CONSTANT:
            set_range_of_constant(trt, layer)
        elif computes(trt, layer):
            set_precision(layer, trt.float32 if layer.name in kept else trt.int8)


def set_range_of_constant(trt: ModuleType, layer: Any) -> None:
    """Give a constant the range of its own values, which no file has; whole numbers need none."""
    layer.__class__ = trt.IConstantLayer  # TensorRT hands out layers as the base class
    weights = np.asarray(layer.weights)
    if weights.size and weights.dtype.kind == "f":
        set_range(layer.get_output(0), float(np.abs(weights).max()))


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the classes, float32 [N, classes]."""
    return {"probabilities": outputs[OUTPUT]}
