"""Engine and PyTorch side by side: each is measured in the Python that has it, one after the other, in one run.

TensorRT 8.6 ends at Python 3.10, so that one Python with both is rare. The script that compares runs under the engine's
Python and starts itself once more under PyTorch's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trtflow.cli import run_command
from trtflow.formats import UserError
from trtflow.formats.files import write_json


def add_side_options(arguments: argparse.ArgumentParser) -> None:
    """Add the options that say where PyTorch is; the last two are for the second process."""
    arguments.add_argument("--torch-python", default=sys.executable, help="Python with PyTorch")
    arguments.add_argument("--side", choices=["torch"], help=argparse.SUPPRESS)
    arguments.add_argument("--found", type=Path, help=argparse.SUPPRESS)


def measure_sides(
    options: argparse.Namespace, sides: Mapping[str, Callable[[], dict[str, Any]]]
) -> dict[str, dict[str, Any]] | None:
    """Measure `engine` here and `torch` in its Python.

    Args:
        options: with those of `add_side_options`.
        sides: for each name a function that measures it and returns what JSON can hold.

    Returns:
        what both returned, by name; None in the second process, which has nothing else to do.

    Raises:
        UserError: the second process failed.
    """
    if options.side:
        write_json(options.found, sides[options.side]())
        return None
    found = {"engine": sides["engine"]()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "torch.json"
        command = [options.torch_python, *sys.argv, "--side", "torch", "--found", str(path)]
        try:
            run_command(command)
        except OSError as error:
            raise UserError(f"{options.torch_python}: {error}. Give --torch-python a Python with PyTorch.") from error
        return {**found, "torch": json.loads(path.read_text())}
