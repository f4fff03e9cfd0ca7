"""Python processes that a script starts: they have NVIDIA's names too.

A new Python imports `sitecustomize` before anything else. Ours, in the folder `site` beside this module, is put on its
path by PYTHONPATH; it installs what an environment variable says, and then runs the `sitecustomize` that there was.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from trtflow.nvidia.patches import Patches

if TYPE_CHECKING:
    from trtflow.nvidia.names import Names

VARIABLE = "TRTFLOW_NAMES"
SITE = Path(__file__).parent / "site"
ROOT = Path(__file__).parents[2]  # where trtflow is imported from


def tell(patches: Patches, names: Names) -> None:
    """Put into the environment what children are to do."""
    settings = asdict(names) | {"plugins": [str(path.resolve()) for path in names.plugins]}
    told = {"python": list(sys.version_info[:2]), "root": str(ROOT), "names": settings}
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(SITE)]
    patches.set_item(os.environ, VARIABLE, json.dumps(told))
    patches.set_item(os.environ, "PYTHONPATH", os.pathsep.join([str(SITE), *paths]))


def start(settings: dict[str, object]) -> None:
    """Install, in a child, what its parent told it; it stays until the process ends."""
    from trtflow.nvidia.names import Names, given  # noqa: PLC0415 - this module is imported by that

    names = Names(**{**settings, "plugins": tuple(map(Path, settings["plugins"]))})  # type: ignore[arg-type, call-overload]
    stack = ExitStack()
    stack.enter_context(given(names))
    atexit.register(stack.close)
