"""YOLO: a box a cell and anchor of maps, as raw numbers, or decoded in the model.

yolov3: Redmon and Farhadi, arXiv:1804.02767. yolov5 (and YOLOv7, which keeps its form): sides and centres of
github.com/ultralytics/yolov5, models/yolo.py, Detect: the sigmoid of all values, a centre from -0.5 to 1.5 cells, a
side up to four anchors. yolov8 (YOLO11 and later too): github.com/ultralytics/ultralytics, nn/modules/head.py, Detect:
no anchors and no objectness, distances to the four sides, each a distribution over bins (arXiv:2006.04388) where raw.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtflow.decoders.candidates import Candidates, candidates_of, to_corners, to_scores, to_unit
from trtflow.decoders.settings import Decoding
from trtflow.formats import UserError
from trtflow.runtime.darknet_boxes import DECODERS, Boxes, Head, softmax
from trtflow.runtime.outputs import sigmoid

Anchors = tuple[tuple[float, float], ...]
YOLOV3: Anchors = ((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326))
TINY: Anchors = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
ANCHORS = {"yolov3": {3: YOLOV3, 2: TINY}, "yolov5": {3: YOLOV3}}  # by the number of maps; YOLOv5 kept YOLOv3's
PLAIN = 5  # values of a box before its classes: centre, sides, objectness


def decode_yolov3(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """Read raw maps, [N, anchors x (5 + classes), h, w] or [N, anchors, h, w, 5 + classes], or a table as YOLOv5's."""
    return _decode(outputs, settings, lambda values, anchors: (values, Head("yolo", anchors, settings.classes)))


def decode_yolov5(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """Read a table [N, P, 5 + classes] of centre, sides, objectness and classes, or raw maps as of YOLOv3.

    Of an export that has the table and the maps too, as YOLOv5's own, the table is read.
    """

    def bent(values: np.ndarray, anchors: Anchors) -> tuple[np.ndarray, Head]:
        return sigmoid(values), Head("yolo", anchors, settings.classes, scale_x_y=2.0, new_coords=True)

    return _decode(outputs, settings, bent)


def _decode(outputs: Sequence[np.ndarray], settings: Decoding, meaning_of: object) -> list[Candidates]:
    tables = [output for output in outputs if output.ndim == 3]
    if tables:
        return _decode_table(tables, settings)
    maps = sorted((_split(output, settings) for output in outputs), key=lambda values: -values.shape[1])
    found = []
    for values, anchors in zip(maps, _anchors(maps, settings), strict=True):
        raw, head = meaning_of(values, anchors)  # type: ignore[operator]
        with np.errstate(over="ignore"):
            found.append(DECODERS[head.kind](head, raw, settings.sides))
    return _of_pictures(found, settings)


def _decode_table(tables: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    width = PLAIN + settings.classes
    if len(tables) != 1 or tables[0].shape[2] != width:
        shapes = ", ".join(str(table.shape) for table in tables)
        raise UserError(
            f"decoding: {settings.name} takes one table [N, boxes, {width}], for {settings.classes} classes, but the "
            f"outputs have the shapes {shapes}. Name all classes of the model, and one output as outputs."
        )
    values = tables[0].astype(np.float32)
    boxes = to_unit(to_corners(values[..., :4], settings.boxes or "centre"), settings.units or "pixels", settings)
    scores = values[..., 4:5] * values[..., 5:]
    return [candidates_of(*pair, settings) for pair in zip(boxes, scores, strict=True)]


def _split(output: np.ndarray, settings: Decoding) -> np.ndarray:
    """Return a raw map as [N, h, w, anchors, 5 + classes].

    Raises:
        UserError: it has another number of channels.
    """
    width = PLAIN + settings.classes
    if output.ndim == 5 and output.shape[4] == width:
        return output.transpose(0, 2, 3, 1, 4).astype(np.float32)
    if output.ndim == 4 and output.shape[1] % width == 0:
        count, channels, rows, columns = output.shape
        split = output.reshape(count, channels // width, width, rows, columns)
        return split.transpose(0, 3, 4, 1, 2).astype(np.float32)
    raise UserError(
        f"decoding: an output of shape {output.shape} is no map of {settings.name} with {settings.classes} classes, "
        f"[N, anchors x {width}, h, w] or [N, anchors, h, w, {width}]. Name all classes of the model, and the maps as "
        "outputs."
    )


def _anchors(maps: Sequence[np.ndarray], settings: Decoding) -> list[Anchors]:
    """Return the anchors of each map, the finest first.

    Raises:
        UserError: there are none that are usual for so many maps, or not as many as the maps have.
    """
    anchors = settings.anchors or ANCHORS[settings.name].get(len(maps), ())
    counts = [values.shape[3] for values in maps]
    if sum(counts) != len(anchors):
        raise UserError(
            f"decoding.anchors: {len(anchors)} anchors, but the model's {len(maps)} maps have {sum(counts)}. Give "
            "width and height of each in pixels, those of the finest map first."
        )
    ends = np.cumsum(counts)
    return [tuple(anchors[end - count : end]) for end, count in zip(ends, counts, strict=True)]


def _of_pictures(found: Sequence[Boxes], settings: Decoding) -> list[Candidates]:
    boxes = to_unit(to_corners(np.concatenate([_flat(part.boxes) for part in found], 1), "centre"), "unit", settings)
    scores = np.concatenate([_flat(part.scores) for part in found], 1)
    return [candidates_of(*pair, settings) for pair in zip(boxes, scores, strict=True)]


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1, values.shape[-1])


def decode_yolov8(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """Read a table [N, 4 + classes, P] (or [N, P, 4 + classes]), or raw maps [N, 4 x bins + classes, h, w]."""
    width = 4 + settings.classes
    tables = [output for output in outputs if output.ndim == 3]
    if not tables:
        return _decode_distances(outputs, settings)
    table = tables[0].astype(np.float32)
    if len(tables) != 1 or width not in table.shape[1:]:
        shapes = ", ".join(str(each.shape) for each in tables)
        raise UserError(
            f"decoding: yolov8 takes one table [N, {width}, boxes], for {settings.classes} classes, but the outputs "
            f"have the shapes {shapes}. Name all classes of the model, and one output as outputs."
        )
    if table.shape[1] == width:  # its own form; the other is that of exports that turn it
        table = table.transpose(0, 2, 1)
    boxes = to_unit(to_corners(table[..., :4], settings.boxes or "centre"), settings.units or "pixels", settings)
    scores = to_scores(table[..., 4:], settings, settings.scores or "probabilities", "none")
    return [candidates_of(*pair, settings) for pair in zip(boxes, scores, strict=True)]


def _decode_distances(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """Read raw maps: a distance is the mean of a distribution over bins, in cells from the cell's middle."""
    boxes, scores = [], []
    for output in outputs:
        bins, odd = divmod(output.shape[1] - settings.classes, 4) if output.ndim == 4 else (0, 1)
        if odd or bins < 1:
            raise UserError(
                f"decoding: an output of shape {output.shape} is no map of yolov8 with {settings.classes} classes, "
                "[N, 4 x bins + classes, h, w]. Name all classes of the model, and the maps as outputs."
            )
        count, _, rows, columns = output.shape
        values = output.astype(np.float32).transpose(0, 2, 3, 1).reshape(count, rows * columns, -1)
        spread = softmax(values[..., : 4 * bins].reshape(count, -1, 4, bins))
        distances = spread @ np.arange(bins, dtype=np.float32)
        y, x = np.meshgrid(np.arange(rows) + 0.5, np.arange(columns) + 0.5, indexing="ij")
        middle = np.stack([x, y], -1).reshape(1, -1, 2).astype(np.float32)
        corners = np.concatenate([middle - distances[..., :2], middle + distances[..., 2:]], -1)
        boxes.append(corners / np.array([columns, rows] * 2, np.float32))
        scores.append(sigmoid(values[..., 4 * bins :]))
    pairs = zip(np.concatenate(boxes, 1), np.concatenate(scores, 1), strict=True)
    return [candidates_of(*pair, settings) for pair in pairs]
