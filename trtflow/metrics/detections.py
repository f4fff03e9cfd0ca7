"""Detections and ground truth: what every detection metric needs, and how far two runs differ.

Detections are the guide's tuples of 7 (§16.5), float32 [N, K, 7]: image, label, score, xmin, ymin, xmax, ymax, with
coordinates from 0 to 1. Rows that hold nothing have the label -1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from trtflow.boxes import pairwise_iou
from trtflow.formats import UserError
from trtflow.metrics.finite import finite_rows
from trtflow.metrics.pairs import check_alike

COLUMNS = 7  # of a detection
# Of a box that both of two runs have to report. Fainter ones may rightly be in one of them only: NMS_TRT suppresses
# among the best of a class, TensorFlow among all, and at the limit of overlap the last bit of a size decides.
LEAST_SCORE = 0.05
# How far an overlap may be from the limit of suppression for either run to be right: boxes of float32 networks differ
# by some 1e-4 between kernels, and so do the overlaps of small ones.
TIE = 1e-3


class GroundTruth(Protocol):
    """The objects of one image.

    Attributes:
        labels: int [n], 0 being the background, which no object has.
        difficult: bool [n]; such objects are neither to be found nor wrong to find.
    """

    labels: np.ndarray
    difficult: np.ndarray

    def normalised_boxes(self) -> np.ndarray:
        """Return xmin, ymin, xmax, ymax from 0 to 1, float [n, 4]."""
        ...


def labels_of(truths: Sequence[GroundTruth]) -> list[int]:
    """Return the labels that have objects which count, in order."""
    return sorted({int(label) for truth in truths for label in truth.labels[~truth.difficult]})


def check_detections(first: np.ndarray, second: np.ndarray) -> None:
    """Refuse what are no detections, [N, K, 7], of the same images and as many places.

    Raises:
        UserError: they are not.
    """
    check_alike(first, second, "images")
    if first.ndim != 3 or first.shape[2] != COLUMNS:
        raise UserError(f"an array of shape {first.shape} holds no detections, [N, K, {COLUMNS}]. Make it again.")


def holds_something(detections: np.ndarray) -> np.ndarray:
    """Return which rows are detections, bool [..., K]: those with a label, or with one that is no number."""
    labels = detections[..., 1]
    return (labels >= 0) | ~np.isfinite(labels)


def all_finite(detections: np.ndarray) -> bool:
    """Whether every detection of [..., K, 7] is made of numbers; rows that hold nothing do not count."""
    return bool(np.isfinite(detections[holds_something(detections)]).all())


def rows_of(detections: np.ndarray, label: int) -> np.ndarray:
    """Return the detections of one image and label.

    One that is not made of numbers is a false alarm that stands above all others: so it never scores, and leaving it
    out would never score less. Where it is the label that is no number, it is one of every label.

    Args:
        detections: float32 [K, 7].
        label: the label.

    Returns:
        float64 [n, 7].
    """
    mine = (detections[:, 1] == label) | ~np.isfinite(detections[:, 1])
    rows = detections[mine].astype(np.float64)
    rows[~finite_rows(rows)] = (0, label, math.inf, 0, 0, 0, 0)
    return rows


def max_difference(
    first: np.ndarray, second: np.ndarray, threshold: float = 0.0, nms_iou: float | None = None
) -> float:
    """Return the largest difference between two runs over the same images.

    Within an image and a label, a detection's partner is the one whose box is nearest, each being the other's nearest.
    A pair differs by its largest difference in score or coordinate. A detection without a partner differs by its score
    above what the other run could have left out: `threshold`, or the last score of a run whose rows are all taken.
    A pair never counts for more than its two detections would alone. One without a partner that overlaps a better one
    by just the limit of suppression counts for nothing: the last bits of a box decide whether it stays. A detection
    that is not made of numbers differs without limit.

    Args:
        first: float32 [N, K, 7].
        second: float32 [N, K, 7].
        threshold: score below which the runs report nothing.
        nms_iou: overlap from which the weaker of two detections of a label was suppressed, where that is known.

    Raises:
        UserError: they are of different shapes.
    """
    check_detections(first, second)
    if not (len(first) and all_finite(first) and all_finite(second)):
        return math.inf
    return max(_image_difference(*rows, threshold, nms_iou) for rows in zip(first, second, strict=True))


def least_matched_iou(first: np.ndarray, second: np.ndarray, threshold: float = 0.5) -> float:
    """Return the worst overlap of two runs over the same images.

    Every detection of a score of at least `threshold`, of either run, is matched with the detection of the other run
    that overlaps it most and has its label, whatever that one's score.

    Args:
        first: float32 [N, K, 7].
        second: float32 [N, K, 7].
        threshold: score from which a detection must have a match.

    Returns:
        the smallest of these intersections over union; 0 where a detection has no match or is not made of numbers, or
        there is none to match.

    Raises:
        UserError: they are of different shapes.
    """
    check_detections(first, second)
    if not (all_finite(first) and all_finite(second)):
        return 0.0
    worst = [
        _best_iou(mine[(mine[:, 1] >= 0) & (mine[:, 2] >= threshold)], theirs)
        for pair in zip(first, second, strict=True)
        for mine, theirs in (pair, pair[::-1])
    ]
    return float(np.concatenate(worst).min(initial=1.0)) if any(map(len, worst)) else 0.0


def overlap_agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Return how far two runs over the same images overlap, from 0 to 1.

    It is the mean overlap of all detections of both with the other's best of their label, weighted by their scores; a
    detection without a match counts as 0, and so does a run of which nothing is left, or one not made of numbers.

    Args:
        first: float32 [N, K, 7].
        second: float32 [N, K, 7].

    Raises:
        UserError: they are of different shapes.
    """
    check_detections(first, second)
    if not (all_finite(first) and all_finite(second)):
        return 0.0
    total = weight = 0.0
    for pair in zip(first, second, strict=True):
        for mine, theirs in (pair, pair[::-1]):
            rows = mine[mine[:, 1] >= 0]
            total += float((_best_iou(rows, theirs) * rows[:, 2]).sum())
            weight += float(rows[:, 2].sum())
    return min(1.0, total / weight) if weight else 0.0  # sums of rounded parts may end beyond


def _best_iou(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the largest overlap of each row with one of `others` that has its label."""
    overlaps = pairwise_iou(rows[:, 3:], others[:, 3:])
    return np.where(rows[:, None, 1] == others[None, :, 1], overlaps, 0).max(1, initial=0)


def _image_difference(first: np.ndarray, second: np.ndarray, threshold: float, nms_iou: float | None) -> float:
    """Return the largest difference between two runs over one image, [K, 7] each."""
    alone = [_excess(first, second, threshold), _excess(second, first, threshold)]
    ties = [_at_the_limit(first, second, nms_iou), _at_the_limit(second, first, nms_iou)]
    largest = 0.0
    for label in np.union1d(first[:, 1], second[:, 1]):
        if label < 0:
            continue
        mine, theirs = first[:, 1] == label, second[:, 1] == label
        pairs = np.abs(first[mine, None, 2:] - second[None, theirs, 2:])
        excess = [alone[0][mine], alone[1][theirs]]
        counted = [np.where(tied[own], 0, rest) for tied, own, rest in zip(ties, (mine, theirs), excess, strict=True)]
        if pairs.size:
            rows, columns = _mutually_nearest(pairs[..., 1:].max(-1))
            limit = np.maximum(excess[0][rows], excess[1][columns])
            counted[0][rows] = counted[1][columns] = np.minimum(pairs[rows, columns].max(-1), limit)
        largest = max(largest, float(np.concatenate(counted).max()))
    return largest


def _at_the_limit(rows: np.ndarray, others: np.ndarray, nms_iou: float | None) -> np.ndarray:
    """Return which detections overlap a better one of their label in the other run by just the limit, bool [K]."""
    if nms_iou is None:
        return np.zeros(len(rows), bool)
    better = (rows[:, None, 1] == others[None, :, 1]) & (rows[:, None, 2] < others[None, :, 2])
    return (better & (np.abs(pairwise_iou(rows[:, 3:], others[:, 3:]) - nms_iou) <= TIE)).any(1)


def _excess(rows: np.ndarray, others: np.ndarray, threshold: float) -> np.ndarray:
    """Return how far each score lies above what the other run could have left out."""
    full = bool((others[:, 1] >= 0).all())
    return (rows[:, 2] - max(threshold, float(others[:, 2].min()) if full else 0.0)).clip(0)


def _mutually_nearest(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the pairs in which each is the other's nearest."""
    columns = distances.argmin(1)
    rows = np.flatnonzero(distances.argmin(0)[columns] == np.arange(len(distances)))
    return rows, columns[rows]
