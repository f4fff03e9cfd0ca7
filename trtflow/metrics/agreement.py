"""How far outputs of an engine are from those of the model as it was."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from trtflow.metrics.classification import largest_difference
from trtflow.metrics.finite import finite_rows
from trtflow.metrics.pairs import check_alike, differences, share

MOST_DB = 200.0  # that is told, as JSON knows no infinity: doubles hold no more


def mean_difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the mean absolute difference of two arrays of equal shape; infinity where one holds no number, or nothing.

    Raises:
        UserError: they have different shapes.
    """
    if not _are_numbers(found, wanted):
        return math.inf
    with np.errstate(over="ignore"):
        return float(differences(found, wanted).mean())


def snr_db(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the ratio of signal to noise, 10 log10(sum wanted^2 / sum (found - wanted)^2), in dB, at most `MOST_DB`.

    It is -infinity where an array holds no number, or nothing, and where 0 is wanted but something found.

    Raises:
        UserError: they have different shapes.
    """
    if not _are_numbers(found, wanted):
        return -math.inf
    apart = differences(found, wanted)
    if not apart.any():
        return MOST_DB
    # in parts of the largest, so that no square leaves the range of float64
    largest = max(float(np.abs(values.astype(np.float64)).max()) for values in (found, wanted))
    noise = float(np.square(apart / largest).sum())
    signal = float(np.square(wanted.astype(np.float64) / largest).sum())
    if not math.isfinite(noise):
        return -math.inf
    if noise <= signal * 10 ** (-MOST_DB / 10):
        return MOST_DB
    return 10 * math.log10(signal / noise) if signal / noise else -math.inf


def _are_numbers(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether two arrays of equal shape hold numbers, and any at all."""
    check_alike(found, wanted)
    return bool(found.size and np.isfinite(found).all() and np.isfinite(wanted).all())


def top1_agreement(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the share of rows [N, classes] whose largest value is at the same place; one with no number disagrees.

    Raises:
        UserError: they have different shapes.
    """
    check_alike(found, wanted)
    if not found.size:
        return 0.0
    same = found.argmax(axis=1) == wanted.argmax(axis=1)
    return share(same & finite_rows(found) & finite_rows(wanted))


def output_agreement(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return how outputs [N, ...] agree, the worst of all, and where there are several each's under `<metric>:<name>`.

    Returns:
        `largest_difference`, `mean_difference`, `snr_db`.
    """
    each = {
        name: {
            "largest_difference": largest_difference(found[name], wanted[name]),
            "mean_difference": mean_difference(found[name], wanted[name]),
            "snr_db": snr_db(found[name], wanted[name]),
        }
        for name in wanted
    }
    worst = {"largest_difference": max, "mean_difference": max, "snr_db": min}
    metrics = {metric: choose(values[metric] for values in each.values()) for metric, choose in worst.items()}
    if len(each) > 1:
        metrics |= {f"{metric}:{name}": value for name, values in each.items() for metric, value in values.items()}
    return metrics
