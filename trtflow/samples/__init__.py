"""One module a sample: what that chapter of the guide teaches, and nothing else.

Each has `define_network(trt, network, export)`, `preprocess(paths)` and `postprocess(outputs)`.
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
