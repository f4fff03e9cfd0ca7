"""How long and how fast to train, and in which order; the same for PyTorch and TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        steps: number of batches.
        batch_size: pictures of a batch.
        learning_rate: at its highest.
        seed: of the order of the pictures.
    """

    steps: int
    batch_size: int
    learning_rate: float
    seed: int

    def batches(self, count: int) -> Iterator[np.ndarray]:
        """Yield which of `count` pictures each batch holds, a fresh order each epoch."""
        rng = np.random.default_rng(self.seed)
        order = np.zeros(0, np.int64)
        for _ in range(self.steps):
            while len(order) < self.batch_size:
                order = np.concatenate([order, rng.permutation(count)])
            yield order[: self.batch_size]
            order = order[self.batch_size :]
