"""The answers of a recommender's engines beside TensorFlow's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.classification import largest_difference
from trtflow.tasks.common.files import by_precision


def compare(job: Job) -> None:
    """Write for each precision how its answers differ."""
    named, framework = by_precision(job.inputs["predictions"]), job.input("framework")
    write_json(job.output("agreement"), {name: _compare(path, framework) for name, path in named.items()})


def _compare(predictions: Path, framework: Path) -> dict[str, float]:
    """Return the share of users with the same best movie, and the largest difference of a probability."""
    users, choices, ours, best = read_arrays(predictions, "users", "choices", "probabilities", "best")
    others, theirs_to_choose, theirs = read_arrays(framework, "users", "choices", "probabilities")
    if users.tolist() != others.tolist() or choices.tolist() != theirs_to_choose.tolist():
        raise FormatError(predictions, f"not of the same users and movies as {framework}", "Make both again.")
    wanted = choices[np.arange(len(choices)), theirs.argmax(axis=1)]
    return {
        "top_item_agreement": float(np.mean(best[:, 0] == wanted)),
        "probability_difference": largest_difference(ours, theirs),
    }
