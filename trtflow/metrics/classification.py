"""How often a classifier is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.metrics.finite import finite_rows
from trtflow.metrics.pairs import check_alike, differences, share


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Return the share of rows whose label is among the k most probable; on a tie the smaller label comes first.

    Rows with a value that is no number are wrong, whatever the others say.

    Args:
        probabilities: [N, classes].
        labels: int64 [N].
        k: how many guesses count.

    Raises:
        UserError: there is not one label for each row.
    """
    if probabilities.ndim != 2 or labels.shape != (len(probabilities),):
        raise UserError(
            f"labels of shape {labels.shape} for probabilities of {probabilities.shape}: give one for each."
        )
    hits = (_likeliest(probabilities, k) == labels[:, None]).any(axis=1)
    return share(hits & finite_rows(probabilities))


def _likeliest(probabilities: np.ndarray, k: int) -> np.ndarray:
    """Return the k most probable classes of each row, the first of equals first, int64 [N, k]."""
    # float64, as the negative of an unsigned integer is none
    return np.argsort(-probabilities.astype(np.float64), axis=1, kind="stable")[:, :k]


def classification_scores(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], batch: np.ndarray | None = None
) -> dict[str, Any]:
    """Return a classifier's scores as `metrics.<precision>.json` holds them.

    Args:
        probabilities: float32 [N, classes].
        labels: int64 [N].
        classes: names by label.
        batch: rows of one batch that is scored on its own as well.

    Raises:
        UserError: there is not one label for each row, or one is of no class.

    Returns:
        `metrics`: `top1` and `top5`, and `batch_top1` of the batch; `details`: `recall` of each class that occurs.
    """
    if labels.size and not 0 <= labels.min() <= labels.max() < len(classes):
        raise UserError(
            f"labels from {labels.min()} to {labels.max()}, but there are {len(classes)} classes. Name all."
        )
    metrics = {f"top{k}": top_k(probabilities, labels, k) for k in (1, 5)}
    if batch is not None:
        metrics["batch_top1"] = top_k(probabilities[batch], labels[batch], 1)
    recall = {
        classes[label]: top_k(probabilities[labels == label], labels[labels == label], 1) for label in np.unique(labels)
    }
    return {"metrics": metrics, "details": {"recall": recall}}


def top_k_agreement(probabilities: np.ndarray, reference: np.ndarray, k: int, tolerance: float) -> float:
    """Return the share of rows where the k most probable classes are those of a reference, in any order.

    A class may stand for another where the reference's own probabilities of both differ by no more than `tolerance`:
    which of two equals comes first says nothing of an engine. Rows with a value that is no number disagree.

    Args:
        probabilities: [N, classes].
        reference: [N, classes].
        k: how many guesses count.
        tolerance: difference of probabilities that counts as none.

    Raises:
        UserError: they have different shapes.
    """
    check_alike(probabilities, reference)
    chosen = _likeliest(probabilities, k)
    least = np.sort(reference, axis=1)[:, -k:].min(axis=1, keepdims=True)
    valid = np.take_along_axis(reference, chosen, axis=1) >= least - tolerance
    return share(valid.all(axis=1) & finite_rows(probabilities) & finite_rows(reference))


def largest_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest absolute difference of two arrays of equal shape; infinity where one holds no number, or none.

    Raises:
        UserError: they have different shapes.
    """
    check_alike(first, second)
    if not (first.size and np.isfinite(first).all() and np.isfinite(second).all()):
        return math.inf
    return float(differences(first, second).max())
