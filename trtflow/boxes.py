"""Boxes: how far they overlap, and non-maximum suppression: of those that overlap too much the best one stays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def pairwise_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each box of `first` with each of `second`.

    Coordinates are continuous, so a side is max - min; VOC's own tools add 1 because theirs are the numbers of pixels.

    Args:
        first: float [n, 4], xmin, ymin, xmax, ymax.
        second: float [m, 4].

    Returns:
        float64 [n, m]; 0 where both boxes are empty.
    """
    a, b = first[:, None].astype(np.float64), second[None].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # of boxes that are not made of numbers: no overlap
        sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
        intersection = sides.clip(0).prod(-1)
        union = _area(a) + _area(b) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[..., 2:] - boxes[..., :2]).clip(0).prod(-1)


def overlap_of_one(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of a box, xmin, ymin, xmax, ymax, with others, [n, 4]: float64 [n]."""
    return pairwise_iou(box[None], others)[0]


Overlap = Callable[[np.ndarray, np.ndarray], np.ndarray]


def best_first(scores: np.ndarray) -> np.ndarray:
    """Return the places of scores [n], the best first, of equals the earlier; one that is no number leads them all.

    So that it is never lost behind others, and can be counted.
    """
    return np.argsort(-np.where(np.isnan(scores), np.inf, scores), kind="stable")


def suppress(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, overlap_with: Overlap = overlap_of_one
) -> np.ndarray:
    """Return which boxes of one class remain, best first: those that overlap no better one that does by more.

    An overlap with a box that is not made of numbers is none, so such a box remains and suppresses nothing.

    Args:
        boxes: float [n, 4].
        scores: float [n].
        threshold: largest overlap of two that remain.
        overlap_with: overlaps, [m], of a box, [4], with others, [m, 4], in the form that `boxes` has.

    Returns:
        int64 [k], places in `boxes`.
    """
    order, kept = best_first(scores), []
    while len(order):
        first, order = order[0], order[1:]
        kept.append(first)
        with np.errstate(invalid="ignore"):
            order = order[~(overlap_with(boxes[first], boxes[order]) > threshold)]
    return np.array(kept, np.int64)


def suppress_by_class(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, threshold: float, overlap_with: Overlap = overlap_of_one
) -> np.ndarray:
    """Return which boxes remain, best first, where those of different labels [n] never suppress each other.

    Args and result are those of `suppress`.
    """
    parts = [np.zeros(0, np.int64)]
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        parts.append(mine[suppress(boxes[mine], scores[mine], threshold, overlap_with)])
    kept = np.concatenate(parts)
    return kept[best_first(scores[kept])]
