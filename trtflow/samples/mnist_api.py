"""Building a simple OCR network: guide chapter 3, sampleMNISTAPI.

The same LeNet as in chapter 2, without a parser: each layer is added by hand and takes its weights from a `.wts` file.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import SIDE, paper, read_images
from trtflow.formats.wts import read_wts, require

__all__ = ["read_images"]

INPUT, OUTPUT = "data", "prob"
SCALE = 0.0125  # of the pixels, as in mnist.prototxt


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """Digits as the guide's PGM files have them less the mean picture, float32 [N, 1, 28, 28]."""
    from trtflow.formats.caffe import read_binaryproto  # noqa: PLC0415 - there is no protobuf where engines run

    return paper(images) - read_binaryproto(export / "mean.binaryproto")


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Add scale, two convolutions with their poolings, and two fully connected layers."""
    path = export / "model.wts"
    weights = read_wts(path)

    def blob(name: str, count: int) -> np.ndarray:
        return require(weights, name, count, path)

    data = network.add_input(INPUT, trt.float32, (1, SIDE, SIDE))
    scale = network.add_scale(data, trt.ScaleMode.UNIFORM, scale=np.array([SCALE], np.float32))
    conv1 = network.add_convolution(
        scale.get_output(0), 20, (5, 5), blob("conv1filter", 20 * 25), blob("conv1bias", 20)
    )
    pool1 = network.add_pooling(conv1.get_output(0), trt.PoolingType.MAX, (2, 2))
    pool1.stride = (2, 2)
    conv2 = network.add_convolution(
        pool1.get_output(0), 50, (5, 5), blob("conv2filter", 50 * 20 * 25), blob("conv2bias", 50)
    )
    pool2 = network.add_pooling(conv2.get_output(0), trt.PoolingType.MAX, (2, 2))
    pool2.stride = (2, 2)
    ip1 = network.add_fully_connected(pool2.get_output(0), 500, blob("ip1filter", 500 * 800), blob("ip1bias", 500))
    relu1 = network.add_activation(ip1.get_output(0), trt.ActivationType.RELU)
    ip2 = network.add_fully_connected(relu1.get_output(0), 10, blob("ip2filter", 10 * 500), blob("ip2bias", 10))
    prob = network.add_softmax(ip2.get_output(0))
    layers = {"scale": scale, "conv1": conv1, "pool1": pool1, "conv2": conv2, "pool2": pool2}
    for name, layer in {**layers, "ip1": ip1, "relu1": relu1, "ip2": ip2, "prob": prob}.items():
        layer.name = name
    prob.get_output(0).name = OUTPUT
    network.mark_output(prob.get_output(0))


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": outputs[OUTPUT].reshape(-1, 10)}
