"""Object detection with Faster R-CNN: guide chapter 12, sampleFasterRCNN.

A Faster R-CNN on VGG-16 comes as a Caffe model, in which one layer, RPROIFused, stands for the authors' proposals and
RoI pooling. TensorRT's Caffe parser makes the plugin RPROI_TRT of it. The engine gives proposals, and for each of them
probabilities and offsets; boxes are made of them on the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.boxes import suppress
from trtflow.datasets.images import read_sized_image, to_faster_rcnn_input
from trtflow.datasets.voc import read_images
from trtflow.families.common.input_size import read_input_shape
from trtflow.runtime.darknet_boxes import LARGEST_EXPONENT
from trtflow.runtime.parsers import parse_caffe

__all__ = ["read_images"]

INPUT, IMAGE_INFO = "data", "im_info"
OFFSETS, PROBABILITIES, PROPOSALS = OUTPUTS = ("bbox_pred", "cls_prob", "rois")
SCORE_THRESHOLD = 0.05  # lower than the sample's 0.8, which figures.threshold is: a mean average precision ranks all
NMS_THRESHOLD = 0.3
KEEP = 100  # detections of a picture


def preprocess(paths: Sequence[Path], export: Path) -> np.ndarray:
    """§12.2: pictures of the network's size become float32 [N, 3, H, W], blue, green, red, minus the authors' means."""
    height, width = read_input_shape(export)
    return to_faster_rcnn_input([read_sized_image(path, height, width) for path in paths])


def feeds(images: np.ndarray) -> dict[str, np.ndarray]:
    """§12.5: beside pictures [N, 3, H, W] the engine takes their rows, columns and scale, float32 [N, 1, 1, 3]."""
    info = np.array([*images.shape[2:], 1], np.float32)
    return {INPUT: images, IMAGE_INFO: np.tile(info, (len(images), 1, 1, 1))}


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """§12.3: the parser takes the plugin of RPROIFused from the registry; no factory is needed any more."""
    parse_caffe(trt, network, export / "model.prototxt", export / "model.caffemodel", OUTPUTS)


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """§12.6: unscale, move, clip, and keep the best box of an object.

    Args:
        outputs: rois float32 [N, 1, R, 4], first and last pixels of the network's picture; cls_prob [N, R, C, 1, 1];
            bbox_pred [N, R, 4 C, 1, 1]; and im_info as `feeds` gave it.

    Returns:
        `detections` float32 [N, 100, 7], best first: image, label, score, xmin, ymin, xmax, ymax from 0 to 1; unused
        rows have the label -1.
    """
    count = len(outputs[PROPOSALS])
    info = outputs[IMAGE_INFO].reshape(count, 3)
    rois = outputs[PROPOSALS].reshape(count, -1, 4)
    probabilities = outputs[PROBABILITIES].reshape(*rois.shape[:2], -1)
    offsets = outputs[OFFSETS].reshape(*probabilities.shape, 4)
    detections = np.zeros((count, KEEP, 7), np.float32)
    detections[..., 0], detections[..., 1] = np.arange(count)[:, None], -1
    for index, rows in enumerate(detections):
        height, width, scale = info[index]
        sides = np.array([width, height] * 2) / scale  # of the picture before it was scaled
        boxes = decode(rois[index] / scale, offsets[index], sides)
        found = detect(boxes, probabilities[index])[:KEEP]
        rows[: len(found), 1:] = found
        rows[: len(found), 3:] /= sides
    return {"detections": detections}


def decode(rois: np.ndarray, offsets: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Return the boxes of each class, float [R, C, 4] in pixels, the inverse of what the network was trained on.

    Args:
        rois: float [R, 4], first and last pixels.
        offsets: float [R, C, 4]: how far the centre moves, in sides of the proposal, and the logarithm of how much
            these grow.
        sides: width, height, width, height of the picture; boxes end at its last pixel.
    """
    size = rois[:, None, 2:] - rois[:, None, :2] + 1
    centre = rois[:, None, :2] + size / 2 + offsets[..., :2] * size
    half = np.exp(offsets[..., 2:].clip(max=LARGEST_EXPONENT)) * size / 2
    return np.concatenate([centre - half, centre + half], -1).clip(0, sides - 1)


def detect(boxes: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return a picture's detections, label, score, box in pixels, best first, float [n, 6].

    Args:
        boxes: float [R, C, 4].
        probabilities: float [R, C], of the classes; 0 is the ground.
    """
    found = []
    for label in range(1, probabilities.shape[1]):
        likely = np.flatnonzero(probabilities[:, label] >= SCORE_THRESHOLD)
        scores = probabilities[likely, label]
        for row in likely[suppress(boxes[likely, label], scores, NMS_THRESHOLD)]:
            found.append([label, probabilities[row, label], *boxes[row, label]])
    rows = np.array(found).reshape(-1, 6)
    return rows[np.argsort(-rows[:, 1], kind="stable")]
