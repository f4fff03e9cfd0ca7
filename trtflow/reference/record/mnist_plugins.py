"""The plugins of `plugins/` as the reference runtime has them: FCPlugin, CustomClipPlugin, FlattenConcat.

Names, fields and serialised bytes are those of the C++ plugins (guide chapters 10, 21 and 22).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import DataType, PluginFieldType, TensorFormat
from trtflow.reference.record.plugins import (
    VERSION,
    IPluginCreator,
    IPluginV2,
    PluginField,
    PluginFieldCollection,
    get_plugin_registry,
)
from trtflow.reference.record.values import Dims, Weights

LARGEST_HALF = np.float32(65504)


class _SampleLayer(IPluginV2):
    """One output, in single or half precision, of inputs C, H, W."""

    tensorrt_version = 1 << 24 | VERSION  # an IPluginV2Ext
    data_types = (DataType.FLOAT, DataType.HALF)

    def get_output_datatype(self, index: int, inputs: list[DataType]) -> DataType:
        """Return the type of the first input."""
        return inputs[0]

    def _refuse(self, inputs: Sequence[Any], takes: str) -> None:
        shapes = ", ".join(map(str, inputs))
        raise NetworkError(self.plugin_type, f"inputs of shape {shapes}", f"It takes {takes}.")


class FCPlugin(_SampleLayer):
    """A fully connected layer (guide §10): `outputs` = kernel [outputs, inputs] x + bias [outputs], or no bias."""

    plugin_type = "FCPlugin"
    header = struct.Struct("<iiqi")  # input channels, output channels, number of biases, dtype

    def __init__(self, outputs: Any, kernel: Any, bias: Any = ()) -> None:
        count = int(np.asarray(outputs).ravel()[0])
        kernel, bias = (np.array(values, np.float32).ravel() for values in (kernel, bias))
        if count < 1 or not kernel.size or kernel.size % count:
            raise ValueError(f"the kernel has {kernel.size} weights, not a multiple of {count} outputs")
        if bias.size not in (0, count):
            raise ValueError(f"the bias has {bias.size} weights for {count} outputs")
        super().__init__(outputs=count, kernel=kernel.reshape(count, -1), bias=bias)

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return (outputs, 1, 1)."""
        count = self.attributes["kernel"].shape[1]
        if len(input_shapes) != 1 or len(input_shapes[0]) != 3 or prod(input_shapes[0]) != count:
            self._refuse(input_shapes, f"one input C, H, W of {count} values")
        return Dims((self.attributes["outputs"], 1, 1))

    def serialize(self) -> memoryview:
        """Return §10.4's fields in its order: sizes, type, kernel, bias; the weights in the configured type."""
        kernel, bias = self.attributes["kernel"], self.attributes["bias"]
        header = self.header.pack(kernel.shape[1], kernel.shape[0], bias.size, self.data_type)
        weights = np.concatenate([kernel.ravel(), bias])
        if self.data_type == DataType.HALF:
            weights = weights.clip(-LARGEST_HALF, LARGEST_HALF)
        return memoryview(header + weights.astype(_little_endian(self.data_type)).tobytes())

    @classmethod
    def deserialize(cls, data: bytes) -> FCPlugin:
        """Return the plugin of what `serialize` gave."""
        inputs, outputs, biases, data_type = cls.header.unpack(data[: cls.header.size])
        dtype = _little_endian(DataType(data_type))
        weights = np.frombuffer(data[cls.header.size :], dtype)
        if weights.size != inputs * outputs + biases:
            raise ValueError(f"{weights.size} weights for {inputs} inputs, {outputs} outputs and {biases} biases")
        plugin = cls(outputs, weights[: inputs * outputs], weights[inputs * outputs :])
        plugin.data_type = DataType(data_type)
        return plugin


def _little_endian(data_type: DataType) -> np.dtype[Any]:
    if data_type not in (DataType.FLOAT, DataType.HALF):
        raise ValueError(f"data type {data_type}")
    return np.dtype("<f2" if data_type == DataType.HALF else "<f4")


class CustomClipPlugin(_SampleLayer):
    """min(max(x, clipMin), clipMax) (guide §22)."""

    plugin_type = "CustomClipPlugin"
    layout = struct.Struct("<ffqi")  # clipMin, clipMax, elements of one image, dtype

    def __init__(self, clipMin: Any, clipMax: Any) -> None:  # noqa: N803 - the names of its fields
        low, high = (float(np.asarray(value).ravel()[0]) for value in (clipMin, clipMax))
        if not low <= high:
            raise ValueError(f"clipMin {low} is larger than clipMax {high}")
        super().__init__(clipMin=low, clipMax=high)
        self.volume = 0

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return the input's shape."""
        if len(input_shapes) != 1:
            self._refuse(input_shapes, "one input")
        return input_shapes[0]

    def configure_with_format(
        self,
        input_shapes: Sequence[Any],
        output_shapes: Sequence[Any],
        dtype: DataType,
        format: TensorFormat,
        max_batch_size: int,
    ) -> None:
        """Note the type and the number of elements."""
        super().configure_with_format(input_shapes, output_shapes, dtype, format, max_batch_size)
        self.volume = prod(input_shapes[0])

    def serialize(self) -> memoryview:
        """Return the bounds and the configuration."""
        bounds = self.attributes["clipMin"], self.attributes["clipMax"]
        return memoryview(self.layout.pack(*bounds, self.volume, self.data_type))

    @classmethod
    def deserialize(cls, data: bytes) -> CustomClipPlugin:
        """Return the plugin of what `serialize` gave."""
        low, high, volume, data_type = cls.layout.unpack(data)
        plugin = cls(low, high)
        plugin.volume, plugin.data_type = volume, DataType(data_type)
        return plugin


class FlattenConcat(_SampleLayer):
    """Every input C, H, W of an image as one row, the rows joined.

    `axis` says where the joined length stands, 1 (C), 2 (H) or 3 (W). With `ignoreBatch` the inputs are the same for
    every image of a batch: those of the first one are taken for all.
    """

    plugin_type = "FlattenConcat"
    header = struct.Struct("<iiiii")  # axis, ignoreBatch, dtype, rows, number of inputs

    def __init__(self, axis: Any, ignoreBatch: Any = 0) -> None:  # noqa: N803 - the names of its fields
        axis, ignored = (int(np.asarray(value).ravel()[0]) for value in (axis, ignoreBatch))
        if axis not in (1, 2, 3):
            raise ValueError(f"axis {axis}, not 1, 2 or 3")
        super().__init__(axis=axis, ignoreBatch=bool(ignored))
        self.rows = 1
        self.sizes: list[int] = []

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return the joined length at `axis`, ones beside it."""
        if any(len(shape) < 3 for shape in input_shapes):
            self._refuse(input_shapes, "inputs of C, H, W")
        shape = [1, 1, 1]
        shape[self.attributes["axis"] - 1] = sum(prod(shape[-3:]) for shape in input_shapes)
        return Dims((*input_shapes[0][:-3], *shape))

    def configure_with_format(
        self,
        input_shapes: Sequence[Any],
        output_shapes: Sequence[Any],
        dtype: DataType,
        format: TensorFormat,
        max_batch_size: int,
    ) -> None:
        """Note the type and the length of each input."""
        super().configure_with_format(input_shapes, output_shapes, dtype, format, max_batch_size)
        self.sizes = [prod(shape[-3:]) for shape in input_shapes]
        self.rows = prod(input_shapes[0][:-3])

    def serialize(self) -> memoryview:
        """Return the fields and the configuration."""
        ignored = int(self.attributes["ignoreBatch"])
        header = self.header.pack(self.attributes["axis"], ignored, self.data_type, self.rows, len(self.sizes))
        return memoryview(header + struct.pack(f"<{len(self.sizes)}q", *self.sizes))

    @classmethod
    def deserialize(cls, data: bytes) -> FlattenConcat:
        """Return the plugin of what `serialize` gave."""
        axis, ignored, data_type, rows, count = cls.header.unpack(data[: cls.header.size])
        plugin = cls(axis, ignored)
        plugin.data_type, plugin.rows = DataType(data_type), rows
        plugin.sizes = list(struct.unpack(f"<{count}q", data[cls.header.size :]))
        return plugin


CREATORS = {
    "FCPlugin": IPluginCreator(FCPlugin, {"outputs": None, "kernel": None, "bias": []}),
    "CustomClipPlugin": IPluginCreator(CustomClipPlugin, {"clipMin": None, "clipMax": None}),
    "FlattenConcat": IPluginCreator(FlattenConcat, {"axis": None, "ignoreBatch": 0}),
}


class FCPluginFactory:
    """Makes FCPlugin of one layer of a Caffe model: `parser.plugin_factory_v2 = FCPluginFactory()` (guide §10.2).

    Args:
        layer: name of that layer.
    """

    def __init__(self, layer: str = "ip2") -> None:
        self.layer = layer

    def is_plugin_v2(self, layer_name: str) -> bool:
        """Whether this factory makes the layer of that name."""
        return layer_name == self.layer

    def create_plugin(self, layer_name: str, weights: Sequence[Weights]) -> IPluginV2:
        """Return the plugin of a layer.

        Args:
            layer_name: the layer.
            weights: its kernel [outputs, inputs] and its bias [outputs], whose length says how many outputs there are.

        Raises:
            NetworkError: other weights than these two, or they do not fit together.
        """
        if len(weights) != 2:
            raise NetworkError(layer_name, f"{len(weights)} blobs of weights", "FCPlugin takes a kernel and a bias.")
        kernel, bias = (values.numpy() for values in weights)
        fields = (
            PluginField("outputs", np.array([bias.size], np.int32), PluginFieldType.INT32),
            PluginField("kernel", kernel, PluginFieldType.FLOAT32),
            PluginField("bias", bias, PluginFieldType.FLOAT32),
        )
        return CREATORS["FCPlugin"].create_plugin(layer_name, PluginFieldCollection(fields))


def register(name: str) -> None:
    """Add the creator of a plugin to the registry; harmless when it is there.

    Raises:
        KeyError: no such plugin.
    """
    get_plugin_registry().register_creator(CREATORS[name])
