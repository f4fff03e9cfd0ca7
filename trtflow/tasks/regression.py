"""Numbers that a model predicts."""

from __future__ import annotations

import numpy as np

from trtflow.job import Job
from trtflow.metrics.regression import regression_scores
from trtflow.samples import load as load_sample
from trtflow.tasks.files import write_scores
from trtflow.tasks.inference import infer
from trtflow.tasks.losses import measure_losses
from trtflow.tasks.measurement import measure, profile
from trtflow.tasks.own import compare_outputs, hook_scores, read_same
from trtflow.tasks.targets import run_targets

__all__ = ["compare_outputs", "draw_scatter", "infer", "measure", "measure_losses", "profile", "run_targets", "score"]


def score(job: Job) -> None:
    """Write RMSE, MAE and R² over all outputs that have targets, and each output's where there are several."""
    outputs, targets = read_same(job, load_sample(job.sample))
    each = {name: regression_scores(outputs[name], targets[name]) for name in targets}
    rows = [
        np.concatenate([values[name].reshape(len(values[name]), -1) for name in targets], axis=1)
        for values in (outputs, targets)
    ]
    metrics = regression_scores(*rows)
    if len(each) > 1:
        metrics |= {f"{metric}:{name}": value for name, scores in each.items() for metric, value in scores.items()}
    write_scores(job, {"metrics": {**metrics, **hook_scores(job)}}, outputs)


def draw_scatter(job: Job) -> None:
    """Draw what was predicted against what is true, a panel an output."""
    from trtflow.reporting.regression import write_scatter_figure  # noqa: PLC0415 - matplotlib: drawing alone

    write_scatter_figure(job.output("picture"), *read_same(job, load_sample(job.sample)))
