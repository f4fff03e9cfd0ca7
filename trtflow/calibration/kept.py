"""Layers that an INT8 engine keeps in float32."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import ModuleType
from typing import Any

from trtflow.calibration.tensors import layers_of, readers_of

# layers of one element after another, which TensorRT computes in one kernel with the product in front of them
POINTWISE = ("ACTIVATION", "ELEMENTWISE", "UNARY", "SCALE", "PARAMETRIC_RELU")
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
    """Let layers of these names, and what is fused with them, compute in float32, whatever the builder's flags say.

    A kernel of which a part is to be float32 and another may be INT8 does not exist: TensorRT 8.6 then passes over the
    wish, with a warning, and takes the fastest, INT8.
    """
    layers = layers_of(network)
    wished = [layer for layer in layers if layer.name in kept]
    for layer in [*wished, *fused_behind(trt, layers, wished)]:
        set_precision(layer, trt.float32)


def fused_behind(trt: ModuleType, layers: Sequence[Any], first: Sequence[Any]) -> list[Any]:
    """Return the pointwise layers behind some layers whose values nothing else reads: a swish, a sum and its ReLU."""
    kinds = {getattr(trt.LayerType, name) for name in POINTWISE}
    readers = readers_of(layers)
    found: dict[str, Any] = {}
    ahead = list(first)
    while ahead:
        layer = ahead.pop()
        for place in range(layer.num_outputs):
            behind = readers.get(layer.get_output(place).name, [])
            if all(reader.type in kinds and computes(trt, reader) for reader in behind):
                new = [reader for reader in behind if reader.name not in found]
                found |= {reader.name: reader for reader in new}
                ahead += new
    return list(found.values())
