"""From YOLOv3's raw outputs to detections in PyTorch alone: what engines and the code behind them are compared with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trtflow.families.common.boxes import keep_without_rivals
from trtflow.families.yolov3.network import Darknet
from trtflow.runtime.darknet_boxes import LARGEST_EXPONENT

SCORE_THRESHOLD = 0.01  # least score, objectness times class
NMS_THRESHOLD = 0.5  # overlap above which the weaker of two boxes of a class goes
KEEP_TOP_K = 100  # detections of an image


class Slots(NamedTuple):
    """All places at which boxes are predicted: yolo layer by layer, anchor by anchor, cell by cell.

    Attributes:
        cells: column and row of the cell, float32 [P, 2].
        strides: pixels of a cell's side, float32 [P, 1].
        anchors: width and height that boxes start from, in pixels, float32 [P, 2].
    """

    cells: Tensor
    strides: Tensor
    anchors: Tensor


def slots_of(model: Darknet) -> Slots:
    """Return the places of a model, whose input is a square."""
    size, cells, strides, anchors = int(model.sections[0].options["width"]), [], [], []
    for layer in model.yolo_layers:
        side = layer.shape[2]
        y, x = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
        for anchor in layer.anchors:
            cells.append(torch.stack([x, y], -1).reshape(-1, 2))
            strides.append(torch.full((side * side, 1), size / side))
            anchors.append(torch.tensor(anchor, dtype=torch.float32).expand(side * side, 2))
    return Slots(torch.cat(cells), torch.cat(strides), torch.cat(anchors))


def flatten(model: Darknet, outputs: list[Tensor]) -> Tensor:
    """Return raw outputs place by place, float32 [N, P, 5 + classes]: x, y, w, h, objectness, classes."""
    rows = []
    for layer, output in zip(model.yolo_layers, outputs, strict=True):
        split = output.reshape(len(output), len(layer.anchors), 5 + layer.options["classes"], -1)
        rows.append(split.transpose(2, 3).reshape(len(output), -1, split.shape[2]))
    return torch.cat(rows, 1)


def decode(raw: Tensor, slots: Slots) -> Tensor:
    """Return boxes in pixels of the input, xmin, ymin, xmax, ymax, [..., P, 4], of raw ones [..., P, 4] (paper §2)."""
    centre = (raw[..., :2].sigmoid() + slots.cells) * slots.strides
    half = raw[..., 2:4].clamp(max=LARGEST_EXPONENT).exp() * slots.anchors / 2
    return torch.cat([centre - half, centre + half], -1)


@torch.inference_mode()
def detect(model: Darknet, images: Tensor) -> Tensor:
    """Return the detections of a batch, best first.

    Args:
        model: the network, in evaluation mode.
        images: float32 [N, 3, H, W], as `Darknet.forward` takes them.

    Returns:
        The guide's tuples of 7 (§16.5), float32 [N, 100, 7]: image, label, score, xmin, ymin, xmax, ymax from 0 to 1;
        labels begin with 1, and unused rows have -1.
    """
    raw, slots, size = flatten(model, model(images)), slots_of(model), images.shape[-1]
    boxes, objects = decode(raw, slots), raw[..., 4:5].sigmoid()
    scores, labels = (objects * raw[..., 5:].sigmoid()).max(-1)
    detections = torch.zeros(len(images), KEEP_TOP_K, 7)
    detections[:, :, 0] = torch.arange(len(images))[:, None]
    detections[:, :, 1] = -1
    for index in range(len(images)):
        kept = _suppress(boxes[index], scores[index], labels[index])
        found = [labels[index, kept, None] + 1, scores[index, kept, None], (boxes[index, kept] / size).clamp(0, 1)]
        detections[index, : len(kept), 1:] = torch.cat(found, 1)
    return detections


def _suppress(boxes: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    """Return the indices of the boxes to keep, best first; only boxes of one class suppress each other."""
    order = scores.argsort(descending=True, stable=True)
    order = order[scores[order] >= SCORE_THRESHOLD]
    boxes, labels = boxes[order], labels[order]
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)

    def rivals(some: np.ndarray, others: np.ndarray) -> Tensor:
        low = torch.maximum(boxes[some, None, :2], boxes[others, :2])
        high = torch.minimum(boxes[some, None, 2:], boxes[others, 2:])
        shared = (high - low + 1).clamp(min=0).prod(2)  # the sample counts the last pixel in, here alone
        overlaps = shared / (areas[some, None] + areas[others] - shared) > NMS_THRESHOLD
        return overlaps & (labels[some, None] == labels[others])

    return order[keep_without_rivals(len(order), rivals, KEEP_TOP_K)]
