"""Data sets: readers of what is downloaded, makers of what is not.

A data set that samples name (config/data_sets) is a module with the functions that make its files, each for a job.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from trtflow.formats import UserError
from trtflow.job import Job
from trtflow.steps import Step, modules_of, step_of, steps_of


def load(job: Job) -> Step:
    """Return the function that makes the files of a job.

    Raises:
        UserError: there is no such data set, or it has no function of that name.
    """
    return step_of(load_module(job.data_set), job, f"data set {job.data_set!r}")


def load_module(name: str) -> ModuleType:
    """Return the module of a data set.

    Raises:
        UserError: there is none.
    """
    names = modules_of(__name__)
    module = importlib.import_module(f"{__name__}.{name}") if name in names else None
    if module is None or not steps_of(module):
        known = [other for other in names if steps_of(importlib.import_module(f"{__name__}.{other}"))]
        raise UserError(f"unknown data set {name!r}. Known: {', '.join(known)}.")
    return module
