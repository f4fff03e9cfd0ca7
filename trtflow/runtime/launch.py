"""How scripts that touch an engine start: under the Python that has the backend."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from trtflow.cli import run
from trtflow.runtime.backend import other_python


def run_on_backend(main: Callable[[], None]) -> None:
    """Run a script's `main` as `trtflow.cli.run` does, under the Python that has the backend of its `--backend-file`.

    TensorRT has a Python of its own (`engine_python`); the script starts anew there when this one lacks TensorRT.
    """

    def switch_and_run() -> None:
        option = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        option.add_argument("--backend-file", type=Path)
        path = option.parse_known_args()[0].backend_file
        if path is not None and (python := other_python(path)) is not None:
            sys.stdout.flush()
            os.execv(python, [python, *sys.argv])
        main()

    run(switch_and_run)
