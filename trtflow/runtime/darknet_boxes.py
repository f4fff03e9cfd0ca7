"""What Darknet's detectors predict, read on the host: from the maps that an engine gives to boxes and scores.

yolo: Redmon and Farhadi, YOLOv3 (arXiv:1804.02767); `scale_x_y` and `new_coords` are YOLOv4's (Bochkovskiy et al.,
arXiv:2004.10934, and github.com/AlexeyAB/darknet, src/yolo_layer.c). region: YOLO9000 (arXiv:1612.08242).
Gaussian_yolo: Choi et al. (arXiv:1904.04620), with src/gaussian_yolo_layer.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from trtflow.formats import UserError
from trtflow.runtime.outputs import sigmoid

LARGEST_EXPONENT = 16.0  # of a side: e to the 16th times its anchor is beyond any picture, and its area is finite
LARGEST_RAW = 1e3  # of a side that is squared, which the network gives between 0 and 1
PLAIN, GAUSSIAN = 5, 9  # values of a box before its classes


@dataclass(frozen=True)
class Head:
    """How the map is read that a layer of a `.cfg` predicts with.

    Attributes:
        kind: yolo, region or Gaussian_yolo.
        anchors: width and height of the boxes that sides start from, in pixels of the network's input for yolo and
            Gaussian_yolo, in cells of the map for region.
        classes: number of classes.
        scale_x_y: how far a centre may lie outside its cell; 1 is not at all.
        new_coords: whether the network itself has bent all values into 0 to 1, and sides are squared.
        softmax: whether the classes of region exclude each other.
        yolo_point: the point of a box that Gaussian_yolo places: center, left_top or right_bottom.
    """

    kind: str
    anchors: tuple[tuple[float, float], ...]
    classes: int
    scale_x_y: float = 1.0
    new_coords: bool = False
    softmax: bool = False
    yolo_point: str = "center"


class Boxes(NamedTuple):
    """The boxes of a batch, row by row of the map, column by column, anchor by anchor.

    Attributes:
        boxes: float32 [N, P, 4], centre x, centre y, width, height, where 1 is a side of the picture.
        objectness: float32 [N, P].
        scores: float32 [N, P, classes], objectness times class; with Gaussian_yolo times its certainty too.
    """

    boxes: np.ndarray
    objectness: np.ndarray
    scores: np.ndarray


def head_of(layer: Any) -> Head:
    """Return how to read what a layer reads (`trtflow.formats.darknet.Layer`).

    Raises:
        UserError: the layer predicts in a way that is not decoded: it is no such layer, or its classes form a tree.
    """
    options = layer.options
    if layer.kind not in DECODERS:
        raise UserError(f"{layer.name}: boxes of [{layer.kind}] are not decoded. Known are {', '.join(DECODERS)}.")
    if options.get("tree"):
        raise UserError(
            f"{layer.name}: its classes form a tree, {options['tree']}, which is not decoded. "
            "The map itself is right; multiply each class by those above it."
        )
    names = ("scale_x_y", "new_coords", "softmax", "yolo_point")
    given: dict[str, Any] = {name: options[name] for name in names if name in options}
    return Head(layer.kind, tuple(layer.anchors), options["classes"], **given)


def decode(head: Head, raw: np.ndarray, width: int, height: int) -> Boxes:
    """Return what a map says.

    Args:
        head: how to read it.
        raw: float32 [N, anchors x (5 + classes), h, w] (9 + classes for Gaussian_yolo), as the engine gives it.
        width, height: of the network's input in pixels.

    Raises:
        UserError: the map has other channels, or values that are no numbers.
    """
    count, channels, rows, columns = raw.shape
    values = (GAUSSIAN if head.kind == "Gaussian_yolo" else PLAIN) + head.classes
    if channels != len(head.anchors) * values:
        raise UserError(f"a map of {channels} channels for {len(head.anchors)} x {values}. Take the .cfg it came from.")
    if nans := int(np.isnan(raw).sum()):
        raise UserError(f"{nans} of {raw.size} values of a map are no numbers. Look at the weights and the precision.")
    split = raw.reshape(count, len(head.anchors), values, rows, columns).transpose(0, 3, 4, 1, 2)
    decoded = DECODERS[head.kind](head, split.astype(np.float32), np.array([width, height], np.float32))
    flat = [part.reshape(count, -1, *part.shape[4:]) for part in decoded]
    return Boxes(*flat)


def _cells(raw: np.ndarray) -> np.ndarray:
    """Return column and row of each place, float32 [h, w, 1, 2], for values [N, h, w, anchors, ...]."""
    y, x = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in raw.shape[1:3]), indexing="ij")
    return np.stack([x, y], -1)[:, :, None]


def _grid(raw: np.ndarray) -> np.ndarray:
    return np.array(raw.shape[2:0:-1], np.float32)  # columns and rows


def _centres(head: Head, raw: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return centres from where they lie in their cells, 0 to 1."""
    stretched = inside * head.scale_x_y - (head.scale_x_y - 1) / 2
    return (_cells(raw) + stretched) / _grid(raw)


def _sides(head: Head, raw: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return exponential sides in parts of a picture whose sides `whole` are in the anchors' unit."""
    return np.exp(np.minimum(raw, LARGEST_EXPONENT)) * np.array(head.anchors, np.float32) / whole


def _yolo(head: Head, raw: np.ndarray, whole: np.ndarray) -> Boxes:
    if head.new_coords:
        raw = raw.clip(-LARGEST_RAW, LARGEST_RAW)
        sides = (2 * raw[..., 2:4]) ** 2 * np.array(head.anchors, np.float32) / whole
        inside, objectness, classes = raw[..., :2], raw[..., 4], raw[..., 5:]
    else:
        sides = _sides(head, raw[..., 2:4], whole)
        inside, objectness, classes = sigmoid(raw[..., :2]), sigmoid(raw[..., 4]), sigmoid(raw[..., 5:])
    boxes = np.concatenate([_centres(head, raw, inside), sides], -1)
    return Boxes(boxes, objectness, objectness[..., None] * classes)


def _region(head: Head, raw: np.ndarray, whole: np.ndarray) -> Boxes:
    boxes = np.concatenate([_centres(head, raw, sigmoid(raw[..., :2])), _sides(head, raw[..., 2:4], _grid(raw))], -1)
    objectness = sigmoid(raw[..., 4])
    classes = softmax(raw[..., 5:]) if head.softmax else sigmoid(raw[..., 5:])
    return Boxes(boxes, objectness, objectness[..., None] * classes)


def _gaussian_yolo(head: Head, raw: np.ndarray, whole: np.ndarray) -> Boxes:
    """A box has the mean and the uncertainty of x, of y, of its width and of its height in turn."""
    centres, sides = _centres(head, raw, sigmoid(raw[..., 0:4:2])), _sides(head, raw[..., 4:8:2], whole)
    shift = {"center": 0.0, "left_top": 0.5, "right_bottom": -0.5}[head.yolo_point]
    certainty = 1 - sigmoid(raw[..., 1:8:2]).mean(-1)
    objectness = sigmoid(raw[..., 8])
    scores = (objectness * certainty)[..., None] * sigmoid(raw[..., 9:])
    return Boxes(np.concatenate([centres + shift * sides, sides], -1), objectness, scores)


DECODERS = {"yolo": _yolo, "region": _region, "Gaussian_yolo": _gaussian_yolo}


def softmax(values: np.ndarray) -> np.ndarray:
    """Return the shares of the last dimension, without overflow."""
    finite = values.clip(np.finfo(np.float32).min / 2, np.finfo(np.float32).max / 2)
    shifted = np.exp(finite - finite.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)
