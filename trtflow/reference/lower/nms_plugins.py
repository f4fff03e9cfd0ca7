"""EfficientNMS_TRT and BatchedNMS_TRT in ONNX's own operators."""

from __future__ import annotations

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import Graph, lowers_plugin
from trtflow.reference.lower.ssd_plugins import suppress
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.layers import IPluginV2Layer
from trtflow.reference.record.nms_plugins import MOST_CANDIDATES

LOWEST = float(np.finfo(np.float32).min)


@lowers_plugin("EfficientNMS_TRT")
def efficient_nms(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Keep the best 4096 pairs of box and class, suppress overlaps, keep the best `max_output_boxes`."""
    attributes, (count, classes) = layer.plugin.attributes, _sizes(layer)
    scores, labels = _foreground(graph, inputs[1], classes, attributes["background_class"])
    if attributes["score_activation"]:
        scores = graph.node("Sigmoid", [scores])
    candidates = min(MOST_CANDIDATES, count * len(labels))
    flat = graph.node("Reshape", [scores, graph.ints("flat", [0, -1])])
    best, places = graph.largest(flat, candidates)  # [N, K]
    number = graph.ints("classes", [len(labels)])
    rows, columns = graph.node("Div", [places, number]), graph.node("Mod", [places, number])
    labels_of = graph.node("Gather", [graph.constant("labels", labels, np.int64), columns])
    boxes = _boxes_of(graph, layer, inputs, rows, labels_of)

    kept = _suppressed(graph, best, labels_of, boxes, labels, attributes)
    most = attributes["max_output_boxes"]
    found, order = graph.largest(kept, min(most, candidates))
    valid = graph.node("Greater", [found, graph.constant("lowest", LOWEST, np.float32)])
    last = graph.ints("last", [-1])
    chosen = graph.node("GatherND", [boxes, graph.node("Unsqueeze", [order, last])], batch_dims=1)
    zero = graph.constant("zero", np.float32(0))
    classes_of = graph.node("GatherElements", [labels_of, order], axis=1)
    outputs = [
        graph.node("ReduceSum", [graph.node("Cast", [valid], to=6), graph.ints("axis", [1])], keepdims=1),
        graph.node("Where", [graph.node("Unsqueeze", [valid, last]), chosen, zero]),
        graph.node("Where", [valid, found, zero]),
        graph.convert(graph.node("Where", [valid, classes_of, graph.constant("none", 0, np.int64)]), DataType.INT32),
    ]
    return [outputs[0], *(_padded(graph, value, most - candidates, rank) for value, rank in _ranks(outputs[1:]))]


def _ranks(values: list[str]) -> list[tuple[str, int]]:
    """Pair boxes, scores and classes with their numbers of dimensions."""
    return list(zip(values, (3, 2, 2), strict=True))


def _padded(graph: Graph, value: str, missing: int, rank: int, fill: float = 0) -> str:
    """Return a value [N, K, …] with noughts, or other rows, behind the candidates where there are too few of them."""
    if missing <= 0:
        return value
    pads = graph.ints("pads", [0] * (rank + 1) + [missing] + [0] * (rank - 2))
    return str(graph.node("Pad", [value, pads] + ([graph.constant("fill", np.float32(fill))] if fill else [])))


def _sizes(layer: IPluginV2Layer) -> tuple[int, int]:
    """Return the numbers of boxes and classes, which the number of candidates follows from."""
    count, classes = layer.inputs[1].shape[1:3]
    if count < 0 or classes < 0:
        fault = f"scores of shape {layer.inputs[1].shape}"
        raise NetworkError(layer.name, fault, "The reference runtime needs the numbers of boxes and classes.")
    return count, classes


def _foreground(graph: Graph, scores: str, classes: int, background: int) -> tuple[str, list[int]]:
    """Return the scores [N, P, C] without the background's, and the classes that are left."""
    labels = [label for label in range(classes) if label != background]
    if len(labels) == classes:
        return scores, labels
    return str(graph.node("Gather", [scores, graph.ints("foreground", labels)], axis=2)), labels


def _boxes_of(graph: Graph, layer: IPluginV2Layer, inputs: list[str], rows: str, labels: str) -> str:
    """Return the corners [N, K, 4] of candidates, given their rows and classes [N, K]."""
    last = graph.ints("last", [-1])
    pointers = graph.node("Unsqueeze", [rows, last])
    each = len(layer.inputs[0].shape) == 4 and layer.inputs[0].shape[2] != 1
    boxes = inputs[0]
    if each:  # boxes of each class
        both = graph.node("Concat", [pointers, graph.node("Unsqueeze", [labels, last])], axis=2)
        boxes = graph.node("GatherND", [boxes, both], batch_dims=1)
    else:
        flat = graph.node("Reshape", [boxes, graph.ints("boxes", [0, -1, 4])])
        boxes = graph.node("GatherND", [flat, pointers], batch_dims=1)
    centred = layer.plugin.attributes["box_coding"] == 1
    if len(inputs) > 2:
        anchors = inputs[2]
        if layer.inputs[2].shape[0] == 1 != layer.inputs[0].shape[0]:
            anchors = graph.spread(anchors, 3, inputs[0])
        anchors = graph.node("GatherND", [anchors, pointers], batch_dims=1)
        if centred:
            boxes = _decoded(graph, boxes, anchors)
        else:  # TensorRT brings the corners of both in order before it adds them
            boxes = graph.node("Add", [_in_order(graph, boxes), _in_order(graph, anchors)])
    if not centred:
        return str(boxes)
    centre, size = graph.node("Split", [boxes, graph.ints("halves", [2, 2])], outputs=2, axis=2)
    reach = graph.node("Mul", [size, graph.constant("half", np.float32(0.5))])
    return str(graph.node("Concat", [graph.node("Sub", [centre, reach]), graph.node("Add", [centre, reach])], axis=2))


def _in_order(graph: Graph, corners: str) -> str:
    """Return corners [N, K, 4] with the smaller of each axis first."""
    halves = graph.node("Split", [corners, graph.ints("halves", [2, 2])], outputs=2, axis=2)
    return str(graph.node("Concat", [graph.node("Min", halves), graph.node("Max", halves)], axis=2))


def _decoded(graph: Graph, offsets: str, anchors: str) -> str:
    """Return centres and sizes from offsets of anchors in the same coding."""
    shift, growth = graph.node("Split", [offsets, graph.ints("halves", [2, 2])], outputs=2, axis=2)
    centre, size = graph.node("Split", [anchors, graph.ints("halves", [2, 2])], outputs=2, axis=2)
    moved = graph.node("Add", [graph.node("Mul", [shift, size]), centre])
    grown = graph.node("Mul", [graph.node("Exp", [growth]), size])
    return str(graph.node("Concat", [moved, grown], axis=2))


def _suppressed(graph: Graph, best: str, labels_of: str, boxes: str, labels: list[int], attributes: dict) -> str:
    """Return scores [N, K] with the lowest number in place of those that are suppressed or below the threshold.

    Each class has a row of scores of its own, in which those of other classes are as low as can be.
    """
    lowest = graph.constant("lowest", LOWEST, np.float32)
    own = graph.constant("own", np.array(labels).reshape(1, -1, 1), np.int64)
    same = graph.node("Equal", [graph.node("Unsqueeze", [labels_of, graph.ints("axis", [1])]), own])
    rows = graph.node("Where", [same, graph.node("Unsqueeze", [best, graph.ints("axis", [1])]), lowest])
    limits = [
        graph.ints("most", [attributes["max_output_boxes"]]),
        graph.constant("overlap", [attributes["iou_threshold"]], np.float32),
        graph.constant("threshold", [attributes["score_threshold"]], np.float32),
    ]
    selected = graph.node("NonMaxSuppression", [boxes, rows, *limits])
    where = graph.node("Gather", [selected, graph.ints("columns", [0, 2])], axis=1)
    none = graph.node("Expand", [lowest, graph.node("Shape", [best])])
    return str(graph.node("ScatterND", [none, where, graph.node("GatherND", [best, where])]))


@lowers_plugin("BatchedNMS_TRT")
@lowers_plugin("BatchedNMSDynamic_TRT")
def batched_nms(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Keep the best `topK` of each class, suppress overlaps, keep the best `keepTopK` of all."""
    attributes = layer.plugin.attributes
    skip = 1 if layer.plugin.dynamic or not graph.batch_axes else 0
    count, classes = layer.inputs[0].shape[skip], attributes["numClasses"]
    if count < 0:
        fault = f"boxes of shape {layer.inputs[0].shape}"
        raise NetworkError(layer.name, fault, "The reference runtime needs the number of boxes.")
    scores = graph.node("Reshape", [inputs[1], graph.ints("scores", [0, count, classes])])
    scores, labels = _foreground(graph, scores, classes, attributes["backgroundLabelId"])
    candidates = min(attributes["topK"], count)
    best, places = graph.largest(graph.node("Transpose", [scores], perm=[0, 2, 1]), candidates)  # [N, C, K]
    boxes = _boxes_of_classes(graph, inputs[0], places, labels, attributes["shareLocation"])
    pixels = attributes["caffeSemantics"] and not attributes["isNormalized"]
    thresholds = attributes["iouThreshold"], attributes["scoreThreshold"]
    kept = suppress(graph, best, boxes, candidates, thresholds, pixels)
    most, every = attributes["keepTopK"], len(labels) * candidates
    found, order = graph.largest(kept, min(most, every))
    zero = graph.constant("zero", np.float32(0))
    valid = graph.node("Greater", [found, zero])
    last = graph.ints("last", [-1])
    chosen = graph.node("GatherND", [boxes, graph.node("Unsqueeze", [order, last])], batch_dims=1)
    if attributes["clipBoxes"]:
        chosen = graph.node("Clip", [chosen, zero, graph.constant("one", np.float32(1))])
    number = graph.node("Div", [order, graph.constant("candidates", candidates, np.int64)])
    classes_of = graph.node("Gather", [graph.constant("labels", np.array(labels, np.float32)), number])
    total = graph.node("Cast", [valid], to=6)
    total = graph.node("ReduceSum", [total, graph.ints("axis", [1])], keepdims=int(layer.plugin.dynamic))
    outputs = [
        graph.node("Where", [graph.node("Unsqueeze", [valid, last]), chosen, zero]),
        graph.node("Where", [valid, found, zero]),
        graph.node("Where", [valid, classes_of, graph.constant("none", np.float32(-1))]),
    ]
    fills = (0, 0, -1)
    padded = [
        _padded(graph, value, most - every, rank, fill)
        for (value, rank), fill in zip(_ranks(outputs), fills, strict=True)
    ]
    return [total, *padded]


def _boxes_of_classes(graph: Graph, boxes: str, places: str, labels: list[int], shared: bool) -> str:
    """Return the boxes [N, C * K, 4] of each class's candidates, given their places [N, C, K]."""
    if shared:
        flat = graph.node("Reshape", [boxes, graph.ints("boxes", [0, -1, 4])])
        rows = graph.node("Reshape", [places, graph.ints("rows", [0, -1, 1])])
        return str(graph.node("GatherND", [flat, rows], batch_dims=1))
    own = graph.node("Transpose", [boxes], perm=[0, 2, 1, 3])
    own = graph.node("Gather", [own, graph.ints("labels", labels)], axis=1)
    found = graph.node("GatherND", [own, graph.node("Unsqueeze", [places, graph.ints("last", [-1])])], batch_dims=2)
    return str(graph.node("Reshape", [found, graph.ints("flat", [0, -1, 4])]))
