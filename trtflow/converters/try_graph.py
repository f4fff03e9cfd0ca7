"""Do with frozen graphs all that a conversion lets TensorFlow do, each in a process of its own that it may end.

python -m trtflow.converters.try_graph

Reads paths from standard input, as JSON, one a line; answers each with a line of JSON: the exit status of the process
that tried it (below 0 the signal that ended it) and what it said. TensorFlow is loaded once, and forked for each graph
before it has threads. Errors in Python are passed over: whoever reads the graph afterwards tells them.
"""

import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf
from google.protobuf import text_format

from trtflow.converters.uff.folding import known_ahead
from trtflow.formats.graphdef import owner
from trtflow.graphsurgeon.harmless import without_saving

LONGEST_S = 300
LAST_WORDS = 10_000  # characters of them that are kept


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


def attempt(path: Path) -> None:
    """Do all of it with one file."""
    graphdef = without_saving(read(path))
    for part in (known_ahead, run):
        with suppress(Exception):
            part(graphdef)


def fork(path: Path) -> tuple[int, str]:
    """Return the exit status of a process that tries a file, and what it wrote to its standard error."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.dup2(said.fileno(), 2)
                signal.alarm(LONGEST_S)
                attempt(path)
                status = 0
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(ended), said.read().decode(errors="replace")


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what TensorFlow prints is no answer
    for line in sys.stdin:
        status, said = fork(Path(json.loads(line)))
        print(json.dumps([status, said[-LAST_WORDS:]]), file=answers, flush=True)


if __name__ == "__main__":
    main()
