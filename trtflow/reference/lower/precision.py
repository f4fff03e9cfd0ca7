"""Which layers and tensors run in which precision, by rules that stand in for TensorRT's timing.

TensorRT times kernels and picks; that differs from GPU to GPU. The reference picks by rule, so that the same network
gives the same numbers everywhere: with INT8, every convolution and fully connected layer runs in INT8; a tensor is
INT8 when such a layer reads it, be it through layers that only move or select values. A ReLU behind a convolution is
part of it, so what lies between them is never quantised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trtflow.reference.errors import BuildError
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.config import IBuilderConfig
from trtflow.reference.record.enums import ActivationType, BuilderFlag, DataType, PoolingType
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx_layer import IOnnxLayer
from trtflow.reference.record.tensor import ITensor

QUANTISED_LAYERS = (L.IConvolutionLayer, L.IFullyConnectedLayer)
SINGLE_PRECISION_PLUGINS = ("Normalize_TRT", "PriorBox_TRT", "NMS_TRT")  # as TensorRT's own take float only


@dataclass
class Precisions:
    """The decision.

    Attributes:
        layers: type that each layer computes in; INT8 stands for INT8 products of INT8 inputs.
        scales: scale (range / 127) of each tensor that is stored in INT8, by name.
    """

    layers: dict[L.ILayer, DataType]
    scales: dict[str, np.float32]


def choose(network: INetworkDefinition, config: IBuilderConfig, table: Mapping[str, np.float32] | None) -> Precisions:
    """Decide for a network.

    Args:
        network: the network.
        config: its flags FP16 and INT8 count.
        table: scales by tensor name from a calibration; None where there is only `ITensor.dynamic_range`.

    Raises:
        BuildError: an INT8 layer reads a tensor that has neither a scale nor a range.
    """
    half = config.get_flag(BuilderFlag.FP16)
    layers = {layer: _float_type(layer, half) for layer in network}
    if not config.get_flag(BuilderFlag.INT8):
        return Precisions(layers, {})
    for layer in network:
        if isinstance(layer, QUANTISED_LAYERS) and (not layer.precision_is_set or layer.precision == DataType.INT8):
            layers[layer] = DataType.INT8
    needed = _quantised_tensors(network, layers)
    missing = [tensor.name for tensor in needed if _scale(tensor, table) is None]
    if missing:
        raise BuildError(
            f"INT8 needs the range of {len(missing)} tensors that have none, first {missing[0]!r}. "
            "Delete the calibration table and make it again from this network, or set their dynamic ranges."
        )
    return Precisions(layers, {tensor.name: _usable(tensor.name, _scale(tensor, table)) for tensor in needed})


def _float_type(layer: L.ILayer, half: bool) -> DataType:
    if layer.precision_is_set and layer.precision in (DataType.FLOAT, DataType.HALF):
        return layer.precision
    plugin = layer.plugin.plugin_type if isinstance(layer, L.IPluginV2Layer) else ""
    single = plugin in SINGLE_PRECISION_PLUGINS or isinstance(layer, IOnnxLayer)
    return DataType.HALF if half and not single else DataType.FLOAT


def _quantised_tensors(network: INetworkDefinition, layers: dict[L.ILayer, DataType]) -> list[ITensor]:
    """Return the tensors that INT8 layers read, in network order."""
    needed: dict[ITensor, None] = {}
    pending = [layer.inputs[0] for layer in network if layers[layer] == DataType.INT8]
    while pending:
        tensor = pending.pop()
        if tensor in needed:
            continue
        needed[tensor] = None
        producer = tensor.producer
        if producer is not None and _moves_values(producer) and not fused_activation(network, producer):
            pending += producer.inputs
    order = {tensor: rank for rank, tensor in enumerate(all_tensors(network))}
    return sorted(needed, key=order.__getitem__)


def all_tensors(network: INetworkDefinition) -> list[ITensor]:
    """Return the network's inputs, then every layer's outputs, in network order."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    return inputs + [output for layer in network for output in layer.outputs]


def consumers(network: INetworkDefinition, tensor: ITensor) -> list[L.ILayer]:
    """Return the layers that read a tensor."""
    return [layer for layer in network if tensor in layer.inputs]


def fused_activation(network: INetworkDefinition, layer: L.ILayer) -> bool:
    """Whether a layer is a ReLU that TensorRT fuses into the convolution or fully connected layer before it."""
    if not isinstance(layer, L.IActivationLayer) or layer.activation_type != ActivationType.RELU:
        return False
    tensor = layer.inputs[0]
    alone = not tensor.is_network_output and consumers(network, tensor) == [layer]
    return isinstance(tensor.producer, QUANTISED_LAYERS) and alone


def _moves_values(layer: L.ILayer) -> bool:
    if isinstance(layer, L.IPoolingLayer):
        return layer.pooling_type == PoolingType.MAX
    if isinstance(layer, L.IActivationLayer):
        return layer.activation_type == ActivationType.RELU
    return isinstance(layer, (L.IShuffleLayer, L.IConcatenationLayer))


def _scale(tensor: ITensor, table: Mapping[str, np.float32] | None) -> np.float32 | None:
    if tensor.dynamic_range is not None:
        return np.float32(np.float32(max(map(abs, tensor.dynamic_range))) / np.float32(127))
    return None if table is None else table.get(tensor.name)


def _usable(name: str, scale: np.float32 | None) -> np.float32:
    if scale is None or not np.isfinite(scale) or scale < 0:
        raise BuildError(f"the INT8 scale of tensor {name!r} is {scale}. Calibrate again on data without infinities.")
    return scale if scale > 0 else np.float32(1 / 127)  # a tensor that was always zero: any step will do
