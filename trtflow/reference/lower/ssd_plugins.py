"""SSD's plugins in ONNX's own operators, so that the lowered network needs no plugin."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import Graph, lowers_plugin
from trtflow.reference.record.layers import IPluginV2Layer
from trtflow.reference.record.ssd_plugins import GridAnchor, PriorBox

CORNER, CENTER_SIZE, CORNER_SIZE, TF_CENTER = CODE_TYPES = (0, 1, 2, 3)  # CodeTypeSSD


@lowers_plugin("Normalize_TRT")
def normalize(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """x * (weights / sqrt(sum(x^2) + eps)), the sum over channels or over the whole image.

    The product is the last: TensorRT 8.6 takes one with weights of each channel in front of a quantisation for a scale,
    and joining the two ends in an assertion of its own ("mergeScales").
    """
    attributes = layer.plugin.attributes
    axes = [-3, -2, -1] if attributes["acrossSpatial"] else [-3]
    squares = graph.node("ReduceSumSquare", inputs, axes=axes)
    norm = graph.node("Sqrt", [graph.node("Add", [squares, graph.constant("eps", np.float32(attributes["eps"]))])])
    shape = (1, 1, 1) if attributes["channelShared"] else (-1, 1, 1)
    weights = graph.constant("weights", attributes["weights"].astype(np.float32).reshape(shape))
    return [graph.node("Mul", [inputs[0], graph.node("Div", [weights, norm])])]


@lowers_plugin("PriorBox_TRT")
def prior_box(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """A constant: the boxes depend on shapes only."""
    assert isinstance(layer.plugin, PriorBox)
    feature, image = (tensor.shape[-2:] for tensor in layer.inputs)
    boxes = prior_boxes(layer.plugin, feature, image)
    return [graph.node("Identity", [graph.constant("boxes", boxes[None])])]


def prior_boxes(plugin: PriorBox, feature: tuple[int, ...], image: tuple[int, ...]) -> np.ndarray:
    """Return the default boxes of a feature map, float32 [2, H * W * priors * 4, 1]: boxes, then variances.

    A cell has for each minimum size its square, the square of sqrt(min * max), then one box an aspect ratio other
    than 1, as in Caffe's PriorBox layer (facts of SSD, arXiv:1512.02325).
    """
    attributes = plugin.attributes
    height, width = (attributes[key] or size for key, size in zip(("imgH", "imgW"), image, strict=True))
    step_y = attributes["stepH"] or height / feature[0]
    step_x = attributes["stepW"] or width / feature[1]
    sizes = []
    for index, smallest in enumerate(map(float, attributes["minSize"].ravel())):
        sizes.append((smallest, smallest))
        if index < attributes["maxSize"].size:
            middle = np.sqrt(smallest * float(attributes["maxSize"].ravel()[index]))
            sizes.append((middle, middle))
        sizes += [(smallest * np.sqrt(ratio), smallest / np.sqrt(ratio)) for ratio in plugin.ratios()[1:]]
    half = np.array(sizes) / 2
    y, x = np.meshgrid(*(np.arange(count) + attributes["offset"] for count in feature), indexing="ij")
    centre = np.stack([x * step_x, y * step_y], axis=-1)[:, :, None]
    boxes = np.concatenate([centre - half, centre + half], axis=-1) / np.array([width, height, width, height])
    if attributes["clip"]:
        boxes = boxes.clip(0, 1)
    variances = np.broadcast_to(attributes["variance"], boxes.shape)
    return np.stack([boxes.ravel(), variances.ravel()]).astype(np.float32)[:, :, None]


@lowers_plugin("GridAnchor_TRT")
@lowers_plugin("GridAnchorRect_TRT")
def grid_anchor(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """A constant for each feature map."""
    assert isinstance(layer.plugin, GridAnchor)
    made = [grid_anchors(layer.plugin, index) for index in range(layer.plugin.num_outputs)]
    return [graph.node("Identity", [graph.constant("boxes", boxes[None])]) for boxes in made]


def grid_anchors(plugin: GridAnchor, index: int) -> np.ndarray:
    """Return the default boxes of one of TensorFlow's feature maps, float32 [2, H * W * boxes * 4, 1]."""
    y, x = np.meshgrid(*((np.arange(size) + 0.5) / size for size in plugin.map_shape(index)), indexing="ij")
    centre, half = np.stack([x, y], axis=-1)[:, :, None], plugin.box_sizes(index) / 2
    boxes = np.concatenate([centre - half, centre + half], axis=-1)
    variances = np.broadcast_to(plugin.attributes["variance"], boxes.shape)
    return np.stack([boxes.ravel(), variances.ravel()]).astype(np.float32)[:, :, None]


@lowers_plugin("NMS_TRT")
def nms(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Decode boxes, keep the best `topK` of each class, suppress overlaps, keep the best `keepTopK` of all."""
    attributes = layer.plugin.attributes
    order = attributes["inputOrder"].ravel()
    location, confidence, prior = (inputs[int(index)] for index in order)
    prior_count = layer.inputs[int(order[2])].shape[-2] // 4
    classes = int(attributes["numClasses"].item())
    foreground = [label for label in range(classes) if label != attributes["backgroundLabelId"]]
    candidates = min(attributes["topK"], prior_count)
    _check(layer, len(foreground) * candidates)

    boxes = _decode(graph, location, prior, attributes, 1 if attributes["shareLocation"] else classes)
    scores = graph.node("Reshape", [confidence, _shape(graph, [0, prior_count, classes])])
    if attributes["confSigmoid"]:
        scores = graph.node("Sigmoid", [scores])
    scores = graph.node("Transpose", [scores], perm=[0, 2, 1])
    labels = graph.constant("labels", foreground, np.int64)
    scores = graph.node("Gather", [scores, labels], axis=1)
    best, indices = graph.largest(scores, candidates)  # [N, C, K]
    if attributes["shareLocation"]:
        rows = graph.node("Reshape", [indices, _shape(graph, [0, -1, 1])])
        boxes = graph.node("Reshape", [boxes, _shape(graph, [0, -1, 4])])
        best_boxes = graph.node("GatherND", [boxes, rows], batch_dims=1)  # [N, C * K, 4]
    else:
        boxes = graph.node("Gather", [graph.node("Transpose", [boxes], perm=[0, 2, 1, 3]), labels], axis=1)
        rows = graph.node("Unsqueeze", [indices, graph.constant("last", [-1], np.int64)])
        best_boxes = graph.node("GatherND", [boxes, rows], batch_dims=2)
        best_boxes = graph.node("Reshape", [best_boxes, _shape(graph, [0, -1, 4])])

    pixels = not attributes["isNormalized"]
    thresholds = attributes["nmsThreshold"], attributes["confidenceThreshold"]
    kept = suppress(graph, best, best_boxes, candidates, thresholds, pixels)
    return _collect(graph, kept, best_boxes, candidates, foreground, attributes["keepTopK"])


def _check(layer: IPluginV2Layer, most: int) -> None:
    """Refuse an unknown code type, and more detections than the `most` candidates of all classes."""
    attributes = layer.plugin.attributes
    if attributes["codeType"] not in CODE_TYPES:
        raise NetworkError(
            layer.name, f"NMS_TRT with codeType = {attributes['codeType']}", f"There are {CODE_TYPES} (CodeTypeSSD)."
        )
    if attributes["keepTopK"] > most:
        raise NetworkError(layer.name, f"keepTopK {attributes['keepTopK']} exceeds all candidates, {most}", "Lower it.")


def _shape(graph: Graph, sizes: list[int]) -> str:
    return graph.constant("shape", sizes, np.int64)


def _decode(graph: Graph, location: str, prior: str, attributes: dict, box_classes: int) -> str:
    """Return boxes [N, P, box_classes, 4] as xmin, ymin, xmax, ymax from offsets and default boxes."""
    code_type, encoded = attributes["codeType"], attributes["varianceEncodedInTarget"]
    if attributes["isBatchAgnostic"]:  # the first picture's default boxes are those of all
        bounds = [graph.constant(what, [value], np.int64) for what, value in (("from", 0), ("to", 1), ("axis", 0))]
        prior = graph.node("Slice", [prior, *bounds])
    offsets = graph.node("Reshape", [location, _shape(graph, [0, -1, box_classes, 4])])
    parts = graph.node("Split", [prior, _shape(graph, [1, 1])], outputs=2, axis=1)
    defaults, variances = (graph.node("Reshape", [part, _shape(graph, [0, -1, 1, 4])]) for part in parts)
    if code_type == TF_CENTER:  # y, x, height, width
        offsets = graph.node("Gather", [offsets, graph.constant("order", [1, 0, 3, 2], np.int64)], axis=3)
    if code_type == TF_CENTER or not encoded:
        offsets = graph.node("Mul", [offsets, variances])
    if code_type == CORNER:
        return str(graph.node("Add", [defaults, offsets]))
    halves = _shape(graph, [2, 2])
    low, high = graph.node("Split", [defaults, halves], outputs=2, axis=3)
    size = graph.node("Sub", [high, low])
    if code_type == CORNER_SIZE:
        sizes = graph.node("Concat", [size, size], axis=3)
        return str(graph.node("Add", [defaults, graph.node("Mul", [offsets, sizes])]))
    shift, growth = graph.node("Split", [offsets, halves], outputs=2, axis=3)
    half = graph.constant("half", np.float32(0.5))
    centre = graph.node("Mul", [graph.node("Add", [low, high]), half])
    centre = graph.node("Add", [centre, graph.node("Mul", [shift, size])])
    factor = _in_half(graph, graph.node("Exp", [_in_half(graph, growth)]))
    extent = _in_half(graph, graph.node("Mul", [factor, _in_half(graph, size)]))
    reach = graph.node("Mul", [extent, half])
    corners = [graph.node("Sub", [centre, reach]), graph.node("Add", [centre, reach])]
    return str(graph.node("Concat", corners, axis=3))


def _in_half(graph: Graph, value: str) -> str:
    """Round to half precision, as TensorRT 8.6's plugin does with the sizes of boxes whatever the engine's precision.

    Its kernel calls an exponential that exists for half numbers only, so that width and height of a float box become
    half ones; corners differ by up to 2.4e-4 from those of the exact sizes (docs/ssd.md).
    """
    rounded = graph.node("Cast", [value], to=TensorProto.FLOAT16)
    return str(graph.node("Cast", [rounded], to=TensorProto.FLOAT))


def suppress(
    graph: Graph, best: str, best_boxes: str, candidates: int, thresholds: tuple[float, float], pixels: bool
) -> str:
    """Return scores [N, C * K] with 0 in place of suppressed and low ones.

    Args:
        graph: the graph.
        best: scores [N, C, K] of each class's candidates, best first.
        best_boxes: their boxes [N, C * K, 4].
        candidates: K.
        thresholds: of overlap and of the score.
        pixels: whether boxes are in pixels.
    """
    boxes = best_boxes
    if pixels:  # in pixels, of which a box has one more than its coordinates differ by
        boxes = graph.node("Add", [boxes, graph.constant("pixel", [0, 0, 1, 1], np.float32)])
    boxes = graph.node("Reshape", [boxes, _shape(graph, [-1, candidates, 4])])
    scores = graph.node("Reshape", [best, _shape(graph, [-1, 1, candidates])])
    limits = [
        graph.constant("most", [candidates], np.int64),
        graph.constant("overlap", [thresholds[0]], np.float32),
        graph.constant("threshold", [thresholds[1]], np.float32),
    ]
    selected = graph.node("NonMaxSuppression", [boxes, scores, *limits])
    flat = graph.node("Reshape", [best, _shape(graph, [-1, candidates])])
    zeros = graph.node("Mul", [flat, graph.constant("zero", np.float32(0))])
    where = graph.node("Gather", [selected, graph.constant("columns", [0, 2], np.int64)], axis=1)
    kept = graph.node("ScatterND", [zeros, where, graph.node("GatherND", [flat, where])])
    batch = graph.first_sizes(best_boxes, 2)
    return str(graph.node("Reshape", [kept, batch]))


def _collect(
    graph: Graph, kept: str, best_boxes: str, candidates: int, foreground: list[int], keep_top_k: int
) -> list[str]:
    """Return the detections [N, 1, keepTopK, 7] and their number [N, 1, 1, 1]; boxes are clipped to [0, 1]."""
    scores, rows = graph.largest(kept, keep_top_k)
    last = graph.constant("last", [-1], np.int64)
    boxes = graph.node("GatherND", [best_boxes, graph.node("Unsqueeze", [rows, last])], batch_dims=1)
    bounds = [graph.constant("low", np.float32(0)), graph.constant("high", np.float32(1))]
    boxes = graph.node("Clip", [boxes, *bounds])
    labels = graph.node("Div", [rows, graph.constant("candidates", candidates, np.int64)])
    labels = graph.node("Gather", [graph.constant("labels", np.array(foreground, np.float32)), labels])
    valid = graph.node("Greater", [scores, bounds[0]])

    count = graph.node("Gather", [graph.node("Shape", [scores]), graph.constant("first", 0, np.int64)])
    images = graph.node("Range", [graph.constant("start", 0, np.int64), count, graph.constant("step", 1, np.int64)])
    images = graph.node("Cast", [graph.node("Unsqueeze", [images, last])], to=1)
    images = graph.node("Add", [images, graph.node("Mul", [scores, bounds[0]])])
    labels = graph.node("Where", [valid, labels, graph.constant("unused", np.float32(-1))])
    boxes = graph.node("Where", [graph.node("Unsqueeze", [valid, last]), boxes, bounds[0]])
    columns = [graph.node("Unsqueeze", [value, last]) for value in (images, labels, scores)]
    table = graph.node("Concat", [*columns, boxes], axis=2)
    one = graph.constant("one", [1], np.int64)
    found = graph.node("ReduceSum", [graph.node("Cast", [valid], to=6), one], keepdims=1)
    ones = graph.constant("ones", [2, 3], np.int64)
    return [graph.node("Unsqueeze", [table, one]), graph.node("Unsqueeze", [found, ones])]
