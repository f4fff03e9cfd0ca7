"""Object detection with the ONNX TensorRT backend in Python: guide chapter 23, yolov3_onnx.

Darknet's cfg and weights were converted to ONNX (scripts/convert_darknet.py). The engine gives three raw maps; what
they mean is decoded on the host, class by class the weaker of two boxes that overlap is dropped, and boxes are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.boxes import suppress_by_class
from trtflow.datasets.images import read_image, to_unit_input
from trtflow.datasets.voc import read_images
from trtflow.formats.darknet import input_shape, read_cfg
from trtflow.runtime.darknet_boxes import LARGEST_EXPONENT
from trtflow.runtime.outputs import sigmoid
from trtflow.runtime.parsers import parse_onnx

__all__ = ["read_images"]

INPUT = "000_net"
OUTPUTS = ("082_convolutional", "094_convolutional", "106_convolutional")  # strides of 32, 16 and 8 pixels
EXPLICIT_BATCH = True
ANCHORS = np.array(
    [(10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326)], np.float32
)
MASKS = ((6, 7, 8), (3, 4, 5), (0, 1, 2))  # which of them each output has
LARGEST_STRIDE = 32  # pixels of the input a cell of the first output
SCORE_THRESHOLD = 0.01  # lower than the sample's 0.6, which figures.threshold is: a mean average precision ranks all
NMS_THRESHOLD = 0.5
KEEP = 100  # detections of an image


def preprocess(paths: Sequence[Path], export: Path) -> np.ndarray:
    """Pictures of any size, squeezed bicubically into a square of the cfg's width, over 255: float32 [N, 3, S, S]."""
    cfg = export / "yolov3.cfg"
    _, _, size = input_shape(read_cfg(cfg), cfg)
    return to_unit_input([read_image(path) for path in paths], size)


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """The parser adds the layers and marks the three outputs."""
    parse_onnx(trt, network, export / "model.onnx")


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Decode the maps, and keep the best box of an object.

    Args:
        outputs: float32 [N, 3 x (5 + classes), h, w] for each of `OUTPUTS`.

    Returns:
        `detections` float32 [N, 100, 7], best first: image, label (from 1), score, xmin, ymin, xmax, ymax from 0 to 1;
        unused rows have the label -1.
    """
    maps = [outputs[name] for name in OUTPUTS]
    sides = np.array(maps[0].shape[:1:-1], np.float32) * LARGEST_STRIDE  # width and height of the input
    detections = np.zeros((len(maps[0]), KEEP, 7), np.float32)
    detections[..., 0], detections[..., 1] = np.arange(len(detections))[:, None], -1
    for index, rows in enumerate(detections):
        boxes, labels, scores = decode([output[index] for output in maps], sides)
        kept = suppress(boxes, labels, scores)[:KEEP]
        corners = np.concatenate([boxes[kept, :2], boxes[kept, :2] + boxes[kept, 2:]], 1) / np.tile(sides, 2)
        rows[: len(kept), 1], rows[: len(kept), 2] = labels[kept] + 1, scores[kept]
        rows[: len(kept), 3:] = corners.clip(0, 1)
    return {"detections": detections}


def decode(maps: Sequence[np.ndarray], sides: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the boxes of an image whose score reaches the threshold.

    Args:
        maps: float32 [3 x (5 + classes), h, w] each: for each anchor x, y, w, h, objectness and classes.
        sides: width and height of the input in pixels.

    Returns:
        boxes float32 [n, 4], left, top, width, height in pixels of the input; labels int64 [n] from 0; scores float32
        [n], objectness times the best class.
    """
    found = []
    for output, mask in zip(maps, MASKS, strict=True):
        _, height, width = output.shape
        values = output.reshape(len(mask), -1, height, width).transpose(2, 3, 0, 1)  # rows, columns, anchors
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        cells = np.stack([x, y], -1)[:, :, None]
        centres = (sigmoid(values[..., :2]) + cells) * (sides / np.array([width, height], np.float32))
        sizes = np.exp(values[..., 2:4].clip(max=LARGEST_EXPONENT)) * ANCHORS[list(mask)]
        probabilities = sigmoid(values[..., 4:5]) * sigmoid(values[..., 5:])
        boxes = np.concatenate([centres - sizes / 2, sizes], -1)
        best = probabilities.max(-1)
        chosen = best >= SCORE_THRESHOLD
        found.append((boxes[chosen], probabilities.argmax(-1)[chosen], best[chosen]))
    boxes, labels, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return boxes, labels, scores


def suppress(boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return which boxes remain, best first: of two of a class that overlap by more than half the better one.

    As in the sample the intersection counts the last pixel in, so it is one pixel wider than the coordinates say.
    """
    return suppress_by_class(boxes, scores, labels, NMS_THRESHOLD, overlaps)


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of a box with others, left, top, width and height in pixels."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = (high - low + 1).clip(0).prod(1)
    return shared / (box[2:].prod() + others[:, 2:].prod(1) - shared)
