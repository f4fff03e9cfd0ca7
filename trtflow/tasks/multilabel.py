"""Which classes an item has, each of which is there or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.job import Job
from trtflow.metrics.multilabel import multilabel_scores
from trtflow.samples import ITEMS
from trtflow.samples import load as load_sample
from trtflow.tasks.files import write_scores
from trtflow.tasks.inference import infer
from trtflow.tasks.losses import measure_losses
from trtflow.tasks.measurement import measure, profile
from trtflow.tasks.own import compare_outputs, hook_scores
from trtflow.tasks.targets import run_targets

__all__ = ["compare_outputs", "draw_labels", "infer", "measure", "measure_losses", "profile", "run_targets", "score"]

LISTED = 100  # items in the text


@dataclass(frozen=True)
class Scored:
    """Predictions and truth.

    Attributes:
        names: of the items.
        scores: float32 [N, classes].
        truth: bool [N, classes].
        classes: their names.
        said: which classes the engine says, bool [N, classes].
    """

    names: list[str]
    scores: np.ndarray
    truth: np.ndarray
    classes: list[str]
    said: np.ndarray

    @property
    def found(self) -> dict[str, Any]:
        """The metrics, and those of each class."""
        return multilabel_scores(self.scores, self.said, self.truth, self.classes)


def read_scored(job: Job) -> Scored:
    """Return the predictions of a job with the labels of its held-out items.

    Raises:
        FormatError: the predictions are of other items, or of other classes.
    """
    path, data, sample = job.input("predictions"), Path(job.setting("own.data.val")), load_sample(job.sample)
    scores, said, names = read_arrays(path, "label_scores", "labels", ITEMS)
    truth = sample.read_label_matrix(data)
    if scores.shape != truth.shape:
        fault = f"scores of shape {scores.shape}, but {data} has labels of {truth.shape}"
        raise FormatError(path, fault, "Run infer.py again.")
    return Scored(names.tolist(), scores, truth, sample.classes, said == 1)


def score(job: Job) -> None:
    """Write mean average precision, F1 of all decisions and of classes, those of each class, and the hook's metrics."""
    scored = read_scored(job)
    found = scored.found
    found["metrics"] |= hook_scores(job)
    write_scores(job, found, {"label_scores": scored.scores})


def draw_labels(job: Job) -> None:
    """Draw how well each class is told, and write what is said of the first items."""
    from trtflow.reporting.labels import labels_text, write_labels_figure  # noqa: PLC0415 - matplotlib: drawing alone

    scored, listed = read_scored(job), slice(LISTED)
    text = labels_text(scored.names[listed], scored.said[listed], scored.truth[listed], scored.classes)
    write_text(job.output("text"), text)
    shares = dict(zip(scored.classes, scored.truth.mean(0).tolist(), strict=True))
    write_labels_figure(job.output("picture"), scored.found["details"], shares)
