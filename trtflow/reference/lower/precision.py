"""Which layers and tensors run in which precision, by rules that stand in for TensorRT's timing.

TensorRT times kernels and picks; that differs from GPU to GPU. The reference picks by rule, so that the same network
gives the same numbers everywhere: with INT8, every convolution, transposed too, and fully connected layer runs in INT8;
a tensor is INT8 when such a layer reads it, be it through layers that only move or select values. A ReLU behind a
convolution is part of it, so what lies between them is never quantised. A product with a constant matrix runs in INT8
where its `precision` asks for that and the engine is not to be refitted, for a refitter knows the matrix in float.

A network that quantises itself, with quantize and dequantize layers, is taken at its word: no other tensor is INT8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from trtflow.reference.errors import BuildError
from trtflow.reference.lower.blocks import layers_in_blocks
from trtflow.reference.lower.int8_tensors import QUANTISED_LAYERS, Int8Tensors, all_tensors, constant_factor
from trtflow.reference.lower.quantised_forms import check_quantised_forms, has_thin_groups
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.config import IBuilderConfig
from trtflow.reference.record.enums import (
    BuilderFlag,
    DataType,
)
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx_layer import IOnnxLayer
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Logger

QUANTISERS = (L.IQuantizeLayer, L.IDequantizeLayer)
SINGLE_PRECISION_LAYERS = (  # they convert, or TensorRT computes them in float32
    IOnnxLayer,
    L.ICastLayer,
    L.IIdentityLayer,
    *QUANTISERS,
)
SINGLE_PRECISION_PLUGINS = (  # as TensorRT's own take float only
    "Normalize_TRT",
    "PriorBox_TRT",
    "GridAnchor_TRT",
    "FlattenConcat_TRT",
    "NMS_TRT",
    "RPROI_TRT",
    "GridAnchorRect_TRT",
    "EfficientNMS_TRT",
    "BatchedNMS_TRT",
    "BatchedNMSDynamic_TRT",
    "ROIAlign_TRT",
    "LReLU_TRT",
    "Reorg_TRT",
    "Region_TRT",
    "ResizeNearest_TRT",
    "BatchTilePlugin_TRT",
    "CropAndResize",
    "InstanceNormalization_TRT",
    "Clip_TRT",
)


@dataclass
class Precisions:
    """The decision.

    Attributes:
        layers: type that each layer computes in; INT8 stands for INT8 products of INT8 inputs.
        scales: scale (range / 127) of each tensor that is stored in INT8, by name.
        fused: of these the tensors inside a layer and its activation, which only integer kernels need.
    """

    layers: dict[L.ILayer, DataType]
    scales: dict[str, np.float32]
    fused: set[str] = field(default_factory=set)


def choose(
    network: INetworkDefinition,
    config: IBuilderConfig,
    table: Mapping[str, np.float32] | None,
    lenient: bool = False,
) -> Precisions:
    """Decide for a network.

    Args:
        network: the network.
        config: its flags FP16 and INT8 count.
        table: scales by tensor name from a calibration; None where there is only `ITensor.dynamic_range`.
        lenient: whether a layer that reads a tensor without a scale computes in float, with a warning, as in TensorRT.

    Raises:
        BuildError: an INT8 layer reads a tensor that has neither a scale nor a range, or the network quantises itself
            and the flag INT8 is not set, or it does so in a form that TensorRT does not build.
    """
    half, steps = config.get_flag(BuilderFlag.FP16), config.get_flag(BuilderFlag.INT8)
    layers = {layer: _float_type(layer, half) for layer in network}
    inside = layers_in_blocks(network)
    layers |= dict.fromkeys(inside, DataType.FLOAT)
    _give_constants_the_type_of_their_readers(layers)
    if quantises_itself(network) and not steps:
        raise BuildError(
            "Int8 precision has been set for a layer or layer output, but int8 is not configured in the builder: the "
            "network has quantize layers. Allow INT8 with config.set_flag(BuilderFlag.INT8)."
        )
    if quantises_itself(network):
        layers |= dict.fromkeys(filter(_multiplies_steps, set(network) - inside), DataType.INT8)
        check_quantised_forms(network, layers)
    if quantises_itself(network) or not steps:
        return Precisions(layers, {})
    for layer in network:
        chosen = not layer.precision_is_set or layer.precision == DataType.INT8
        multiplies = isinstance(layer, QUANTISED_LAYERS) and layer.get_input(1) is None and not has_thin_groups(layer)
        if multiplies and chosen and layer not in inside:
            layers[layer] = DataType.INT8
        asked = layer.precision_is_set and layer.precision == DataType.INT8 and layer not in inside
        if asked and constant_factor(layer) is not None and not config.get_flag(BuilderFlag.REFIT):
            layers[layer] = DataType.INT8
    if lenient and table is not None:
        _leave_out_those_without_scales(network, layers, table, half)
    tensors = Int8Tensors(network, layers, lambda tensor: _scale(tensor, table))
    return Precisions(layers, _scales(network, tensors, table), {tensor.name for tensor in tensors.like})


def _leave_out_those_without_scales(
    network: INetworkDefinition, layers: dict[L.ILayer, DataType], table: Mapping[str, np.float32], half: bool
) -> None:
    """Have those INT8 layers compute in float that read a tensor without a scale; warn, naming both."""
    tensors = Int8Tensors(network, layers, lambda tensor: _scale(tensor, table))
    for layer in [layer for layer, dtype in layers.items() if dtype == DataType.INT8]:
        lacking = [tensor.name for tensor in tensors.read_by(layer) if _scale(tensor, table) is None]
        if lacking:
            layers[layer] = _float_type(layer, half)
            text = f"Missing scale for tensor {lacking[0]}: layer {layer.name} computes in {layers[layer].name}"
            network.logger.log(Logger.WARNING, text)


def _scales(
    network: INetworkDefinition, tensors: Int8Tensors, table: Mapping[str, np.float32] | None
) -> dict[str, np.float32]:
    """Return the scale of each tensor that is stored in INT8, in network order.

    Raises:
        BuildError: an INT8 layer reads a tensor that has none.
    """
    found = [tensor for tensor in all_tensors(network) if tensor in tensors.found or tensor.is_stored_in_int8]
    missing = [tensor.name for tensor in found if tensors.found.get(tensor, True) and _scale(tensor, table) is None]
    if missing:
        raise BuildError(
            f"INT8 needs the range of {len(missing)} tensors that have none, first {missing[0]!r}. "
            "Delete the calibration table and make it again from this network, or set their dynamic ranges."
        )
    return {tensor.name: _usable(tensor.name, _scale(tensors.like.get(tensor, tensor), table)) for tensor in found}


def quantises_itself(network: INetworkDefinition) -> bool:
    """Whether a network has quantize or dequantize layers; then it says itself what is INT8."""
    return any(isinstance(layer, QUANTISERS) for layer in network)


def _multiplies_steps(layer: L.ILayer) -> bool:
    """Whether both factors of a product come from dequantize layers, be it moved: then it is one of integers."""
    if isinstance(layer, L.IMatrixMultiplyLayer):
        factors: list[ITensor | None] = list(layer.inputs[:2])
    elif isinstance(layer, (L.IConvolutionLayer, L.IDeconvolutionLayer)):
        factors = [layer.get_input(0), layer.get_input(1)]
    else:
        return False
    return all(factor is not None and _is_dequantised(factor) for factor in factors)


def _is_dequantised(tensor: ITensor) -> bool:
    producer = tensor.producer
    while isinstance(producer, (L.IShuffleLayer, L.IIdentityLayer)):
        producer = producer.inputs[0].producer
    return isinstance(producer, L.IDequantizeLayer)


def _float_type(layer: L.ILayer, half: bool) -> DataType:
    if layer.precision_is_set and layer.precision in (DataType.FLOAT, DataType.HALF):
        return layer.precision
    return DataType.HALF if half and not _single(layer) else DataType.FLOAT


def _single(layer: L.ILayer) -> bool:
    """Whether a layer computes in float32 whatever the flags say."""
    if isinstance(layer, L.INormalizationLayer):
        return layer.compute_precision == DataType.FLOAT
    if isinstance(layer, L.IPluginV2Layer):
        return layer.plugin.plugin_type in SINGLE_PRECISION_PLUGINS
    return isinstance(layer, SINGLE_PRECISION_LAYERS)


def _give_constants_the_type_of_their_readers(layers: dict[L.ILayer, DataType]) -> None:
    """Keep in float32 what a layer in float32 reads: TensorRT rounds weights for each layer that reads them."""
    readers: dict[L.ILayer, set[DataType]] = {}
    for layer, dtype in layers.items():
        for tensor in layer.inputs:
            if isinstance(tensor.producer, L.IConstantLayer):
                readers.setdefault(tensor.producer, set()).add(dtype)
    for layer in layers:
        if isinstance(layer, L.IConstantLayer) and not layer.precision_is_set:
            layers[layer] = DataType.HALF if readers.get(layer) == {DataType.HALF} else DataType.FLOAT


def _scale(tensor: ITensor, table: Mapping[str, np.float32] | None) -> np.float32 | None:
    if tensor.dynamic_range is not None:
        return np.float32(np.float32(max(map(abs, tensor.dynamic_range))) / np.float32(127))
    return None if table is None else table.get(tensor.name)


def _usable(name: str, scale: np.float32 | None) -> np.float32:
    if scale is None or not np.isfinite(scale) or scale < 0:
        raise BuildError(f"the INT8 scale of tensor {name!r} is {scale}. Calibrate again on data without infinities.")
    return scale if scale > 0 else np.float32(1 / 127)  # a tensor that was always zero: any step will do
