"""Which tensors of a network INT8 needs a range of, and how one is set."""

from __future__ import annotations

from types import ModuleType
from typing import Any

LEAST_RANGE = 1e-6  # a tensor that is nothing but noughts would have no scale


def layers_of(network: Any) -> list[Any]:
    """Return the layers of a network, in its order."""
    return [network.get_layer(index) for index in range(network.num_layers)]


def ranged_tensors(trt: ModuleType, network: Any) -> list[Any]:
    """Return the tensors that INT8 needs a range of: inputs, then every layer's float outputs, constants left out."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [
        layer.get_output(place)
        for layer in layers_of(network)
        if layer.type != trt.LayerType.CONSTANT
        for place in range(layer.num_outputs)
    ]
    floats = (trt.float32, trt.float16)
    return [tensor for tensor in [*inputs, *outputs] if tensor.dtype in floats and not tensor.is_shape_tensor]


def set_range(tensor: Any, largest: float) -> None:
    """Give a tensor its range for INT8: its largest absolute value both ways, `LEAST_RANGE` at least."""
    magnitude = max(largest, LEAST_RANGE)
    tensor.set_dynamic_range(-magnitude, magnitude)
