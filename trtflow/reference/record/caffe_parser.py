"""TensorRT's Caffe parser: from a deploy prototxt and a caffemodel to layers."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.caffe import read_binaryproto, read_caffemodel, read_prototxt
from trtflow.formats.caffe.network import foreign_fields
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.plugins import IPluginV2
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Weights


class IBlobNameToTensor:
    """Tensors by the names of Caffe's blobs."""

    def __init__(self, tensors: dict[str, ITensor] | None = None) -> None:
        self._tensors = tensors or {}

    def find(self, name: str) -> ITensor | None:
        """Return the tensor of a blob, or None."""
        return self._tensors.get(name)


class PluginFactory(Protocol):
    """What `CaffeParser.plugin_factory_v2` takes: `FCPluginFactory` is one."""

    def is_plugin_v2(self, layer_name: str) -> bool:
        """Whether the factory makes the layer of that name, whatever its type."""
        ...

    def create_plugin(self, layer_name: str, weights: list[Weights]) -> IPluginV2:
        """Return the plugin of a layer, given the blobs that the caffemodel has for it, in order."""
        ...


class CaffeParser(Scope):
    """Reads Caffe models into a network.

    Attributes:
        plugin_factory_v2: makes plugins of layers by their names; None for none.
        plugin_namespace: namespace of the plugins that it makes.
    """

    plugin_factory_v2: PluginFactory | None = None
    plugin_namespace = ""

    def parse(
        self, deploy: str, model: str, network: INetworkDefinition, dtype: DataType = DataType.FLOAT
    ) -> IBlobNameToTensor:
        """Add the layers of a deploy prototxt, with the weights of a caffemodel, as TensorRT 8.6's parser does.

        A tensor has the name of its blob; where a layer works in place, that is the last one. Where TensorRT ignores
        what Caffe means, a warning in the log names layer and field.

        Args:
            deploy: path of the prototxt in TensorRT's form (see `convert_ssd_prototxt` for SSD).
            model: path of the caffemodel.
            network: the network to add to.
            dtype: FLOAT, or HALF for weights in half precision.

        Raises:
            FormatError: a file is damaged, or a layer's weights are missing, or a field that TensorRT does not know.
            NetworkError: a layer that TensorRT's parser does not know, or that does not fit its inputs. (TensorRT
                logs that and returns None.)
        """
        definition = read_prototxt(deploy, as_it_is=True)
        for name in foreign_fields(definition):
            fault = f"could not parse deploy file: TensorRT knows no field {name}"
            raise FormatError(deploy, fault, "Leave it out where it means nothing; `migrate` reads it.")
        net = Net(deploy, model, definition, _weights(model), network, DataType(dtype))
        return self._parse(net)

    def parse_as_caffe(
        self, deploy: str, model: str, network: INetworkDefinition, dtype: DataType = DataType.FLOAT
    ) -> IBlobNameToTensor:
        """Do the same with layers as Caffe means them, for networks that need not be built by TensorRT's parser.

        TensorRT has no such call. Layers of the format of 2014 are read, phases are observed, and what is not
        implemented is refused.

        Raises:
            FormatError, NetworkError: as of `parse`; and a field that is set and not supported.
        """
        net = Net(deploy, model, read_prototxt(deploy), _weights(model), network, DataType(dtype), means_caffe=True)
        return self._parse(net)

    def _parse(self, net: Net) -> IBlobNameToTensor:
        net.factory, net.namespace = self.plugin_factory_v2, self.plugin_namespace
        return IBlobNameToTensor(net.parse())

    def parse_binary_proto(self, filename: str) -> np.ndarray:
        """Return a mean picture, float32 [N, C, H, W]."""
        return read_binaryproto(filename)


def _weights(path: str) -> dict[str, list[Any]]:
    blobs: dict[str, list[Any]] = {}
    for layer in read_caffemodel(path, may_be_empty=True).layer:
        if layer.blobs:
            blobs.setdefault(layer.name, list(layer.blobs))
    return blobs
