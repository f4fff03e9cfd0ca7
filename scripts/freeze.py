"""Freeze a TensorFlow model: a Keras file, a SavedModel, or a meta graph of TensorFlow 1 with its checkpoint.

python scripts/freeze.py results/uff_mnist/model/network.keras --input in --output out \\
    --out results/uff_mnist/model/frozen.pb
"""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.converters.freeze import freeze_checkpoint, freeze_keras, freeze_saved_model, write_graph
from trtflow.formats import UserError


def frozen(source: Path, checkpoint: Path | None, inputs: list[str], outputs: list[str]) -> Any:
    """Return the frozen graph of a model, by the kind of its file."""
    if not source.exists():
        raise FileNotFoundError(2, "no such file", str(source))
    if source.suffix == ".meta":
        if checkpoint is None or not outputs:
            raise UserError(f"{source}: a meta graph needs --checkpoint and --output.")
        return freeze_checkpoint(source, checkpoint, outputs)
    if source.is_dir():
        return freeze_saved_model(source, inputs, outputs)
    return freeze_keras(source, inputs, outputs)


def main() -> None:
    """Read the command line, freeze and write, and print the names of inputs and outputs."""
    arguments = parser(__doc__)
    arguments.add_argument("source", type=Path, help=".keras or .h5 file, folder of a SavedModel, or .meta file")
    arguments.add_argument("--checkpoint", type=Path, help="prefix of the checkpoint that belongs to a .meta file")
    arguments.add_argument("--input", action="append", default=[], help="new name of an input, in the model's order")
    arguments.add_argument("--output", action="append", default=[], help="new name of an output; of a .meta: a node")
    arguments.add_argument("--out", type=Path, required=True, help="graph to write")
    options = arguments.parse_args()

    graph = frozen(options.source, options.checkpoint, options.input, options.output)
    write_graph(graph, options.out)
    placeholders = [node.name for node in graph.node if node.op == "Placeholder"]
    print(f"inputs: {', '.join(placeholders)}; last node: {graph.node[-1].name}")


if __name__ == "__main__":
    run(main)
