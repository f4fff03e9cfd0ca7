"""Tasks: how answers are asked for, scored, compared, drawn and timed, one module a task.

What samples run under the engine's Python (inference and timing) needs nothing but NumPy. So modules import what draws
where they draw.
"""

from __future__ import annotations

import importlib

from trtflow.formats import UserError
from trtflow.job import Job
from trtflow.steps import Step, modules_of, step_of

SHARED = (
    "files",
    "inference",
    "losses",
    "measurement",
    "own",
    "serving",
    "targets",
)  # of several tasks, or a part of one


def load(job: Job) -> Step:
    """Return the function that does a job.

    Raises:
        UserError: there is no such task, or it has no function of that name.
    """
    known = [name for name in modules_of(__name__) if name not in SHARED]
    if job.task not in known:
        raise UserError(f"{job.sample}: unknown task {job.task!r}. Known: {', '.join(known)}.")
    return step_of(importlib.import_module(f"{__name__}.{job.task}"), job, f"task {job.task!r}")
