"""How often a classifier is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.classification import classification_scores, largest_difference
from trtflow.tasks.classification.truth import read_scored


def score(job: Job) -> None:
    """Write top-1, top-5, the recall of each class, and where one is wanted the top-1 of a random batch."""
    scored = read_scored(job)
    rows = _random_rows(job.setting("random_batch"), len(scored.labels))
    scores = classification_scores(scored.probabilities, scored.labels, scored.classes, rows)
    scores["metrics"] |= _forms_difference(job.input("predictions"))
    write_json(job.output("metrics"), scores)


def _random_rows(batch: Mapping[str, int] | None, count: int) -> np.ndarray | None:
    """Return the places of a batch that is scored on its own, int64 [size]; None where none is wanted."""
    if not batch:
        return None
    if batch["size"] > count:
        raise UserError(f"random_batch.size {batch['size']} is more than the {count} items that there are. Lower it.")
    return np.random.default_rng(batch["seed"]).choice(count, batch["size"], replace=False)


def _forms_difference(predictions: Path) -> dict[str, float]:
    """Return the metric of an engine that has the same network in several forms of layers; none of others."""
    with np.load(predictions) as file:
        if "forms" not in file:
            return {}
        forms = file["forms"]
    differences = [largest_difference(forms[:, 0], forms[:, place]) for place in range(forms.shape[1])]
    return {"forms_difference": max(differences)}
