"""From pictures to proposals to detections in PyTorch alone: what engines are compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from trtflow.families.common.boxes import decode, keep_best
from trtflow.families.faster_rcnn.network import FasterRCNN
from trtflow.formats.caffe.faster_rcnn import IOU_THRESHOLD, MIN_BOX_SIZE, NMS_MAX_OUT, PRE_NMS_TOP

CONFIDENCE = 0.05  # least score of a detection
NMS_THRESHOLD = 0.3  # overlap above which the weaker of two detections of a class goes
KEEP_TOP_K = 100  # detections of a picture


def with_last_pixel(boxes: Tensor) -> Tensor:
    """Return boxes [..., 4] of first and last pixels as corners: the last pixel is in the box."""
    return boxes + boxes.new_tensor([0, 0, 1, 1])


def clip(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return boxes [..., 4] with coordinates from 0 to the number of the last pixel."""
    return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]) - 1)


def best_proposals(boxes: Tensor, scores: Tensor, considered: int = PRE_NMS_TOP, most: int = NMS_MAX_OUT) -> Tensor:
    """Return a picture's proposals, best first, float32 [most, 4]; noughts where there are fewer.

    Args:
        boxes: float32 [P, 4], clipped, first and last pixels.
        scores: float32 [P], that there is an object. Boxes with a side of less than 16 pixels come last.
        considered: how many of the best enter suppression.
        most: how many remain at most.
    """
    small = (with_last_pixel(boxes)[:, 2:] - boxes[:, :2]).amin(1) < MIN_BOX_SIZE
    order = scores.masked_fill(small, -1).argsort(descending=True, stable=True)[:considered]
    kept = order[keep_best(with_last_pixel(boxes[order]), IOU_THRESHOLD, most)]
    rois = boxes.new_zeros(most, 4)
    rois[: len(kept)] = boxes[kept]
    return rois


@torch.inference_mode()
def detect(model: FasterRCNN, images: Tensor) -> Tensor:
    """Return the detections of a batch, best first.

    Args:
        model: the network, in evaluation mode.
        images: float32 [N, 3, H, W], as `FasterRCNN.to_input` makes them.

    Returns:
        The guide's tuples of 7 (§16.5), float32 [N, 100, 7]: image, label, score, xmin, ymin, xmax, ymax from 0 to 1;
        unused rows have the label -1.
    """
    size = (int(images.shape[2]), int(images.shape[3]))
    features = model.trunk(images)
    offsets, logits = model.propose(features)
    boxes = clip(decode(offsets, model.anchors(features.shape[2:])), *size)
    scores = logits.softmax(2)[..., 1]
    rois = torch.stack([best_proposals(*rows) for rows in zip(boxes, scores, strict=True)])
    offsets, logits = model.classify(features, rois)
    corners = with_last_pixel(rois)
    detections = torch.zeros(len(images), KEEP_TOP_K, 7)
    detections[:, :, 0] = torch.arange(len(images))[:, None]
    detections[:, :, 1] = -1
    for index in range(len(images)):
        rows = _detect_one(corners[index], offsets[index], logits[index].softmax(1), size)
        detections[index, : len(rows), 1:] = rows
    return detections


def _detect_one(rois: Tensor, offsets: Tensor, scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Return label, score and box of a picture's detections, best first, float32 [at most 100, 6]."""
    found = []
    for label in range(1, scores.shape[1]):
        order = scores[:, label].argsort(descending=True, stable=True)
        order = order[scores[order, label] >= CONFIDENCE]
        boxes = clip(decode(offsets[order, label], rois[order]), *size)
        kept = keep_best(boxes, NMS_THRESHOLD)
        relative = boxes[kept] / boxes.new_tensor([size[1], size[0], size[1], size[0]])
        found.append(
            torch.cat([torch.full((len(kept), 1), float(label)), scores[order[kept], label, None], relative], 1)
        )
    rows = torch.cat(found)
    return rows[rows[:, 1].argsort(descending=True, stable=True)[:KEEP_TOP_K]]
