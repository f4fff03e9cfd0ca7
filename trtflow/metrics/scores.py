"""All scores of a detector at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.metrics.coco import coco_map
from trtflow.metrics.detections import GroundTruth, labels_of
from trtflow.metrics.voc import average_precisions


def detection_scores(detections: np.ndarray, truths: Sequence[GroundTruth], classes: Sequence[str]) -> dict[str, Any]:
    """Return a detector's scores as `metrics.<precision>.json` holds them.

    Args:
        detections: float32 [N, K, 7], images in the order of `truths`.
        truths: the objects of each image.
        classes: names by label.

    Returns:
        `metrics`: `map` (VOC 2007, 11 points), `map_area` (VOC 2010) and COCO's three;
        `details`: `average_precision` (VOC 2007) of each class that has objects.

    Raises:
        UserError: there are no objects, or they are of other images.
    """
    if len(detections) != len(truths):
        raise UserError(f"detections of {len(detections)} images, but {len(truths)} were labelled. Make them again.")
    if not labels_of(truths):
        raise UserError("there are no objects to find, so there is nothing to score. Choose another split.")
    by_label = average_precisions(detections, truths)
    area = average_precisions(detections, truths, "area")
    metrics = {"map": _mean(by_label), "map_area": _mean(area), **coco_map(detections, truths)}
    return {
        "metrics": metrics,
        "details": {"average_precision": {classes[label]: value for label, value in by_label.items()}},
    }


def _mean(values: dict[int, float]) -> float:
    return sum(values.values()) / len(values)
