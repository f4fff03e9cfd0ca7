"""Layers that an INT8 engine keeps in float32."""

from __future__ import annotations

from collections.abc import Collection
from types import ModuleType
from typing import Any

from trtflow.calibration.tensors import layers_of

PRODUCTS = ("CONVOLUTION", "FULLY_CONNECTED", "DECONVOLUTION", "MATRIX_MULTIPLY")  # layers that INT8 is there for


def computes(trt: ModuleType, layer: Any) -> bool:
    """Return whether a layer computes values; TensorRT refuses a precision for those of shapes and indices."""
    outputs = [layer.get_output(place) for place in range(layer.num_outputs)]
    return all(tensor.dtype in (trt.float32, trt.float16) and not tensor.is_shape_tensor for tensor in outputs)


def set_precision(layer: Any, dtype: Any) -> None:
    """Set the type that a layer computes in and the types of its outputs."""
    layer.precision = dtype
    for place in range(layer.num_outputs):
        layer.set_output_type(place, dtype)


def products(trt: ModuleType, network: Any) -> list[str]:
    """Return the names of the layers of a network that multiply and compute values, in its order."""
    kinds = [getattr(trt.LayerType, name) for name in PRODUCTS]
    return [layer.name for layer in layers_of(network) if layer.type in kinds and computes(trt, layer)]


def keep_in_float(trt: ModuleType, network: Any, kept: Collection[str]) -> None:
    """Let layers of these names compute in float32, whatever the builder's flags say; see `prefer_constraints`."""
    for layer in layers_of(network):
        if layer.name in kept:
            set_precision(layer, trt.float32)


def prefer_constraints(trt: ModuleType, config: Any) -> None:
    """Have the builder heed the precisions of layers; without this they are a hint that it may pass over."""
    config.set_flag(trt.BuilderFlag.PREFER_PRECISION_CONSTRAINTS)
