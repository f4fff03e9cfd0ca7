"""No labels: nothing is scored but by the user's own hook, and precisions are compared with the model as it was."""

from __future__ import annotations

from trtflow.job import Job
from trtflow.tasks.files import write_scores
from trtflow.tasks.inference import infer
from trtflow.tasks.losses import measure_losses
from trtflow.tasks.measurement import measure, profile
from trtflow.tasks.own import compare_outputs, hook_scores, read_outputs
from trtflow.tasks.targets import run_targets

__all__ = ["compare_outputs", "infer", "measure", "measure_losses", "profile", "run_targets", "score"]


def score(job: Job) -> None:
    """Write the metrics of the user's hook, if there is one, and how many values are no numbers."""
    write_scores(job, {"metrics": hook_scores(job)}, read_outputs(job.input("predictions")))
