"""Which function does a step: data sets and tasks have them in modules, by name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

from trtflow.formats import UserError
from trtflow.job import Job

Step = Callable[[Job], None]


def modules_of(package: str) -> list[str]:
    """Return the names of the modules in a package."""
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))


def steps_of(module: ModuleType) -> dict[str, Step]:
    """Return the functions of a module that do steps: those that take a job and nothing else."""
    found = inspect.getmembers(module, inspect.isfunction)
    return {name: function for name, function in found if not name.startswith("_") and _takes_a_job(function)}


def _takes_a_job(function: Step) -> bool:
    signature = inspect.signature(function)
    return list(signature.parameters) == ["job"] and signature.return_annotation in ("None", None)


def step_of(module: ModuleType, job: Job, place: str) -> Step:
    """Return the function of a module that does a job.

    Args:
        module: the module.
        job: whose function.
        place: what the module is, for people: "data set 'digits'".

    Raises:
        UserError: there is no such function.
    """
    steps = steps_of(module)
    if job.function not in steps:
        known = ", ".join(sorted(steps)) or "nothing"
        raise UserError(f"{job.sample}: {job.step}: {place} has no function {job.function!r}. It has {known}.")
    return steps[job.function]


def required(job: Job, name: str) -> Any:
    """Return a setting that a step cannot do without.

    Raises:
        UserError: it is not set.
    """
    value = job.setting(name)
    if value is None:
        raise UserError(f"{job.sample}: {job.step}: {name} is not set. Set it in the sample's configuration.")
    return value
