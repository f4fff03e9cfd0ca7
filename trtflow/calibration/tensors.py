"""Which tensors of a network INT8 needs a range of, and how one is set."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

LEAST_RANGE = 1e-6  # a tensor that is nothing but noughts would have no scale


def layers_of(network: Any) -> list[Any]:
    """Return the layers of a network, in its order."""
    return [network.get_layer(index) for index in range(network.num_layers)]


def tensor_names(layer: Any, side: str) -> list[str]:
    """Return the names of a layer's tensors, of its "input" or "output" side; those that it has not are left out."""
    tensors = [getattr(layer, f"get_{side}")(place) for place in range(getattr(layer, f"num_{side}s"))]
    return [tensor.name for tensor in tensors if tensor is not None]


def readers_of(layers: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the layers that read each tensor, by its name."""
    readers: dict[str, list[Any]] = {}
    for layer in layers:
        for name in tensor_names(layer, "input"):
            readers.setdefault(name, []).append(layer)
    return readers


def inside_bodies(trt: ModuleType, layers: Sequence[Any]) -> set[str]:
    """Return the names of tensors that a loop or a conditional computes inside: none of these can be an output."""
    first, last = (
        {getattr(trt.LayerType, name) for name in names}
        for names in (("RECURRENCE", "ITERATOR", "CONDITIONAL_INPUT"), ("LOOP_OUTPUT", "CONDITIONAL_OUTPUT"))
    )
    readers = readers_of(layers)
    inside: set[str] = set()
    ahead = [layer for layer in layers if layer.type in first]
    while ahead:
        for name in tensor_names(ahead.pop(), "output"):
            if name not in inside:
                inside.add(name)
                ahead += [layer for layer in readers.get(name, []) if layer.type not in last]
    return inside


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
