"""Adding a custom layer to your Caffe network in TensorRT in Python: guide chapter 21, fc_plugin_caffe_mnist.

The plugin is C++ with cuBLAS and cuDNN; pybind11 makes its factory a Python object, which the Caffe parser takes.
(Without a GPU the reference runtime has a factory and a plugin of the same names.)
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import paper, read_images
from trtflow.runtime.parsers import mark_blobs
from trtflow.runtime.plugins import fc_plugin_factory

__all__ = ["read_images"]

INPUT, OUTPUT = "data", "prob"
PLUGINS = ("FCPlugin",)


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """Digits as PGM files have them less the mean picture, which the sample subtracts on the host."""
    from trtflow.formats.caffe import read_binaryproto  # noqa: PLC0415 - there is no protobuf where engines run

    return paper(images) - read_binaryproto(export / "mean.binaryproto")


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Bind the factory to the parser; it must live until the network is parsed."""
    factory = fc_plugin_factory(trt)
    parser = trt.CaffeParser()
    parser.plugin_factory_v2 = factory
    deploy, model = str(export / "model.prototxt"), str(export / "model.caffemodel")
    tensors = parser.parse(deploy=deploy, model=model, network=network, dtype=trt.float32)
    mark_blobs(network, tensors, deploy, (OUTPUT,))


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": outputs[OUTPUT].reshape(-1, 10)}
