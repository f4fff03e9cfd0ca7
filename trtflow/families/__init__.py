"""The framework's side of networks, one folder a family: how they are trained, asked and written for engines.

A family's own module has the functions that config/families/<family>.yaml names: each takes a `trtflow.job.Job`, reads
its inputs and writes its outputs. Frameworks are imported inside of them, so that a family loads without.

What several families share is in `common`. Modules called `layers`, `common.input_size` and `own.description` need
NumPy alone: samples import them where engines run.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType

from trtflow.formats import UserError
from trtflow.job import Job

COMMON = "common"
Step = Callable[[Job], None]


def load(name: str) -> ModuleType:
    """Return the module of a family.

    Raises:
        UserError: there is no such family.
    """
    known = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != COMMON)
    if name not in known:
        raise UserError(f"unknown family {name!r}. Known: {', '.join(known)}.")
    return importlib.import_module(f"{__name__}.{name}")


def steps_of(family: ModuleType) -> dict[str, Step]:
    """Return a family's functions by name, without what it imports from elsewhere."""
    return {
        name: value
        for name, value in vars(family).items()
        if callable(value) and not name.startswith("_") and value.__module__.startswith(f"{__name__}.")
    }


def function_of(job: Job) -> Step:
    """Return the function of a job's family that does it.

    Raises:
        UserError: there is no such family, or it has no such function.
    """
    steps = steps_of(load(job.family))
    if job.function not in steps:
        raise UserError(
            f"{job.sample}: {job.step}: family {job.family!r} has no function {job.function!r}. It has "
            f"{', '.join(sorted(steps)) or 'none'}."
        )
    return steps[job.function]
