"""Do with a frozen graph all that a conversion lets TensorFlow do, so that a process of its own shows if that ends it.

python -m trtflow.converters.try_graph frozen.pb

Errors in Python are passed over: whoever reads the graph afterwards tells them.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf
from google.protobuf import text_format

from trtflow.converters.uff.folding import known_ahead, owner


def read(path: Path) -> Any:
    """Return the graph, which was read once already."""
    if path.suffix == ".pbtxt":
        return text_format.Parse(path.read_text(encoding="utf-8"), tf.compat.v1.GraphDef())
    return tf.compat.v1.GraphDef.FromString(path.read_bytes())


def run(graphdef: Any) -> None:
    """Run a graph on zeros, with a size of 1 where one is open; a graph of variables says that it cannot."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graphdef, name="")
        inputs = [op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"]
        feeds = {value: np.zeros([size or 1 for size in value.shape], value.dtype.as_numpy_dtype) for value in inputs}
        read_by_others = {owner(source) for node in graphdef.node for source in node.input}
        outputs = [node.name for node in graphdef.node if node.name not in read_by_others]
        with tf.compat.v1.Session(graph=graph) as session:
            session.run(outputs, feeds)


def main() -> None:
    """Read the command line and try the graph that it names."""
    graphdef = read(Path(sys.argv[1]))
    for attempt in (known_ahead, run):
        with suppress(Exception):
            attempt(graphdef)


if __name__ == "__main__":
    main()
