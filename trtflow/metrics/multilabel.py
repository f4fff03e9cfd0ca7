"""How well several labels an item are told, of which each is there or not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.metrics.pairs import check_alike, share

NAMES = ("map", "f1_micro", "f1_macro")


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the precision at each threshold, weighted by what recall gains there, as scikit-learn has it.

    Items of one score come into it together, so that their order does not count. Of a class that no item has it is NaN.

    Args:
        scores: of a class, float [N]; more is likelier.
        truth: whether each item is of it, bool [N].
    """
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # of the items of one score
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def f1(said: np.ndarray, truth: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall of decisions, bool of one shape; NaN where all are no."""
    both, either = np.count_nonzero(said & truth), np.count_nonzero(said) + np.count_nonzero(truth)
    return float(2 * both / either) if either else float("nan")


def multilabel_scores(
    scores: np.ndarray, said: np.ndarray, truth: np.ndarray, classes: Sequence[str]
) -> dict[str, Any]:
    """Return the scores of several labels an item as `metrics.<precision>.json` holds them.

    A score that is no number makes all NaN, which fails every gate; so does the lack of any item.

    Args:
        scores: of the classes, float [N, classes]; more is likelier.
        said: the decisions, bool [N, classes].
        truth: bool [N, classes].
        classes: names.

    Raises:
        UserError: the shapes differ, or are of another number of classes.

    Returns:
        `metrics`: `map`, the mean over the classes that occur of the average precision; `f1_micro` of all decisions
        together; `f1_macro`, the mean over the classes that occur or are said. `details`: of each class that occurs
        `average_precision`, `f1`.
    """
    check_alike(scores, truth)
    check_alike(said, truth)
    if scores.ndim != 2 or scores.shape[1] != len(classes):
        raise UserError(f"scores of shape {scores.shape} for {len(classes)} classes. Name as many.")
    if not (scores.size and np.isfinite(scores).all()):
        return {"metrics": dict.fromkeys(NAMES, float("nan")), "details": {}}
    precisions = [average_precision(scores[:, place], truth[:, place]) for place in range(len(classes))]
    each = [f1(said[:, place], truth[:, place]) for place in range(len(classes))]
    occurs = truth.any(0)
    metrics = {"map": _mean(precisions), "f1_micro": f1(said, truth), "f1_macro": _mean(each)}
    details = {
        name: {classes[place]: values[place] for place in np.flatnonzero(occurs).tolist()}
        for name, values in (("average_precision", precisions), ("f1", each))
    }
    return {"metrics": metrics, "details": details}


def _mean(values: Sequence[float]) -> float:
    """Return the mean of those that are numbers; NaN where none is."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def label_agreement(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the share of decisions that two runtimes take alike.

    Args:
        found, wanted: 1 for a class that is said, 0 for one that is not, and -1, which agrees with nothing, where the
            score is no number; integers [N, classes].

    Raises:
        UserError: they have different shapes.
    """
    check_alike(found, wanted)
    return share((found == wanted) & (wanted >= 0))
