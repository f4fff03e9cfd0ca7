"""The command convert-to-uff, with the options of NVIDIA's."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from trtflow.runtime.own_plugins import load_plugin_file


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    arguments = argparse.ArgumentParser(
        prog="convert-to-uff", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    return arguments


def main(description: str = __doc__, arguments: Sequence[str] | None = None) -> None:
    """Read the command line and convert."""
    options = argument_parser(description).parse_args(arguments)
    for path in options.plugins:
        load_plugin_file(path)
    from trtflow.converters.uff.convert import from_tensorflow_frozen_model  # noqa: PLC0415 - loads TensorFlow

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
