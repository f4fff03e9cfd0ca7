"""FCPlugin, CustomClipPlugin and FlattenConcat in ONNX's own operators."""

from __future__ import annotations

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import Graph, lowers_plugin
from trtflow.reference.record.layers import IPluginV2Layer


@lowers_plugin("FCPlugin")
def fc_plugin(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """MatMul and Add. An explicit batch is refused: the serialised form (guide §10.4) has no place for it."""
    if not graph.batch_axes:
        remedy = "Create the network without NetworkDefinitionCreationFlag.EXPLICIT_BATCH."
        raise NetworkError(layer.name, "FCPlugin in a network with an explicit batch", remedy)
    attributes = layer.plugin.attributes
    result = graph.node("MatMul", [graph.node("Flatten", inputs), graph.constant("kernel", attributes["kernel"].T)])
    if attributes["bias"].size:
        result = graph.node("Add", [result, graph.constant("bias", attributes["bias"])])
    return [graph.node("Reshape", [result, graph.constant("shape", [0, attributes["outputs"], 1, 1], np.int64)])]


@lowers_plugin("CustomClipPlugin")
def custom_clip(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Clip."""
    bounds = [graph.constant(key, np.float32(layer.plugin.attributes[key])) for key in ("clipMin", "clipMax")]
    return [graph.node("Clip", [inputs[0], *bounds])]


@lowers_plugin("FlattenConcat_TRT")
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
