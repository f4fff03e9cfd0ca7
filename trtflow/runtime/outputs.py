"""What samples do with an engine's outputs on the host."""

from __future__ import annotations

import numpy as np


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) of each value, of the shape and type of the values, without overflow."""
    return (1 + np.tanh(values / 2)) / 2


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities, float32 [N, classes], of logits [N, classes]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
