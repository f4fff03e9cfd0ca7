"""TensorFlow graphs are programs: what opens files or connections, or calls Python, is no part of a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trtflow.formats import FormatError

REMEDY = "Do not trust it, unless you made it: then freeze what computes the outputs alone."
# by name, as an operation's definition does not tell what it touches
REACHES_OUT = re.compile(
    r"\w*(PyFunc\w*|File\w*|Reader\w*|Summary\w*|Dataset\w*|Rpc\w*|Grpc\w*|DebugIdentity\w*)|PrintV2"
    r"|Save(V2|Slices)?|Restore(V2|Slice)?|MergeV2Checkpoints|ImmutableConst|LoadAndRemapMatrix|GenerateVocabRemapping"
    r"|Send|Recv|_(Host)?(Send|Recv)|Collective\w*|\w*Bigtable\w*|\w*Sql\w*|XlaLaunch\w*|RemoteCall|TPU\w*|Load\w*Library"
)
VARIABLES = ("Variable", "VariableV2", "VarHandleOp", "AutoReloadVariable")
# of the functions that restore and save a model's variables, and of the tables of its vocabularies
OF_SAVING = re.compile(
    r"Save(V2|Slices)?|Restore(V2|Slice)?|MergeV2Checkpoints|ShardedFilename|InitializeTableFromTextFile(V2)?"
)


def check_harmless(path: Path, graphdef: Any, saved: bool = False) -> None:
    """Refuse a graph with operations that reach out of it.

    Those that save and restore are let pass where there are variables to save; they write checkpoints and nothing else.

    Args:
        path: its file, for errors.
        graphdef: the GraphDef.
        saved: whether it is of a saved model, which has them in any case.

    Raises:
        FormatError: it has one; it is named.
    """
    saved = saved or any(node.op in VARIABLES for node in _nodes(graphdef))
    for node in _nodes(graphdef):
        if REACHES_OUT.fullmatch(node.op) and not (saved and OF_SAVING.fullmatch(node.op)):
            fault = f"its node {node.name!r} is a {node.op}, which reaches out of the graph: no network needs it"
            raise FormatError(path, fault, REMEDY)


def _nodes(graphdef: Any) -> Iterator[Any]:
    yield from graphdef.node
    for function in graphdef.library.function:
        yield from function.node_def
