"""Tasks: how answers are asked for, scored, compared, drawn and timed. One package a task, in it one module a stage.

A stage (infer, score, compare, draw, measure, profile) that a task has no module for is that of `common`. What samples
run under the engine's Python (infer, measure, profile) needs nothing but NumPy.
"""

from __future__ import annotations

import importlib

from trtflow.formats import UserError
from trtflow.job import Job
from trtflow.steps import Step, modules_of, step_of

COMMON = "common"


def load(job: Job, stage: str) -> Step:
    """Return the function that does a job.

    Args:
        job: the job.
        stage: that it is of.

    Raises:
        UserError: there is no such task, or it has no function of that name in that stage.
    """
    tasks = [name for name in modules_of(__name__) if name != COMMON]
    if job.task not in tasks:
        raise UserError(f"unknown task {job.task!r}. Known: {', '.join(tasks)}.")
    for package in (job.task, COMMON):
        if stage in modules_of(f"{__name__}.{package}"):
            module = importlib.import_module(f"{__name__}.{package}.{stage}")
            return step_of(module, job, f"task {job.task!r}, stage {stage},")
    raise UserError(f"{job.sample}: {job.step}: task {job.task!r} has no stage {stage!r}.")
