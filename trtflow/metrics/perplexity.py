"""How well a model foresees a text."""

from __future__ import annotations

import math

import numpy as np

CERTAIN = 0.01  # most that the rounding of half numbers makes of the logarithm of 1


def perplexity(log_probabilities: np.ndarray) -> float:
    """Return exp of the mean of -log p of each character as it came: 1 is certain, the vocabulary's size is a guess.

    It is infinite where a logarithm is no number, or there is none, and where the characters came out as more than
    certain: that is no probability.

    Args:
        log_probabilities: natural logarithms [characters], of any float type; summed in float64.
    """
    if not log_probabilities.size or not np.isfinite(log_probabilities).all():
        return math.inf
    mean = float(np.mean(log_probabilities, dtype=np.float64))
    if mean > CERTAIN:
        return math.inf
    with np.errstate(over="ignore"):
        return float(np.exp(-mean))


def relative_difference(value: float, reference: float) -> float:
    """Return by which part of the reference a value differs from it; infinity where one is no number, or it is 0."""
    if not (math.isfinite(value) and math.isfinite(reference) and reference):
        return math.inf
    return abs(value / reference - 1)
