"""Introduction to importing Caffe, TensorFlow and ONNX models: guide chapter 18, introductory_parser_samples.

One ResNet-50, three files, three parsers: caffe_resnet50, onnx_resnet50 and uff_resnet50. The sample's own engines come
from ONNX; `PROGRAMS` has all three, which must say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digit_pictures import read_images
from trtflow.datasets.images import read_pictures
from trtflow.families.common.input_size import read_input_size, read_pixels
from trtflow.runtime.parsers import parse_caffe, parse_onnx, parse_uff

CAFFE, ONNX, UFF = ("data", "prob"), ("gpu_0/data_0", "gpu_0/softmax_1"), ("input", "output")


def preprocess(paths: Sequence[Path], export: Path) -> np.ndarray:
    """Pictures as the network was trained on, float32 [N, 3, H, W]: the same for all three.

    The sample's form is `centred`, (p / 255 - 0.45) / 0.225 of a pixel p; the published Caffe model's is `bgr`.
    """
    return read_pictures(paths, read_pixels(export), read_input_size(export))


def define_caffe(trt: ModuleType, network: Any, export: Path) -> None:
    """caffe_resnet50: the deploy file has the layers, the caffemodel their weights; the output is marked by name."""
    parse_caffe(trt, network, export / "model.prototxt", export / "model.caffemodel", (CAFFE[1],))


def define_onnx(trt: ModuleType, network: Any, export: Path) -> None:
    """onnx_resnet50: everything is in one file, inputs and outputs too."""
    parse_onnx(trt, network, export / "model.onnx")


def define_uff(trt: ModuleType, network: Any, export: Path) -> None:
    """uff_resnet50: input and output are registered before the file is parsed."""
    size = read_input_size(export)
    parse_uff(trt, network, export / "model.uff", {UFF[0]: (3, size, size)}, [UFF[1]])


@dataclass(frozen=True)
class Program:
    """One of the three, with the attributes that a sample's module has."""

    INPUT: str
    OUTPUT: str
    EXPLICIT_BATCH: bool
    define_network: Callable[[ModuleType, Any, Path], None]

    read_images = staticmethod(read_images)
    preprocess = staticmethod(preprocess)

    def postprocess(self, outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the probabilities of the classes, float32 [N, classes]."""
        probabilities = outputs[self.OUTPUT]
        return {"probabilities": probabilities.reshape(len(probabilities), -1)}


PROGRAMS = {
    "caffe": Program(*CAFFE, False, define_caffe),
    "onnx": Program(*ONNX, True, define_onnx),
    "uff": Program(*UFF, False, define_uff),
}
INPUT, EXPLICIT_BATCH = PROGRAMS["onnx"].INPUT, PROGRAMS["onnx"].EXPLICIT_BATCH
define_network, postprocess = PROGRAMS["onnx"].define_network, PROGRAMS["onnx"].postprocess
