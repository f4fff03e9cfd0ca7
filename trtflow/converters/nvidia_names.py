"""NVIDIA's `graphsurgeon`, `uff` and `tensorrt` by their own names, for scripts that were written for them."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

OURS = {"graphsurgeon": "trtflow.graphsurgeon", "uff": "trtflow.converters.uff", "tensorrt": "trtflow.reference"}


@contextmanager
def nvidia_names() -> Iterator[None]:
    """Let `import graphsurgeon`, `uff` and `tensorrt` give ours meanwhile, unless NVIDIA's are installed."""
    added = [name for name in OURS if name not in sys.modules and not _is_installed(name)]
    for name in added:
        package = importlib.import_module(OURS[name])
        sys.modules[name] = package
        # Parts of it, as in `import graphsurgeon.extras`, must be the very modules and no second copies of them.
        sys.modules.update(
            {f"{name}.{part}": module for part, module in vars(package).items() if isinstance(module, ModuleType)}
        )
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in added]:
            del sys.modules[name]


def _is_installed(name: str) -> bool:
    """Tell a package from nothing, and from a mere folder of that name on the path, which Python imports as empty."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


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
