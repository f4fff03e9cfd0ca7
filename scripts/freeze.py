"""Freeze a TensorFlow model: a Keras file, a SavedModel, or a graph of TensorFlow 1 with its checkpoint.

python scripts/freeze.py results/uff_mnist/model/network.keras --input in --output out \\
    --out results/uff_mnist/model/frozen.pb
"""

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import _path  # noqa: F401
import tensorflow as tf

from trtflow.cli import parser, run
from trtflow.converters.freeze import freeze_checkpoint, freeze_keras, freeze_saved_model, write_graph
from trtflow.formats import UserError


def frozen(source: Path, options: Namespace) -> Any:
    """Return the frozen graph of a model, by the kind of its file."""
    if not source.exists():
        raise FileNotFoundError(2, "no such file", str(source))
    if source.suffix in (".meta", ".pb", ".pbtxt"):
        if options.checkpoint is None or not options.output or options.input:
            raise UserError(f"{source}: a graph of TensorFlow 1 needs --checkpoint and --output, and keeps its names.")
        return freeze_checkpoint(source, options.checkpoint, options.output)
    if source.is_dir():
        return freeze_saved_model(source, options.input, options.output, options.signature)
    return freeze_keras(source, options.input, options.output)


def described(node: Any) -> str:
    """Return a node's name, and its type and shape where it is an input."""
    if "shape" not in node.attr:
        return node.name
    sizes = [str(dim.size) if dim.size >= 0 else "?" for dim in node.attr["shape"].shape.dim]
    return f"{node.name} {tf.as_dtype(node.attr['dtype'].type).name} [{', '.join(sizes)}]"


def main() -> None:
    """Read the command line, freeze and write, and print the names of inputs and outputs."""
    arguments = parser(__doc__)
    arguments.add_argument(
        "source", type=Path, help=".keras or .h5 file, folder of a SavedModel, or .meta, .pb, .pbtxt"
    )
    arguments.add_argument(
        "--checkpoint", type=Path, help="prefix of the checkpoint that belongs to a .meta, .pb or .pbtxt"
    )
    arguments.add_argument("--signature", default="serving_default", help="signature of a SavedModel")
    arguments.add_argument("--input", action="append", default=[], help="new name of an input, in the model's order")
    arguments.add_argument(
        "--output", action="append", default=[], help="new name of an output; with --checkpoint a node"
    )
    arguments.add_argument("--out", type=Path, required=True, help="graph to write")
    options = arguments.parse_args()

    graph = frozen(options.source, options)
    write_graph(graph, options.out)
    read = {source.lstrip("^").partition(":")[0] for node in graph.node for source in node.input}
    print(f"inputs: {', '.join(described(node) for node in graph.node if node.op == 'Placeholder')}")
    print(f"outputs: {', '.join(options.output or [node.name for node in graph.node if node.name not in read])}")


if __name__ == "__main__":
    run(main)
