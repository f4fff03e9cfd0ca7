"""Faster R-CNN's plugin in ONNX's own operators."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import Graph, lowers_plugin
from trtflow.reference.record.layers import IPluginV2Layer
from trtflow.reference.record.rpn_plugins import RPROI


@lowers_plugin("RPROI_TRT")
def rproi(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Decode anchors, keep the best, suppress overlaps, and pool the map below each box that is left."""
    assert isinstance(layer.plugin, RPROI)
    scores, offsets, features, image = inputs
    attributes = layer.plugin.attributes
    height, width = layer.inputs[2].shape[-2:]
    boxes = _decode(graph, layer.plugin, offsets, image, (height, width))
    foreground = _foreground(graph, layer.plugin, scores, boxes, image)
    total = len(layer.plugin.anchors()) * height * width
    _check(layer.name, attributes, total)
    rois = _suppress(graph, foreground, boxes, attributes["preNmsTop"], attributes)
    return [graph.node("Unsqueeze", [rois, graph.ints("axis", [1])]), _pool(graph, rois, features, layer)]


def _check(name: str, attributes: dict, total: int) -> None:
    """Refuse numbers of candidates that TensorRT would read beyond the last anchor for, without a word."""
    if attributes["preNmsTop"] > total:
        raise NetworkError(name, f"preNmsTop {attributes['preNmsTop']} exceeds all anchors, {total}", "Lower it.")
    if attributes["nmsMaxOut"] > attributes["preNmsTop"]:
        fault = f"nmsMaxOut {attributes['nmsMaxOut']} exceeds preNmsTop, {attributes['preNmsTop']}"
        raise NetworkError(name, fault, "Lower it.")


def _decode(graph: Graph, plugin: RPROI, offsets: str, image: str, cells: tuple[int, int]) -> str:
    """Return boxes [N, A * H * W, 4] in pixels, clipped to the picture."""
    anchors = plugin.anchors()
    split = graph.node("Reshape", [offsets, graph.ints("shape", [0, len(anchors), 4, *cells])])
    flat = graph.node("Transpose", [split], perm=[0, 1, 3, 4, 2])
    flat = graph.node("Reshape", [flat, graph.ints("shape", [0, -1, 4])])
    shift, growth = graph.node("Split", [flat, graph.ints("halves", [2, 2])], outputs=2, axis=2)
    y, x = np.meshgrid(*(np.arange(count) for count in cells), indexing="ij")
    places = np.stack([x, y], -1) * plugin.attributes["featureStride"]  # [H, W, 2]
    centres = (anchors[:, None, None, :2] + places).reshape(1, -1, 2)
    sizes = np.broadcast_to(anchors[:, None, None, 2:], (len(anchors), *cells, 2)).reshape(1, -1, 2)
    size = graph.constant("sizes", sizes, np.float32)
    centre = graph.node("Add", [graph.constant("centres", centres, np.float32), graph.node("Mul", [shift, size])])
    half = graph.node("Mul", [graph.node("Exp", [growth]), graph.constant("half", sizes / 2, np.float32)])
    corners = graph.node("Concat", [graph.node("Sub", [centre, half]), graph.node("Add", [centre, half])], axis=2)
    last = graph.node("Sub", [_of_image(graph, image, [1, 0, 1, 0]), graph.constant("one", np.float32(1))])
    positive = graph.node("Max", [corners, graph.constant("zero", np.float32(0))])
    return str(graph.node("Min", [positive, last]))


def _of_image(graph: Graph, image: str, places: list[int]) -> str:
    """Return values of im_info, by their places, as [N, 1, places]."""
    rows = graph.node("Reshape", [image, graph.ints("shape", [0, 1, 3])])
    return str(graph.node("Gather", [rows, graph.ints("places", places)], axis=2))


def _foreground(graph: Graph, plugin: RPROI, scores: str, boxes: str, image: str) -> str:
    """Return the scores [N, A * H * W] of objects, the least number for boxes that are too small."""
    count = len(plugin.anchors())
    bounds = [graph.ints(what, [value]) for what, value in (("from", count), ("to", 2 * count), ("axis", 1))]
    found = graph.node("Flatten", [graph.node("Slice", [scores, *bounds])])
    low, high = graph.node("Split", [boxes, graph.ints("halves", [2, 2])], outputs=2, axis=2)
    sides = graph.node("Add", [graph.node("Sub", [high, low]), graph.constant("one", np.float32(1))])
    least = graph.constant("least", np.float32(plugin.attributes["minBoxSize"]))
    least = graph.node("Mul", [_of_image(graph, image, [2]), least])
    shorter = graph.node("ReduceMin", [sides], axes=[2], keepdims=1)
    small = graph.node("Squeeze", [graph.node("Less", [shorter, least]), graph.ints("axis", [2])])
    return str(graph.node("Where", [small, graph.constant("none", np.finfo(np.float32).min), found]))


def _suppress(graph: Graph, scores: str, boxes: str, candidates: int, attributes: dict) -> str:
    """Return the rois [N, nmsMaxOut, 4]. Small boxes come last, but do come where too few others are left."""
    _, indices = graph.largest(scores, candidates)
    last = graph.ints("last", [-1])
    best = graph.node("GatherND", [boxes, graph.node("Unsqueeze", [indices, last])], batch_dims=1)
    ranks = graph.constant("ranks", np.arange(candidates, 0, -1)[None, None], np.float32)
    ranks = graph.node(
        "Expand", [ranks, graph.node("Concat", [_batch(graph, best), graph.ints("ones", [1, 1])], axis=0)]
    )
    # A box has a pixel more than its coordinates differ by.
    wider = graph.node("Add", [best, graph.constant("pixel", [0, 0, 1, 1], np.float32)])
    limits = [
        graph.ints("most", [attributes["nmsMaxOut"]]),
        graph.constant("overlap", [attributes["iouThreshold"]], np.float32),
    ]
    selected = graph.node("NonMaxSuppression", [wider, ranks, *limits])
    flat = graph.node("Squeeze", [ranks, graph.ints("axis", [1])])
    where = graph.node("Gather", [selected, graph.ints("columns", [0, 2])], axis=1)
    zeros = graph.node("Mul", [flat, graph.constant("zero", np.float32(0))])
    kept = graph.node("ScatterND", [zeros, where, graph.node("GatherND", [flat, where])])
    values, rows = graph.largest(kept, attributes["nmsMaxOut"])
    rois = graph.node("GatherND", [best, graph.node("Unsqueeze", [rows, last])], batch_dims=1)
    used = graph.node("Greater", [graph.node("Unsqueeze", [values, last]), graph.constant("zero", np.float32(0))])
    return str(graph.node("Where", [used, rois, graph.constant("zero", np.float32(0))]))


def _batch(graph: Graph, value: str) -> str:
    return graph.first_sizes(value, 1)


def _pool(graph: Graph, rois: str, features: str, layer: IPluginV2Layer) -> str:
    """Return the largest values below each roi, [N, nmsMaxOut, C, poolingH, poolingW].

    That of a range of rows and columns is the largest of four windows, overlapping and with powers of two as sides,
    that cover it.
    """
    attributes = layer.plugin.attributes
    channels, *sides = layer.inputs[2].shape[-3:]
    size = [attributes["poolingH"], attributes["poolingW"]]
    scaled = graph.node("Mul", [rois, graph.constant("scale", np.float32(attributes["spatialScale"]))])
    scaled = graph.node("Floor", [graph.node("Add", [scaled, graph.constant("half", np.float32(0.5))])])
    left, top, right, bottom = graph.node("Split", [scaled, graph.ints("corners", [1] * 4)], outputs=4, axis=2)
    levels = max(int(np.log2(-(-(side + 1) // cells) + 1)) + 1 for side, cells in zip(sides, size, strict=True))
    down = _cells(graph, top, bottom, sides[0], size[0], levels, graph.ints("columns", [3]))
    across = _cells(graph, left, right, sides[1], size[1], levels, graph.ints("rows", [2]))

    windows = [_windows(graph, features, 1 << tall, 1 << wide) for tall in range(levels) for wide in range(levels)]
    table = graph.node("Transpose", [graph.node("Concat", windows, axis=0)], perm=[0, 1, 3, 4, 2])
    table = graph.node("Reshape", [table, graph.ints("rows", [-1, channels])])
    count = graph.node("Squeeze", [_batch(graph, rois), graph.ints("axis", [0])])
    window = _index(graph, down.level, levels, across.level)
    picture = _index(graph, window, count, _numbers(graph, count))
    found = []
    for row in (down.first, down.last):
        for column in (across.first, across.last):
            place = _index(graph, _index(graph, picture, sides[0], row), sides[1], column)
            found.append(graph.node("Gather", [table, place], axis=0))
    empty = graph.node("Unsqueeze", [graph.node("Or", [down.empty, across.empty]), graph.ints("channels", [4])])
    largest = graph.node("Where", [empty, graph.constant("zero", np.float32(0)), graph.node("Max", found)])
    return str(graph.node("Transpose", [largest], perm=[0, 1, 4, 2, 3]))


class _Cells(NamedTuple):
    """Where cells along one axis lie, int64 but for `empty`, [N, R, cells, 1] or [N, R, 1, cells]."""

    first: str  # window that begins the cell
    last: str  # window that ends it
    level: str  # of both, their side as an exponent of two
    empty: str


def _cells(graph: Graph, first: str, last: str, end: int, cells: int, levels: int, axis: str) -> _Cells:
    """Return how rois [N, R, 1], first and last cells of the map, are cut along an axis.

    TensorRT's kernel multiplies by the float32 reciprocal of the number of cells, so that the last may begin the next
    row or column of the map: three over seven, times seven, comes out above three.
    """
    one, zero, limit = (
        graph.constant(name, np.float32(value)) for name, value in (("one", 1), ("zero", 0), ("end", end))
    )
    length = graph.node("Max", [_sum(graph, [graph.node("Sub", [last, first]), one]), one])
    step = graph.node("Mul", [length, graph.constant("step", np.float32(1) / np.float32(cells))])
    bounds = []
    for rounding, numbers in (("Floor", np.arange(cells)), ("Ceil", np.arange(1, cells + 1))):
        offset = graph.node(rounding, [graph.node("Mul", [step, graph.constant("numbers", numbers, np.float32)])])
        bounds.append(graph.node("Min", [graph.node("Max", [_sum(graph, [first, offset]), zero]), limit]))
    begin, stop = (graph.node("Unsqueeze", [bound, axis]) for bound in bounds)
    span = graph.node("Sub", [stop, begin])
    powers = [graph.constant("power", np.float32(1 << level)) for level in range(1, levels)]
    reached = [graph.node("Cast", [graph.node("GreaterOrEqual", [span, power])], to=1) for power in powers]
    level = _sum(graph, [graph.node("Mul", [span, zero]), *reached])
    side = graph.node("Pow", [graph.constant("two", np.float32(2)), level])
    empty = graph.node("LessOrEqual", [span, zero])
    begin, stop = (graph.node("Where", [empty, value, place]) for value, place in ((zero, begin), (one, stop)))
    begin, end_window, level = (
        str(graph.node("Cast", [value], to=7)) for value in (begin, graph.node("Sub", [stop, side]), level)
    )
    return _Cells(begin, end_window, level, empty)


def _windows(graph: Graph, features: str, tall: int, wide: int) -> str:
    """Return the largest value of the window that begins at each cell of the map, [1, N, C, H, W]."""
    pooled = graph.node("MaxPool", [features], kernel_shape=[tall, wide], pads=[0, 0, tall - 1, wide - 1])
    return str(graph.node("Unsqueeze", [pooled, graph.ints("front", [0])]))


def _sum(graph: Graph, values: list[str]) -> str:
    return reduce(lambda total, value: str(graph.node("Add", [total, value])), values)


def _index(graph: Graph, first: str, count: int | str, second: str) -> str:
    """Return the index, int64, of an item in a table of rows of `count` items each."""
    length = count if isinstance(count, str) else graph.constant("count", count, np.int64)
    return _sum(graph, [graph.node("Mul", [first, length]), second])


def _numbers(graph: Graph, count: str) -> str:
    """Return the number of each picture, int64 [N, 1, 1, 1]."""
    numbers = graph.node("Range", [graph.constant("start", 0, np.int64), count, graph.constant("step", 1, np.int64)])
    return str(graph.node("Unsqueeze", [numbers, graph.ints("axes", [1, 2, 3])]))
