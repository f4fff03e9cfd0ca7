"""Adding a custom layer to your network in TensorRT: guide chapter 10, samplePlugin.

LeNet as in chapter 2, but its last fully connected layer is a plugin, FCPlugin. A plugin factory tells the Caffe parser
which layers it makes (§10.2); the builder asks the plugin which formats it takes, here NCHW in single and half
precision (§10.3), and writes it into the plan by its own bytes (§10.4).
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.digits import paper, read_images
from trtflow.formats import UserError
from trtflow.runtime.parsers import mark_blobs
from trtflow.runtime.plugins import fc_plugin_factory

__all__ = ["read_images"]

INPUT, OUTPUT = "data", "prob"
PLUGINS = ("FCPlugin",)


def preprocess(images: np.ndarray, export: Path) -> np.ndarray:
    """Digits as the guide's PGM files have them less the mean picture, float32 [N, 1, 28, 28]."""
    from trtflow.formats.caffe import read_binaryproto  # noqa: PLC0415 - there is no protobuf where engines run

    return paper(images) - read_binaryproto(export / "mean.binaryproto")


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """§10.1 and §10.2: parse with a factory, which takes layer ip2 with its weights from the Caffe model."""
    parser = trt.CaffeParser()
    factory = fc_plugin_factory(trt)
    parser.plugin_factory_v2 = factory
    deploy, model = str(export / "model.prototxt"), str(export / "model.caffemodel")
    tensors = parser.parse(deploy=deploy, model=model, network=network, dtype=trt.float32)
    mark_blobs(network, tensors, deploy, (OUTPUT,))
    check_plugin(trt, network)


def check_plugin(trt: ModuleType, network: Any) -> None:
    """§10.4: the one plugin layer's copy, and what is deserialised of its bytes, have the same bytes again."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    plugins = [layer for layer in layers if layer.type == trt.LayerType.PLUGIN_V2]
    if len(plugins) != 1:
        raise UserError(f"{len(plugins)} plugin layers in the network, not the one for ip2.")
    plugins[0].__class__ = trt.IPluginV2Layer  # TensorRT's Python gives all layers as ILayer
    plugin = plugins[0].plugin
    creator = trt.get_plugin_registry().get_plugin_creator(plugin.plugin_type, plugin.plugin_version, "")
    data = bytes(plugin.serialize())
    copies = (plugin.clone(), creator.deserialize_plugin("ip2", data))
    if any(bytes(copy.serialize()) != data for copy in copies):
        raise UserError(f"{plugin.plugin_type}: a copy has other bytes than the plugin.")


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the ten digits, float32 [N, 10]."""
    return {"probabilities": outputs[OUTPUT].reshape(-1, 10)}
