"""What an engine said of held-out items beside what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtflow import datasets
from trtflow.datasets.manifest import locate
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.job import Job
from trtflow.samples import load as load_sample

OWN = "own"  # family of samples whose data are no data set of ours


@dataclass(frozen=True)
class Scored:
    """Predictions and truth.

    Attributes:
        probabilities: float32 [N, classes].
        names: of the items, [N].
        labels: int64 [N].
        classes: names by label.
    """

    probabilities: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    classes: Sequence[str]


def read_scored(job: Job) -> Scored:
    """Return the predictions of a job with the classes of its held-out items.

    Raises:
        FormatError: the predictions are of other items, or of other classes.
    """
    path = job.input("predictions")
    probabilities, names = read_arrays(path, "probabilities", "images")
    data, labels, classes = _truth(job)
    if len(probabilities) != len(labels):
        fault = f"{len(probabilities)} predictions, but {data} has {len(labels)} items"
        raise FormatError(path, fault, "Run infer.py again.")
    if probabilities.ndim != 2 or probabilities.shape[1] <= labels.max():
        fault = f"probabilities of shape {probabilities.shape}, but {data} has the class {labels.max()}"
        raise FormatError(path, fault, "Run infer.py again.")
    return Scored(probabilities, names, labels, classes)


def _truth(job: Job) -> tuple[Path, np.ndarray, Sequence[str]]:
    """Return where the held-out items are, their labels, and the names of the classes."""
    if job.family == OWN:
        data, sample = Path(job.setting("own.data.val") or job.input("val")), load_sample(job.sample)
        return data, sample.read_truth(data), sample.classes
    data_set = datasets.load_module(job.data_set)
    folder, split = locate(job.input("val"))
    return job.input("val"), data_set.read_labels(folder, split), data_set.read_classes(folder)
