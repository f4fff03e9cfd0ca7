"""What all tasks do for models of the user's own: outputs against the model as it was, and the user's own score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.arrays import names_in, read_arrays
from trtflow.job import Job
from trtflow.metrics.agreement import output_agreement, top1_agreement
from trtflow.metrics.classification import largest_difference
from trtflow.metrics.detections import LEAST_SCORE, least_matched_iou, max_difference, overlap_agreement
from trtflow.metrics.multilabel import label_agreement
from trtflow.metrics.segmentation import pixel_agreement
from trtflow.samples import ITEMS, RAW, load
from trtflow.tasks.files import COUNTS, SPOILT, by_precision, write_metrics

Arrays = dict[str, np.ndarray]


def read_outputs(path: Path) -> Arrays:
    """Return the outputs [N, ...] that predictions hold as they were, by name: of all items, or of the first ones."""
    return _outputs_of(read_answers(path))


def compare_outputs(job: Job) -> None:
    """Write how the outputs of each precision agree with those of the model as it was.

    `agreement` is the largest difference of what the task scores: of a classifier its probabilities.
    """
    framework = job.input("framework")
    wanted = read_answers(framework)
    found = {}
    for precision, path in by_precision(job.inputs["predictions"]).items():
        _check_items(path, framework)
        answers = read_answers(path)
        for name, values in wanted.items():
            if name not in answers or answers[name].shape != values.shape:
                shape = answers[name].shape if name in answers else "no such output"
                fault = f"{name.removeprefix(RAW)!r}: {shape}, but the framework's has {values.shape}"
                raise FormatError(path, fault, "Make both again.")
        found[precision] = agreement_of(answers, wanted)
    write_metrics(job.output("agreement"), found)


def read_answers(path: Path) -> Arrays:
    """Return all that predictions hold of the items, by name: the task's answers, and outputs as they were."""
    names = [name for name in names_in(path) if name not in (ITEMS, SPOILT, COUNTS)]
    return dict(zip(names, read_arrays(path, *names), strict=True))


def agreement_of(found: Arrays, wanted: Arrays) -> dict[str, float]:
    """Return how two engines agree, or an engine and the framework.

    Args:
        found, wanted: what a sample of the user's own makes of the outputs, [N, ...] by name, of the same items.
    """
    outputs, theirs = _outputs_of(found), _outputs_of(wanted)
    metrics = output_agreement(outputs, theirs) if theirs else {}
    told = {"agreement": metrics["largest_difference"], **metrics} if metrics else {}
    for name, compare in ANSWERS:
        if name in wanted:
            return {**told, **compare(found[name], wanted[name])}
    return {**told, **_rows_agreement(outputs, theirs)}


def _outputs_of(answers: Arrays) -> Arrays:
    """Return the outputs as they were; none of a model whose outputs are lists."""
    return {name.removeprefix(RAW): values for name, values in answers.items() if name.startswith(RAW)}


def _detections_agreement(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    return {
        "agreement": max_difference(found, wanted, LEAST_SCORE),
        "matched_iou": least_matched_iou(found, wanted),
        "overlap_agreement": overlap_agreement(found, wanted),
    }


def _masks_agreement(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    return {"pixel_agreement": pixel_agreement(found, wanted)}


def _check_items(path: Path, other: Path) -> None:
    (names,), (others,) = read_arrays(path, ITEMS), read_arrays(other, ITEMS)
    if names.tolist() != others.tolist():
        raise FormatError(path, f"not of the same items as {other}", "Make both again.")


def _probabilities_agreement(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    return {"agreement": largest_difference(found, wanted), "top1_agreement": top1_agreement(found, wanted)}


def _labels_agreement(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    return {"label_agreement": label_agreement(found, wanted)}


ANSWERS = (
    ("detections", _detections_agreement),
    ("mask", _masks_agreement),
    ("labels", _labels_agreement),
    ("probabilities", _probabilities_agreement),
)
"""What the answers of tasks are called, and how two of them agree."""


def _rows_agreement(found: Arrays, wanted: Arrays) -> dict[str, float]:
    """Return the agreement of the likeliest class where that has a meaning: of outputs with one row an item."""
    rows = [name for name, values in wanted.items() if values.ndim == 2 and values.shape[1] > 1]
    return {"top1_agreement": min(top1_agreement(found[name], wanted[name]) for name in rows)} if rows else {}


def hook_scores(job: Job) -> dict[str, float]:
    """Return the metrics of the user's own `score`; none where there is none."""
    sample = load(job.sample)
    if getattr(sample, "hook", None) is None or sample.hook.score is None:
        return {}
    items, _ = sample.read_images(Path(job.setting("own.data.val")), "val")
    return dict(sample.hook.scored(read_outputs(job.input("predictions")), items))


def read_same(job: Job, sample: Any) -> tuple[Arrays, Arrays]:
    """Return outputs that have targets, and these targets, [N, ...] each in the output's shape, by the output's name.

    Raises:
        FormatError: they are of different shapes or numbers of items.
    """
    place = Path(job.setting("own.data.val"))
    targets, outputs = sample.read_targets(place), read_outputs(job.input("predictions"))
    for name, true in targets.items():
        predicted = outputs[name]
        if len(true) != len(predicted) or true[0].size != predicted[0].size:
            fault = f"targets of shape {true.shape}, but output {name!r} has {predicted.shape}"
            raise FormatError(place, fault, "Give each item as many numbers as the model says of it.")
    return {name: outputs[name] for name in targets}, {
        name: true.reshape(outputs[name].shape) for name, true in targets.items()
    }
