"""How well a model foresees a text."""

from __future__ import annotations

import math

import numpy as np


def perplexity(log_probabilities: np.ndarray) -> float:
    """Return exp of the mean of -log p of each character as it came: 1 is certain, the vocabulary's size is a guess.

    It is infinite where a logarithm is no number, or there is none.

    Args:
        log_probabilities: natural logarithms [characters], of any float type; summed in float64.
    """
    if not log_probabilities.size or not np.isfinite(log_probabilities).all():
        return math.inf
    return float(np.exp(-np.mean(log_probabilities, dtype=np.float64)))


def relative_difference(value: float, reference: float) -> float:
    """Return by which part of the reference a value differs from it; infinity where one is no number."""
    if not (math.isfinite(value) and math.isfinite(reference)):
        return math.inf
    return abs(value / reference - 1)
