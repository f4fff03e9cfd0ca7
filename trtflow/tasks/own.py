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
from trtflow.metrics.segmentation import pixel_agreement
from trtflow.samples import ITEMS, RAW, load
from trtflow.tasks.files import by_precision, write_metrics

Arrays = dict[str, np.ndarray]


def read_outputs(path: Path) -> Arrays:
    """Return the outputs [N, ...] that predictions hold as they were, by name: of all items, or of the first ones."""
    names = [name for name in names_in(path) if name.startswith(RAW)]
    return {name.removeprefix(RAW): values for name, values in zip(names, read_arrays(path, *names), strict=True)}


def compare_outputs(job: Job) -> None:
    """Write how the outputs of each precision agree with those of the model as it was.

    `agreement` is the largest difference of what the task scores: of a classifier its probabilities.
    """
    framework = job.input("framework")
    wanted = read_outputs(framework)
    found = {}
    for precision, path in by_precision(job.inputs["predictions"]).items():
        _check_items(path, framework)
        outputs = read_outputs(path)
        for name, values in wanted.items():
            if name not in outputs or outputs[name].shape != values.shape:
                shape = outputs[name].shape if name in outputs else "no such output"
                raise FormatError(path, f"output {name!r}: {shape}, but the framework's has {values.shape}", "")
        found[precision] = {**_outputs_agreement(outputs, wanted), **_answers_agreement(path, framework)}
    write_metrics(job.output("agreement"), found)


def _outputs_agreement(outputs: Arrays, wanted: Arrays) -> dict[str, float]:
    """Return how outputs agree as they are; nothing of a model whose outputs are lists."""
    metrics = output_agreement(outputs, wanted) if wanted else {}
    return {"agreement": metrics["largest_difference"], **metrics} if metrics else {}


def _answers_agreement(path: Path, framework: Path) -> dict[str, float]:
    """Return how what the task makes of the outputs agrees."""
    names = names_in(path)
    for name, compare in (("detections", _detections_agreement), ("mask", _masks_agreement)):
        if name in names:
            return compare(*(read_arrays(file, name)[0] for file in (path, framework)))
    return _top1(path, framework)


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


def _top1(path: Path, framework: Path) -> dict[str, float]:
    """Return the agreement of the likeliest class where that has a meaning: of probabilities, or of one row an item."""
    if "probabilities" in names_in(path):
        (ours,), (theirs,) = read_arrays(path, "probabilities"), read_arrays(framework, "probabilities")
        return {"agreement": largest_difference(ours, theirs), "top1_agreement": top1_agreement(ours, theirs)}
    found, wanted = read_outputs(path), read_outputs(framework)
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
