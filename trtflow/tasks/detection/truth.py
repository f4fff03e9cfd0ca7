"""What an engine found on held-out pictures beside what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtflow.datasets.manifest import locate
from trtflow.datasets.objects import classes_of
from trtflow.datasets.voc import Annotation, read_predictions
from trtflow.job import Job

OBJECTS = "digits"  # what is looked for where nothing else is set


def job_classes(job: Job) -> tuple[str, ...]:
    """Return the classes that a detector looks for, the background first."""
    return classes_of(job.setting("splits.objects", OBJECTS))


def read_found(job: Job, *paths: Path) -> tuple[Path, list[np.ndarray], list[Annotation]]:
    """Return the folder of the held-out pictures, the detections of each file [N, K, 7], and the pictures' annotations.

    Raises:
        FormatError: detections are of other pictures.
    """
    folder, split = locate(job.input("val"))
    found = [read_predictions(path, folder, split, job_classes(job)) for path in paths]
    return folder, [detections for detections, _ in found], found[0][1]
