"""What samples do with an engine's outputs on the host."""

from __future__ import annotations

import numpy as np


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return probabilities, float32 of the same shape, of logits, each on its own and without overflow."""
    return ((1 + np.tanh(logits / 2)) / 2).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities, float32 [N, classes], of logits [N, classes]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
