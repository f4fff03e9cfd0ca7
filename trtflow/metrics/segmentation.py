"""How well pixels are named: intersection over union of each class, and the share of pixels that are right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.metrics.pairs import check_alike, share


def confusion(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Return how many pixels of each class are taken for each, int64 [classes, classes + 1].

    The last column is for answers that are no class: below 0, as of pixels whose scores are no numbers.

    Args:
        truth: int [...], the class of each pixel; below 0 where it does not count.
        found: int [...], what the model says of it.
        classes: how many there are.

    Raises:
        UserError: they have different shapes, or a pixel is of a class that there is not.
    """
    check_alike(truth, found, "pixels")
    if truth.size and truth.max() >= classes:
        raise UserError(
            f"a mask has the class {truth.max()}, but there are {classes}, the first of them 0. Correct it."
        )
    counts = truth >= 0
    said = np.where((found >= 0) & (found < classes), found, classes)[counts].astype(np.int64)
    places = truth[counts].astype(np.int64) * (classes + 1) + said
    return np.bincount(places, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def segmentation_scores(confusions: Iterable[np.ndarray], classes: Sequence[str]) -> dict[str, Any]:
    """Return the scores of a model that names pixels, as `metrics.<precision>.json` holds them.

    Args:
        confusions: `confusion` of each picture.
        classes: names by label.

    Returns:
        `metrics`: `miou`, the mean over the classes that occur in truth or answers, `pixel_accuracy`, and
        `class_accuracy`, the mean recall of the classes that occur; `details`: `iou` of each class that occurs, and the
        `confusion`.

    Raises:
        UserError: no pixel counts.
    """
    total = sum(confusions, np.zeros((len(classes), len(classes) + 1), np.int64))
    if not total.sum():
        raise UserError("no pixel of the masks counts, so there is nothing to score. Choose other masks.")
    hits, truth = np.diag(total), total.sum(1)
    union = truth + total[:, :-1].sum(0) - hits
    occurs, true = union > 0, truth > 0
    overlaps = hits[occurs] / union[occurs]
    names = [name for name, there in zip(classes, occurs, strict=True) if there]
    return {
        "metrics": {
            "miou": float(overlaps.mean()),
            "pixel_accuracy": float(hits.sum() / total.sum()),
            "class_accuracy": float((hits[true] / truth[true]).mean()),
        },
        "details": {"iou": dict(zip(names, overlaps.tolist(), strict=True)), "confusion": total.tolist()},
    }


def pixel_agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of pixels of which two runs say the same; those that are no class agree with none.

    Args:
        first: int [...].
        second: int, of the same shape.

    Raises:
        UserError: they have different shapes.
    """
    check_alike(first, second, "pixels")
    return share((first == second) & (first >= 0))
