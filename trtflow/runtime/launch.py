"""How scripts that touch an engine start: under the Python that has the backend."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from trtflow.cli import run
from trtflow.runtime.backend import other_python


def run_on_backend(main: Callable[[], None]) -> None:
    """Run a script's `main` as `trtflow.cli.run` does, under the Python that has the backend of the command line.

    TensorRT has a Python of its own (`engine_python`); the script starts anew there when this one lacks TensorRT.
    """

    def switch_and_run() -> None:
        switch_python()
        main()

    run(switch_and_run)


def switch_python() -> None:
    """Start the script anew under the Python that has the backend, where this one has not.

    The backend's file is `--backend-file`, or the input `backend` of `--job`: by hand a script has that once it has
    read its job.
    """
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--backend-file", type=Path)
    options.add_argument("--job")
    given = options.parse_known_args()[0]
    path = _of_job(given.job) if given.backend_file is None else given.backend_file
    if path is not None and (python := other_python(path)) is not None:
        sys.stdout.flush()
        os.execv(python, [python, *sys.argv])


def _of_job(text: str | None) -> Path | None:
    files = json.loads(text)["inputs"].get("backend") if text else None
    return Path(files[0]) if files else None
