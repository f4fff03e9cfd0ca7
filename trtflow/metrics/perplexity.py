"""How well a model foresees a text."""

from __future__ import annotations

import numpy as np


def perplexity(log_probabilities: np.ndarray) -> float:
    """Return exp of the mean of -log p of each character as it came: 1 is certain, the vocabulary's size is a guess.

    Args:
        log_probabilities: natural logarithms [characters], of any float type; summed in float64.
    """
    return float(np.exp(-np.mean(log_probabilities, dtype=np.float64)))
