"""TensorRT's Caffe parser: from a deploy prototxt and a caffemodel to layers."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.caffe import read_binaryproto, read_caffemodel, read_prototxt
from trtflow.formats.caffe.network import foreign_fields
from trtflow.reference.record.answers import Reporter, answers
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.plugins import IPluginV2
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Weights


class IBlobNameToTensor(Sealed):
    """Tensors by the names of Caffe's blobs."""

    def __init__(self, tensors: dict[str, ITensor] | None = None) -> None:
        self._tensors = tensors or {}

    def find(self, name: str) -> ITensor | None:
        """Return the tensor of a blob, or None."""
        return self._tensors.get(name)


class ICaffePluginFactoryV2:
    """What `CaffeParser.plugin_factory_v2` takes: `FCPluginFactory` is one."""

    def is_plugin_v2(self, layer_name: str) -> bool:
        """Whether the factory makes the layer of that name, whatever its type."""
        raise NotImplementedError

    def create_plugin(self, layer_name: str, weights: list[Weights]) -> IPluginV2:
        """Return the plugin of a layer, given the blobs that the caffemodel has for it, in order."""
        raise NotImplementedError


class CaffeParser(Scope, Reporter):
    """Reads Caffe models into a network.

    Attributes:
        plugin_factory_v2: makes plugins of layers by their names; None for none.
        plugin_namespace: namespace of the plugins that it makes.
        protobuf_buffer_size: largest file in bytes; only recorded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plugin_factory_v2: Any = None
        self.plugin_namespace = ""
        self.protobuf_buffer_size = 1 << 30

    @answers(None)
    def parse(self, deploy: str, model: str, network: INetworkDefinition, dtype: DataType) -> IBlobNameToTensor | None:
        """Add the layers of a deploy prototxt, with the weights of a caffemodel, as TensorRT 8.6's parser does.

        A tensor has the name of its blob; where a layer works in place, that is the last one. Where TensorRT ignores
        what Caffe means, a warning in the log names layer and field.

        Args:
            deploy: path of the prototxt in TensorRT's form (see `convert_ssd_prototxt` for SSD).
            model: path of the caffemodel.
            network: the network to add to.
            dtype: FLOAT, or HALF for weights in half precision.

        Returns:
            the tensors by name; None, and a message in the log, where a file is damaged, weights are missing, or a
            layer or a field is one that TensorRT's parser does not know or that does not fit.
        """
        self._logger = network.logger
        definition = read_prototxt(deploy, as_it_is=True)
        for name in foreign_fields(definition):
            fault = f"could not parse deploy file: TensorRT knows no field {name}"
            raise FormatError(deploy, fault, "Leave it out where it means nothing; `migrate` reads it.")
        net = Net(deploy, model, definition, _weights(model), network, DataType(dtype))
        return self._parse(net)

    @answers(None)
    def parse_buffer(
        self, deploy_buffer: Any, model_buffer: Any, network: INetworkDefinition, dtype: DataType
    ) -> IBlobNameToTensor | None:
        """Do the same with the files' bytes."""
        with TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("deploy.prototxt", "model.caffemodel")]
            for path, data in zip(files, (deploy_buffer, model_buffer), strict=True):
                path.write_bytes(bytes(data))
            return self.parse(str(files[0]), str(files[1]), network, dtype)

    @answers(None)
    def parse_as_caffe(
        self, deploy: str, model: str, network: INetworkDefinition, dtype: DataType = DataType.FLOAT
    ) -> IBlobNameToTensor | None:
        """Do the same with layers as Caffe means them, for networks that need not be built by TensorRT's parser.

        TensorRT has no such call. Layers of the format of 2014 are read, phases are observed, and what is not
        implemented is refused.

        Returns:
            as of `parse`; None also for a field that is set and not supported.
        """
        self._logger = network.logger
        net = Net(deploy, model, read_prototxt(deploy), _weights(model), network, DataType(dtype), means_caffe=True)
        return self._parse(net)

    def _parse(self, net: Net) -> IBlobNameToTensor:
        net.factory, net.namespace = self.plugin_factory_v2, self.plugin_namespace
        return IBlobNameToTensor(net.parse())

    @answers(None)
    def parse_binary_proto(self, filename: str) -> np.ndarray | None:
        """Return a mean picture, float32 [N, C, H, W]; None, and a message in the log, of what is none."""
        return read_binaryproto(filename)


def _weights(path: str) -> dict[str, list[Any]]:
    blobs: dict[str, list[Any]] = {}
    for layer in read_caffemodel(path, may_be_empty=True).layer:
        if layer.blobs:
            blobs.setdefault(layer.name, list(layer.blobs))
    return blobs
