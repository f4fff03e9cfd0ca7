"""What engines of a character model foresaw and wrote beside TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.perplexity import perplexity
from trtflow.tasks.common.files import by_precision


def compare(job: Job) -> None:
    """Write for each precision how its perplexity and its texts differ."""
    named, framework = by_precision(job.inputs["predictions"]), job.input("framework")
    write_json(job.output("agreement"), {name: _compare(path, framework) for name, path in named.items()})


def _compare(predictions: Path, framework: Path) -> dict[str, float]:
    """Return the relative difference of the perplexities, and the share of generated characters that are the same."""
    names = ("log_probabilities", "generated")
    (ours, written), (theirs, wanted) = (read_arrays(path, *names) for path in (predictions, framework))
    if ours.shape != theirs.shape or written.shape != wanted.shape:
        raise FormatError(predictions, f"not of the same text and seeds as {framework}", "Make both again.")
    return {
        "perplexity_difference": abs(perplexity(ours) / perplexity(theirs) - 1),
        "generated_agreement": float(np.mean(written == wanted)),
    }
