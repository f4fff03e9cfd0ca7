"""Layers as people read them: of a network before the build, and of the engine that came of it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.runtime.entry import engine_of


def network_layers(network: Any) -> list[str]:
    """Return a heading and a line a layer: its name, its type, and names and dimensions of its outputs (guide §5.1)."""
    lines = [f"network: {network.num_layers} layers"]
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        outputs = (layer.get_output(place) for place in range(layer.num_outputs))
        shown = ", ".join(f"{tensor.name} {tuple(tensor.shape)}" for tensor in outputs)
        lines.append(f"  {layer.name}: {layer.type.name} -> {shown}")
    return lines


def engine_layers(trt: ModuleType, plan: bytes) -> list[str]:
    """Return a heading and a line a layer of the engine; layers that were fused have one line together."""
    engine = engine_of(trt, plan)
    inspector = engine.create_engine_inspector()
    lines = [
        inspector.get_layer_information(index, trt.LayerInformationFormat.ONELINE).strip()
        for index in range(engine.num_layers)
    ]
    return [f"engine: {engine.num_layers} layers", *(f"  {line}" for line in lines)]
