"""One module a sample: what that chapter of the guide teaches, and nothing else.

Each says what data it takes (`read_images(folder, split)`, the data set's own function), what the engine sees of it
(`preprocess(images, export)`, for the binding `INPUT`), what it is made of (`define_network(trt, network, export)`) and
what its outputs mean (`postprocess(outputs)`). Where it needs them: `EXPLICIT_BATCH`, a network without an implicit
batch; `PLUGINS`, plugins that the engine needs; `NETWORKS`, all networks by name where there are several; `REFIT` with
`refit(trt, engine, export)`, weights given after the build. Samples that run step by step have functions of their own
instead of the first, second and last of these.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from trtflow.formats import UserError


def load(name: str) -> ModuleType:
    """Return the module of a sample."""
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in known:
        raise UserError(f"unknown sample {name!r}. Known: {', '.join(known)}.")
    return importlib.import_module(f"{__name__}.{name}")
