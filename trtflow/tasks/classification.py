"""Which class a picture, or whatever else, is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtflow import datasets
from trtflow.datasets.digits import first_of_each
from trtflow.datasets.images import read_image
from trtflow.datasets.manifest import locate
from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import names_in, read_arrays
from trtflow.formats.files import write_text
from trtflow.job import Job
from trtflow.metrics.classification import classification_scores, largest_difference, top_k_agreement
from trtflow.samples import load as load_sample
from trtflow.tasks.files import by_precision, read_alike, write_metrics, write_scores
from trtflow.tasks.inference import infer
from trtflow.tasks.losses import measure_losses
from trtflow.tasks.measurement import measure, profile
from trtflow.tasks.own import compare_outputs, hook_scores
from trtflow.tasks.targets import run_targets

__all__ = [
    "compare",
    "compare_outputs",
    "compare_programs",
    "compare_top5",
    "draw_confusion",
    "draw_digits",
    "draw_pictures",
    "infer",
    "measure",
    "measure_losses",
    "profile",
    "run_targets",
    "score",
]

OWN = "own"  # family of samples whose data are no data set of ours


@dataclass(frozen=True)
class Scored:
    """Predictions and truth.

    Attributes:
        probabilities: float32 [N, classes].
        labels: int64 [N].
        classes: names by label.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    classes: Sequence[str]


def read_scored(job: Job) -> Scored:
    """Return the predictions of a job with the classes of its held-out items.

    Raises:
        FormatError: the predictions are of other items, or of other classes.
    """
    path = job.input("predictions")
    data, labels, classes = _truth(job)
    (probabilities,) = read_arrays(path, "probabilities")
    if len(probabilities) != len(labels):
        fault = f"{len(probabilities)} predictions, but {data} has {len(labels)} items"
        raise FormatError(path, fault, "Run infer.py again.")
    if probabilities.ndim != 2 or probabilities.shape[1] <= labels.max():
        fault = f"probabilities of shape {probabilities.shape}, but {data} has the class {labels.max()}"
        raise FormatError(path, fault, "Run infer.py again.")
    return Scored(probabilities, labels, classes)


def _truth(job: Job) -> tuple[Path, np.ndarray, Sequence[str]]:
    """Return where the held-out items are, their labels, and the names of the classes."""
    if job.family == OWN:
        data, sample = Path(job.setting("own.data.val") or job.input("val")), load_sample(job.sample)
        return data, sample.read_truth(data), sample.classes
    data_set = datasets.load_module(job.data_set)
    folder, split = locate(job.input("val"))
    return job.input("val"), data_set.read_labels(folder, split), data_set.read_classes(folder)


def score(job: Job) -> None:
    """Write top-1, top-5, the recall of each class, and where one is wanted the top-1 of a random batch."""
    scored = read_scored(job)
    rows = _random_rows(job.setting("random_batch"), len(scored.labels))
    scores = classification_scores(scored.probabilities, scored.labels, scored.classes, rows)
    scores["metrics"] |= _forms_difference(job.input("predictions"))
    if job.family == OWN:
        scores["metrics"] |= hook_scores(job)
    write_scores(job, scores, {"probabilities": scored.probabilities})


def _random_rows(batch: Mapping[str, int] | None, count: int) -> np.ndarray | None:
    """Return the places of a batch that is scored on its own, int64 [size]; None where none is wanted."""
    if not batch:
        return None
    if batch["size"] > count:
        raise UserError(f"random_batch.size {batch['size']} is more than the {count} items that there are. Lower it.")
    return np.random.default_rng(batch["seed"]).choice(count, batch["size"], replace=False)


def _forms_difference(predictions: Path) -> dict[str, float]:
    """Return the metric of an engine that has the same network in several forms of layers; none of others."""
    if "forms" not in names_in(predictions):
        return {}
    (forms,) = read_arrays(predictions, "forms")
    differences = [largest_difference(forms[:, 0], forms[:, place]) for place in range(forms.shape[1])]
    return {"forms_difference": max(differences)}


TOLERANCE = 0.001  # difference of probabilities that is none between precisions
SAME_TOLERANCE = 0.00001  # and within one
PRECISION = "fp32"  # of engines that are compared with the framework or with other forms


def compare(job: Job) -> None:
    """Write the largest difference of a probability from the framework's."""
    engine, framework = read_alike(job.input("predictions"), job.input("framework"), "probabilities")
    write_metrics(job.output("agreement"), {PRECISION: {"agreement": largest_difference(engine, framework)}})


def compare_top5(job: Job) -> None:
    """Write whether the five likeliest classes of each precision are those of the first."""
    (_, reference), *others = by_precision(job.inputs["predictions"]).items()
    found = {name: _compare(path, reference, TOLERANCE) for name, path in others}
    write_metrics(job.output("top5"), found)


def compare_programs(job: Job) -> None:
    """Write whether engines of other forms of the model, which lie in folders of their own, say the same."""
    reference = job.input("predictions")
    found: dict[str, float] = {}
    for path in job.inputs["programs"]:
        metrics = _compare(path, reference, SAME_TOLERANCE)
        found |= {f"{path.parent.name}_{metric}": value for metric, value in metrics.items()}
    write_metrics(job.output("programs"), {PRECISION: found})


def _compare(path: Path, reference: Path, tolerance: float) -> dict[str, float]:
    """Return agreement and largest difference of a file of predictions and others of the same pictures."""
    probabilities, wanted = read_alike(path, reference, "probabilities")
    return {
        "top5_agreement": top_k_agreement(probabilities, wanted, 5, tolerance),
        "difference": largest_difference(probabilities, wanted),
    }


DRAWN = 24  # pictures, at most
LISTED = 100  # items of a model of the user's own in the text


def draw_digits(job: Job) -> None:
    """Draw ten digits with what the engine says of each: as text, as in the guide's samples, and as a picture."""
    from trtflow.reporting.digits import rendering, write_digits_figure  # noqa: PLC0415 - matplotlib: drawing alone

    scored = read_scored(job)
    folder, split = locate(job.input("val"))
    ten = first_of_each(scored.labels)
    images = datasets.load_module(job.data_set).read_images(folder, split)[0][ten]
    guesses = scored.probabilities[ten]
    text = "\n".join(rendering(image, guess) for image, guess in zip(images, guesses, strict=True))
    print(text)
    write_text(job.output("text"), text)
    write_digits_figure(job.output("picture"), images, guesses)


def draw_pictures(job: Job) -> None:
    """Draw the first held-out pictures with what the engine says of each, and write the five likeliest classes."""
    from trtflow.reporting.pictures import top5_text, write_pictures_figure  # noqa: PLC0415 - as above

    scored, shown = read_scored(job), slice(DRAWN)
    folder, split = locate(job.input("val"))
    paths, names = datasets.load_module(job.data_set).read_images(folder, split)
    probabilities, labels = scored.probabilities[shown], scored.labels[shown]
    text = top5_text(names[shown], probabilities, labels, scored.classes)
    print(text, end="")
    write_text(job.output("text"), text)
    images = [read_image(path) for path in paths[shown]]
    write_pictures_figure(job.output("picture"), images, probabilities, labels, scored.classes)


def draw_confusion(job: Job) -> None:
    """Draw which class the engine takes for which, and write the five likeliest classes of the first items."""
    from trtflow.reporting.pictures import top5_text, write_confusion_figure  # noqa: PLC0415 - as above

    scored, listed = read_scored(job), slice(LISTED)
    (names,) = read_arrays(job.input("predictions"), "images")
    text = top5_text(names[listed].tolist(), scored.probabilities[listed], scored.labels[listed], scored.classes)
    write_text(job.output("text"), text)
    write_confusion_figure(job.output("picture"), scored.probabilities, scored.labels, scored.classes)
