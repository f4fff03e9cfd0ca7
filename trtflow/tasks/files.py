"""Files of a step: one for each precision, and two that must be of the same items."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import names_in, read_arrays
from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.finite import count_not_finite

# of predictions whose engine gave values that are no numbers: names of the outputs, and how many each gave
SPOILT, COUNTS = "not_finite_outputs", "not_finite_counts"


def by_precision(paths: Iterable[Path]) -> dict[str, Path]:
    """Return files such as `engine.fp32.plan` by the precision in their names.

    Raises:
        UserError: a name has no precision.
    """
    named = {}
    for path in paths:
        _, *middle, _ = path.name.split(".")
        if not middle:
            raise UserError(f"{path}: no precision in its name. Name it like predictions.fp32.npz.")
        named[middle[-1]] = path
    return named


def read_alike(path: Path, other: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the arrays of a name of two files of predictions.

    Raises:
        FormatError: the files are of other items.
    """
    (first, items), (second, others) = (read_arrays(file, name, "images") for file in (path, other))
    if items.tolist() != others.tolist():
        raise FormatError(path, f"not of the same images as {other}", "Make both again.")
    return first, second


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics as JSON, which knows no NaN: a value that is no number becomes null, and fails its gate."""
    write_json(path, _without_nan(metrics))


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_scores(job: Job, scores: Mapping[str, Any], answers: Mapping[str, np.ndarray]) -> None:
    """Write the scores of a job's predictions.

    Values that are no numbers, of the answers or of the engine's outputs that they came from, are counted by name as
    `not_finite`, which a report has a gate on.

    Args:
        job: its input `predictions` and its output `metrics` are used.
        scores: `metrics` and perhaps `details` and more.
        answers: what was scored, by name.
    """
    path = job.input("predictions")
    spoilt = {**_spoilt_outputs(path), **count_not_finite(answers)}
    if spoilt:
        counts = ", ".join(f"{count} of {name}" for name, count in spoilt.items())
        print(f"{path}: values that are no numbers: {counts}. Look at the weights, the ranges and the precision.")
        scores = {**scores, "not_finite": spoilt}
    write_metrics(job.output("metrics"), scores)


def spoilt_arrays(counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Return what predictions hold of outputs with values that are no numbers; nothing where all are numbers."""
    return {SPOILT: np.array(list(counts)), COUNTS: np.array(list(counts.values()), np.int64)} if counts else {}


def _spoilt_outputs(path: Path) -> dict[str, int]:
    """Return how many values of each output were no numbers, as predictions say."""
    if SPOILT not in names_in(path):
        return {}
    names, counts = read_arrays(path, SPOILT, COUNTS)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))
