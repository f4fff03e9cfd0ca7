"""What engines say beside the framework, beside other precisions, and beside other forms of the same model."""

from __future__ import annotations

from pathlib import Path

from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.classification import largest_difference, top_k_agreement
from trtflow.tasks.common.files import by_precision, read_alike

TOLERANCE = 0.001  # difference of probabilities that is none between precisions
SAME_TOLERANCE = 0.00001  # and within one
PRECISION = "fp32"  # of engines that are compared with the framework or with other forms


def compare(job: Job) -> None:
    """Write the largest difference of a probability from the framework's."""
    engine, framework = read_alike(job.input("predictions"), job.input("framework"), "probabilities")
    write_json(job.output("agreement"), {PRECISION: {"agreement": largest_difference(engine, framework)}})


def compare_top5(job: Job) -> None:
    """Write whether the five likeliest classes of each precision are those of the first."""
    (_, reference), *others = by_precision(job.inputs["predictions"]).items()
    found = {name: _compare(path, reference, TOLERANCE) for name, path in others}
    write_json(job.output("top5"), found)


def compare_programs(job: Job) -> None:
    """Write whether engines of other forms of the model, which lie in folders of their own, say the same."""
    reference = job.input("predictions")
    found: dict[str, float] = {}
    for path in job.inputs["programs"]:
        metrics = _compare(path, reference, SAME_TOLERANCE)
        found |= {f"{path.parent.name}_{metric}": value for metric, value in metrics.items()}
    write_json(job.output("programs"), {PRECISION: found})


def _compare(path: Path, reference: Path, tolerance: float) -> dict[str, float]:
    """Return agreement and largest difference of a file of predictions and others of the same pictures."""
    probabilities, wanted = read_alike(path, reference, "probabilities")
    return {
        "top5_agreement": top_k_agreement(probabilities, wanted, 5, tolerance),
        "difference": largest_difference(probabilities, wanted),
    }
