"""COCO's mean average precision, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np

from trtflow.metrics.detections import GroundTruth, labels_of, rows_of


def coco_map(detections: np.ndarray, truths: Sequence[GroundTruth]) -> dict[str, float]:
    """Return COCO's three main metrics.

    Boxes stay normalised: an overlap does not depend on the scale. Difficult objects are given as crowds, which is
    COCO's own word for what need not be found.

    Args:
        detections: float32 [N, K, 7], images in the order of `truths`.
        truths: the objects of each image.

    Returns:
        `coco_map` (mean over overlaps 0.50, 0.55, ..., 0.95), `coco_map50` and `coco_map75`.
    """
    names = ("coco_map", "coco_map50", "coco_map75")
    found = _found(detections, labels_of(truths))
    if not len(found):
        return dict.fromkeys(names, 0.0)
    from pycocotools.coco import COCO  # noqa: PLC0415 - the engine's Python, which asks detectors, has none
    from pycocotools.cocoeval import COCOeval  # noqa: PLC0415

    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools tells of every step
        objects = COCO()
        objects.dataset = _dataset(truths)
        objects.createIndex()
        evaluation = COCOeval(objects, objects.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(value) for name, value in zip(names, evaluation.stats[:3], strict=True)}


def _found(detections: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """Return what is found of some labels as pycocotools takes it, float64 [n, 7]: image, x, y, w, h, score, label."""
    parts = [np.zeros((0, 7))]
    for image, rows in enumerate(detections):
        for label in labels:
            found = rows_of(rows, label)
            images, labelled = np.full(len(found), float(image)), np.full(len(found), float(label))
            sides = found[:, 5:7] - found[:, 3:5]
            parts.append(np.column_stack([images, found[:, 3:5], sides, found[:, 2], labelled]))
    return np.concatenate(parts)


def _dataset(truths: Sequence[GroundTruth]) -> dict[str, list[dict]]:
    """Return the objects as COCO's annotation file has them."""
    annotations: list[dict] = []
    for image, truth in enumerate(truths):
        for box, label, difficult in zip(truth.normalised_boxes(), truth.labels, truth.difficult, strict=True):
            left, top, right, bottom = map(float, box)
            bbox = [left, top, right - left, bottom - top]
            # pycocotools takes the number 0 for "no object", so they start at 1.
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(label),
                    "bbox": bbox,
                    "area": bbox[2] * bbox[3],
                    "iscrowd": int(difficult),
                }
            )
    return {
        "images": [{"id": image} for image in range(len(truths))],
        "categories": [{"id": label} for label in labels_of(truths)],
        "annotations": annotations,
    }
