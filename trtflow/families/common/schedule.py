"""How long and how fast to train, and in which order; the same for PyTorch and TensorFlow."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trtflow.formats import UserError


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


def keep_loss(losses: list[float], loss: float) -> None:
    """Append the loss of a step.

    Raises:
        UserError: it is no number, or infinite.
    """
    losses.append(loss)
    if not math.isfinite(loss):
        raise UserError(f"the training diverged in step {len(losses)}. Lower the learning rate.")


def add_schedule_options(
    arguments: argparse.ArgumentParser, items: str, *, steps: int, batch_size: int, learning_rate: float, threads: int
) -> None:
    """Add the options of a schedule, with these defaults, and the number of threads; `items` is what a batch holds."""
    arguments.add_argument("--steps", type=int, default=steps, help="batches to train on")
    arguments.add_argument("--batch-size", type=int, default=batch_size, help=f"{items} of a batch")
    arguments.add_argument("--learning-rate", type=float, default=learning_rate, help="at its highest")
    arguments.add_argument("--seed", type=int, default=0, help=f"of the first weights and the order of {items}")
    arguments.add_argument("--threads", type=int, default=threads, help="another number may change the last digits")


def schedule_of(options: argparse.Namespace) -> Schedule:
    """Return the schedule of a command line that has these options."""
    return Schedule(options.steps, options.batch_size, options.learning_rate, options.seed)


def add_pretraining_options(arguments: argparse.ArgumentParser) -> None:
    """Add the options in which the training of a detector's trunk on single objects differs from what follows it."""
    arguments.add_argument("--pretraining-steps", type=int, default=150, help="batches of single objects")
    arguments.add_argument("--pretraining-batch-size", type=int, default=32, help="objects of a batch")


def pretraining_of(options: argparse.Namespace) -> Schedule:
    """Return the schedule of the pretraining; learning rate and seed are those of the training."""
    return Schedule(options.pretraining_steps, options.pretraining_batch_size, options.learning_rate, options.seed)
