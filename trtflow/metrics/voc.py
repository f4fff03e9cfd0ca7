"""Pascal VOC's mean average precision, by both of its rules.

Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010, §4.2, and the devkit's VOCevaldet.m:
2007 takes the precision at 11 recalls, 2010 and later the area under the curve. Boxes are continuous, so that their
sides have no pixel added (`pairwise_iou`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trtflow.boxes import pairwise_iou
from trtflow.metrics.detections import GroundTruth, labels_of, rows_of

LEAST_IOU = 0.5


def eleven_point(hits: np.ndarray, objects: int) -> float:
    """Return the mean, over recalls 0, 0.1, ..., 1, of the best precision at that recall or a higher one (2007).

    Args:
        hits: bool [n], whether each detection found an object, best score first.
        objects: number of objects to be found.
    """
    found = hits.cumsum()
    precision = found / np.arange(1, len(hits) + 1)
    # Tenths are compared as integers: 3 of 10 is a recall of 0.3, which as a float is less than 3 * 0.1.
    return sum(precision[10 * found >= tenth * objects].max(initial=0) for tenth in range(11)) / 11


def area_under_curve(hits: np.ndarray, objects: int) -> float:
    """Return the area under the curve of best precision over recall (2010 and later); arguments as `eleven_point`."""
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hits].sum() / objects)


RULES: dict[str, Callable[[np.ndarray, int], float]] = {"11-point": eleven_point, "area": area_under_curve}


def average_precisions(
    detections: np.ndarray, truths: Sequence[GroundTruth], rule: str = "11-point"
) -> dict[int, float]:
    """Return the average precision of each label that has objects.

    Args:
        detections: float32 [N, K, 7], images in the order of `truths`.
        truths: the objects of each image.
        rule: "11-point" (2007) or "area" (2010 and later).
    """
    return {label: RULES[rule](*match(detections, truths, label)) for label in labels_of(truths)}


def match(detections: np.ndarray, truths: Sequence[GroundTruth], label: int) -> tuple[np.ndarray, int]:
    """Compare the detections of one label with its objects, best score first.

    A detection belongs to the object that it overlaps most. It is a hit if that overlap is at least 0.5 and no better
    detection has found the object; it does not count if the object is a difficult one.

    Returns:
        bool [n], whether each detection that counts is a hit, and the number of objects that count.
    """
    scores, overlaps, nearest, difficult = [], [], [], np.zeros(0, bool)
    for image, truth in zip(detections, truths, strict=True):
        mine = truth.labels == label
        rows = rows_of(image, label)
        # The empty column gives images without objects something to overlap with.
        iou = np.pad(pairwise_iou(rows[:, 3:], truth.normalised_boxes()[mine]), ((0, 0), (0, 1)))
        scores.append(rows[:, 2])
        overlaps.append(iou.max(1))
        nearest.append(len(difficult) + iou.argmax(1))
        difficult = np.concatenate([difficult, truth.difficult[mine]])
    order = np.argsort(-np.concatenate(scores), kind="stable")
    candidates = zip(np.concatenate(overlaps)[order], np.concatenate(nearest)[order], strict=True)

    hits, found = [], set()
    for overlap, index in candidates:
        enough = overlap >= LEAST_IOU
        if enough and difficult[index]:
            continue
        hits.append(enough and index not in found)
        if enough:
            found.add(index)
    return np.array(hits, bool), int((~difficult).sum())
