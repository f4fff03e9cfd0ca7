""" "Hello World" for TensorRT: guide chapter 2, sampleMNIST.

LeNet comes as a Caffe model. The mean picture of its training set is subtracted by a layer that is put before the
parsed ones: an ElementWise layer with a Constant.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import SIDE, paper, read_images
from trtflow.runtime.parsers import mark_blobs

__all__ = ["read_images"]

INPUT, OUTPUT = "data", "prob"


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """Digits as the guide's PGM files have them, float32 [N, 1, 28, 28] from 0 to 255: the network does the rest."""
    return paper(images)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Parse the model, then lead its input through `data - mean`."""
    parser = trt.CaffeParser()
    deploy, model = str(export / "model.prototxt"), str(export / "model.caffemodel")
    tensors = parser.parse(deploy=deploy, model=model, network=network, dtype=trt.float32)
    mark_blobs(network, tensors, deploy, (OUTPUT,))

    mean = np.ascontiguousarray(parser.parse_binary_proto(str(export / "mean.binaryproto")), np.float32)
    constant = network.add_constant((1, SIDE, SIDE), mean.reshape(1, SIDE, SIDE))
    constant.name = "mean"
    operation = trt.ElementWiseOperation.SUB
    difference = network.add_elementwise(network.get_input(0), constant.get_output(0), operation)
    difference.name = "subtract_mean"
    network.get_layer(0).set_input(0, difference.get_output(0))


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": outputs[OUTPUT].reshape(-1, 10)}
