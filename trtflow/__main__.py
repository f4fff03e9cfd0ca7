"""TensorRT 8's models and scripts without a GPU: inspect, migrate, calibrate, run.

examples:
  trtflow run build_engine.py --onnx model.onnx
  trtflow inspect model.onnx
  trtflow table compare CalibrationTable other/CalibrationTable
  trtflow migrate model.caffemodel --table CalibrationTable
  trtflow COMMAND --help    options and examples of a command
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import trtflow
from trtflow.cli import run
from trtflow.commands import COMMANDS
from trtflow.formats import UserError
from trtflow.workflow.errors import unknown


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run the command that it names."""
    run(lambda: _run(sys.argv[1:] if arguments is None else list(arguments)), trace=False)


def _run(arguments: list[str]) -> None:
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        command_parser(None).parse_args(arguments[:1] if name.startswith("-") else [])
        raise UserError(unknown("command", name, COMMANDS) if name else "no command. `trtflow --help` lists them.")
    command = import_module(COMMANDS[name].module)
    command.main(command_parser(command).parse_args(arguments))


def command_parser(command: ModuleType | None) -> argparse.ArgumentParser:
    """Return the parser of the command line; of the commands it knows the options of one alone."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("trtflow", description=__doc__, formatter_class=form)
    parser.add_argument("--version", action="version", version=f"trtflow {trtflow.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", dest="command")
    for name, (module, summary) in COMMANDS.items():
        described = command if command is not None and command.__name__ == module else None
        text = described.__doc__ if described else None
        added = commands.add_parser(name, help=summary, description=text, formatter_class=form)
        if described:
            described.add_arguments(added)
    return parser


if __name__ == "__main__":
    main()
