"""The command convert-to-uff, with the options of NVIDIA's."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from trtflow.cli import quiet_tensorflow


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    arguments.add_argument("input_file", type=Path, help="frozen TensorFlow graph (.pb)")
    arguments.add_argument("-l", "--list-nodes", action="store_true", help="list the graph's nodes and do no more")
    arguments.add_argument(
        "-t", "--text", action="store_true", help="print the text form, and write it beside the output as .pbtxt"
    )
    arguments.add_argument("--write_preprocessed", action="store_true", help="write the preprocessed graph too")
    arguments.add_argument("-q", "--quiet", action="store_true", help="print nothing but warnings")
    arguments.add_argument("-d", "--debug", action="store_true", help="print each node as it is converted")
    arguments.add_argument("-o", "--output", type=Path, help="UFF file to write; default: the input's name with .uff")
    arguments.add_argument(
        "-O", "--output-node", action="append", default=[], help="name of an output; may be given again"
    )
    arguments.add_argument(
        "-I",
        "--input-node",
        action="append",
        default=[],
        metavar="NAME,NEW_NAME,DTYPE,DIM1,...",
        help="make this node an input; may be given again",
    )
    arguments.add_argument("-p", "--preprocessor", type=Path, help="Python file with preprocess(dynamic_graph)")
    arguments.add_argument(
        "--plugins", type=Path, action="append", default=[], metavar="FILE.py", help="own plugins; may be given again"
    )
    arguments.add_argument("--strict", action="store_true", help="refuse operations that UFF does not know")


def convert(options: argparse.Namespace) -> None:
    """Write the UFF file, or what else the options ask for.

    Raises:
        UserError: something about the graph, the preprocessor or the plugins.
    """
    quiet_tensorflow()
    from trtflow.converters.uff.convert import from_tensorflow_frozen_model  # noqa: PLC0415 - loads TensorFlow
    from trtflow.runtime.own_plugins import load_plugin_file  # noqa: PLC0415

    for path in options.plugins:
        load_plugin_file(path)
    output = options.output or options.input_file.with_suffix(".uff")
    from_tensorflow_frozen_model(
        options.input_file,
        options.output_node,
        preprocessor=options.preprocessor,
        output_filename=output,
        text=options.text,
        quiet=options.quiet,
        list_nodes=options.list_nodes,
        write_preprocessed=options.write_preprocessed,
        debug_mode=options.debug,
        strict=options.strict,
        input_node=options.input_node,
    )
    if options.text and not options.quiet and not options.list_nodes:
        print(output.with_suffix(".pbtxt").read_text(encoding="utf-8"))


def main(description: str = __doc__, arguments: Sequence[str] | None = None) -> None:
    """Read the command line and convert."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("convert-to-uff", description=description, formatter_class=form)
    add_arguments(parser)
    convert(parser.parse_args(arguments))
