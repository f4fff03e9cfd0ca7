"""FCPlugin, CustomClipPlugin and FlattenConcat in ONNX's own operators."""

from __future__ import annotations

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import Graph, lowers_plugin
from trtflow.reference.record.layers import IPluginV2Layer


@lowers_plugin("FCPlugin")
def fc_plugin(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """MatMul and Add over the last three dimensions, put back as outputs, 1, 1."""
    attributes = layer.plugin.attributes
    leading = [0] * (len(layer.inputs[0].shape) - 3 + graph.batch_axes)
    rows = graph.node("Reshape", [inputs[0], graph.constant("rows", [*leading, -1], np.int64)])
    result = graph.node("MatMul", [rows, graph.constant("kernel", attributes["kernel"].T)])
    if attributes["bias"].size:
        result = graph.node("Add", [result, graph.constant("bias", attributes["bias"])])
    shape = graph.constant("shape", [*leading, attributes["outputs"], 1, 1], np.int64)
    return [graph.node("Reshape", [result, shape])]


@lowers_plugin("CustomClipPlugin")
def custom_clip(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Clip."""
    bounds = [graph.constant(key, np.float32(layer.plugin.attributes[key])) for key in ("clipMin", "clipMax")]
    return [graph.node("Clip", [inputs[0], *bounds])]


@lowers_plugin("FlattenConcat")
def flatten_concat(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Each input as a row, the rows of the first image alone with ignoreBatch, joined."""
    attributes = layer.plugin.attributes
    leading = len(layer.inputs[0].shape) - 3 + graph.batch_axes
    row = [1, 1, 1]
    row[attributes["axis"] - 1] = -1
    shape = graph.constant("row", [*[0] * leading, *row], np.int64)
    rows = [graph.node("Reshape", [name, shape]) for name in inputs]
    joined = graph.node("Concat", rows, axis=leading - 1 + attributes["axis"])
    return [_first_for_all(layer, graph, joined, leading) if attributes["ignoreBatch"] else joined]


def _first_for_all(layer: IPluginV2Layer, graph: Graph, joined: str, leading: int) -> str:
    """Repeat the first image's row over the batch."""
    if leading != 1:
        raise NetworkError(layer.name, f"FlattenConcat with ignoreBatch over {leading} dimensions before C, H, W")
    bounds = [graph.constant(what, [value], np.int64) for what, value in (("first", 0), ("second", 1), ("batch", 0))]
    first = graph.node("Slice", [joined, *bounds])
    return str(graph.node("Expand", [first, graph.node("Shape", [joined])]))
