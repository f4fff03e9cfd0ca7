"""From SSD's raw predictions to detections, in PyTorch alone: what the engines' NMS_TRT is compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from trtflow.families.common.boxes import decode, keep_best
from trtflow.families.ssd.network import SSD

CONFIDENCE = 0.01  # least score of a detection
NMS_THRESHOLD = 0.45  # overlap above which the weaker of two detections of a class goes
TOP_K = 400  # detections of a class that enter suppression
KEEP_TOP_K = 200  # detections of an image


@torch.inference_mode()
def detect(model: SSD, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the detections of a batch, best first, as Caffe's DetectionOutput layer makes them.

    Args:
        model: the network, in evaluation mode.
        images: float32 [N, 3, 300, 300], as `SSD.forward` takes them.

    Returns:
        The guide's tuples of 7 (§16.5), float32 [N, 200, 7]: image, label, score, xmin, ymin, xmax, ymax, unused rows
        having the label -1; and the number of detections, int32 [N].
    """
    offsets, logits = model(images)
    boxes, scores = decode(offsets, model.priors), logits.softmax(2)
    detections = torch.zeros(len(images), KEEP_TOP_K, 7)
    detections[:, :, 0] = torch.arange(len(images))[:, None]
    detections[:, :, 1] = -1
    counts = torch.zeros(len(images), dtype=torch.int32)
    for index in range(len(images)):
        rows = _detect_one(boxes[index], scores[index])
        detections[index, : len(rows), 1:], counts[index] = rows, len(rows)
    return detections, counts


def _detect_one(boxes: Tensor, scores: Tensor) -> Tensor:
    """Return label, score and box of an image's detections, best first, float32 [at most 200, 6]."""
    found = []
    for label in range(1, scores.shape[1]):
        kept = suppress(boxes, scores[:, label])
        columns = (torch.full((len(kept), 1), float(label)), scores[kept, label, None], boxes[kept].clamp(0, 1))
        found.append(torch.cat(columns, 1))
    rows = torch.cat(found)
    return rows[rows[:, 1].argsort(dim=0, descending=True, stable=True)[:KEEP_TOP_K]]


def suppress(boxes: Tensor, scores: Tensor) -> Tensor:
    """Return the indices of the boxes that non-maximum suppression leaves, best first.

    Args:
        boxes: float32 [P, 4].
        scores: float32 [P], of one class.
    """
    order = scores.argsort(dim=0, descending=True, stable=True)[:TOP_K]
    order = order[scores[order] > CONFIDENCE]
    return order[keep_best(boxes[order], NMS_THRESHOLD)]
