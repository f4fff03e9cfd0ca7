"""The commands of `trtflow`, one module each: what it is for and examples in its docstring, which `--help` shows.

A module has `add_arguments(parser)` and `main(options)`, and loads what it needs when it runs, so that help and the
other commands come at once.
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command: the module that has it, and what `trtflow --help` says of it."""

    module: str
    summary: str


COMMANDS = {
    "list": Command("trtflow.commands.list", "list the samples and how they stand"),
    "init": Command("trtflow.commands.init", "write the YAML file of a sample for a model of your own"),
    "run": Command("trtflow.nvidia.command", "run a Python script for TensorRT as it is, on a CPU"),
    "inspect": Command("trtflow.commands.inspect", "show the layers, shapes and precisions of a model"),
    "table": Command("trtflow.commands.table", "read, convert and compare INT8 calibration tables"),
    "migrate": Command("trtflow.commands.migrate", "write a Caffe, UFF or TensorFlow model as plain ONNX"),
    "convert-to-uff": Command("trtflow.commands.convert_to_uff", "convert a frozen TensorFlow graph to UFF"),
}
