"""NVIDIA's `graphsurgeon` and `uff` by their own names, for scripts that were written for them."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

OURS = {"graphsurgeon": "trtflow.graphsurgeon", "uff": "trtflow.converters.uff"}


@contextmanager
def nvidia_names() -> Iterator[None]:
    """Let `import graphsurgeon` and `import uff` give ours meanwhile, unless NVIDIA's are installed."""
    added = []
    for name, module in OURS.items():
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            sys.modules[name] = importlib.import_module(module)
            added.append(name)
    try:
        yield
    finally:
        for name in added:
            sys.modules.pop(name, None)


def run_script(path: Path, arguments: Sequence[str]) -> None:
    """Run a script as `python path arguments` does, with NVIDIA's packages there by name."""
    kept = sys.argv, sys.path[:]
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        with nvidia_names():
            runpy.run_path(str(path), run_name="__main__")
    finally:
        sys.argv, sys.path[:] = kept
