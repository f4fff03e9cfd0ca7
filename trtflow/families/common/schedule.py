"""How long and how fast to train, and in which order; the same for PyTorch and TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.job import Job


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


def training_settings(job: Job, **defaults: Any) -> dict[str, Any]:
    """Return the settings of a training, `training` in the sample's configuration, over a family's defaults.

    Args:
        job: the step.
        **defaults: all settings that the family knows; a value has the type of its default.

    Raises:
        UserError: a setting that the family does not know, or of another type.
    """
    found = dict(defaults)
    for key, value in job.setting("training", {}).items():
        if key not in defaults:
            raise UserError(f"{job.sample}: training.{key}: no such setting. Known: {', '.join(defaults)}.")
        try:
            found[key] = type(defaults[key])(value)
        except (TypeError, ValueError) as error:
            kind = "a whole number" if isinstance(defaults[key], int) else "a number"
            raise UserError(f"{job.sample}: training.{key}: {value!r} is not {kind}.") from error
    return found


def schedule_of(settings: Mapping[str, Any]) -> Schedule:
    """Return the schedule of a training with these settings."""
    return Schedule(settings["steps"], settings["batch_size"], settings["learning_rate"], settings["seed"])


def pretraining_of(settings: Mapping[str, Any]) -> Schedule:
    """Return the schedule of a detector's trunk before that; learning rate and seed are those of the training."""
    steps, batch_size = settings["pretraining_steps"], settings["pretraining_batch_size"]
    return Schedule(steps, batch_size, settings["learning_rate"], settings["seed"])
