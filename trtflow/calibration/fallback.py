"""Layers that stay in float32 because a calibration table has no scale of what they read.

TensorRT warns and takes another precision where a table lacks a tensor; the reference refuses such a table, for it is
mostly that of another network. This is the choice between the two.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from trtflow.calibration.tensors import layers_of, ranged_tensors, readers_of, tensor_names

logger = logging.getLogger(__name__)
# layers whose output has its input's values: in front of them a scale is needed that is needed behind them
MOVING = ("POOLING", "SHUFFLE", "CONCATENATION", "SLICE", "IDENTITY", "PADDING", "RESIZE", "GATHER")
FUSED = "ACTIVATION"  # what stands in front of one has no entry where calibration follows the fusion of layers


def fall_back(trt: ModuleType, network: Any, scales: Mapping[str, Any], source: str) -> list[str]:
    """Keep those layers in float32 that read a tensor which a table lacks; warn, naming both.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: a network that is defined, before it is built.
        scales: of a table, by tensor.
        source: what warnings call the table.

    Returns:
        the names of these layers, in network order.
    """
    layers = layers_of(network)
    lacking = {tensor.name for tensor in ranged_tensors(trt, network)} - scales.keys()
    lacking -= {tensor.name for tensor in _ranged(trt, network)} | in_front_of_activations(trt, layers)
    kept = []
    for layer in layers:
        missing = [name for name in tensor_names(layer, "input") if name in lacking]
        if missing and _is(trt, layer, MOVING):
            lacking.update(tensor_names(layer, "output"))
        elif missing and layer.type != trt.LayerType.CONSTANT:
            layer.precision = trt.float32
            kept.append(layer.name)
            logger.warning("%s has no scale of %s: %s is computed in float32", source, ", ".join(missing), layer.name)
    return kept


def _ranged(trt: ModuleType, network: Any) -> list[Any]:
    """Return the tensors that have a dynamic range of their own."""
    return [tensor for tensor in ranged_tensors(trt, network) if tensor.dynamic_range is not None]


def in_front_of_activations(trt: ModuleType, layers: list[Any]) -> set[str]:
    """Return the names of tensors that nothing but an activation reads."""
    return {name for name, those in readers_of(layers).items() if all(_is(trt, layer, (FUSED,)) for layer in those)}


def _is(trt: ModuleType, layer: Any, names: tuple[str, ...]) -> bool:
    return layer.type in {getattr(trt.LayerType, name) for name in names if hasattr(trt.LayerType, name)}
