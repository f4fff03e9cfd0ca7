"""TensorFlow graphs are programs: what opens files or connections, or calls Python, is no part of a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trtflow.formats import FormatError
from trtflow.formats.graphdef import owner

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

    Those that save and restore are let pass where there are variables to save; `without_saving` leaves them out of
    what is run.

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


def without_saving(graphdef: Any) -> Any:
    """Return a graph without what saves, restores or waits for either; the same object where there is nothing of it."""
    functions = {function.signature.name: function.node_def for function in graphdef.library.function}
    saving: set[str] = set()  # functions
    while more := {name for name, nodes in functions.items() if any(_saves(node, saving) for node in nodes)} - saving:
        saving |= more
    left_out = {node.name for node in graphdef.node if _saves(node, saving)}
    if not left_out:
        return graphdef
    while more := {node.name for node in graphdef.node if left_out & set(map(owner, node.input))} - left_out:
        left_out |= more
    kept = type(graphdef)()
    kept.CopyFrom(graphdef)
    del kept.node[:]
    kept.node.extend(node for node in graphdef.node if node.name not in left_out)
    return kept


def _saves(node: Any, functions: set[str]) -> bool:
    """Whether a node saves or restores, or calls one of these functions."""
    called = {name.name for value in node.attr.values() for name in (value.func, *value.list.func)}
    return bool(OF_SAVING.fullmatch(node.op)) or node.op in functions or bool(called & functions)


def _nodes(graphdef: Any) -> Iterator[Any]:
    yield from graphdef.node
    for function in graphdef.library.function:
        yield from function.node_def
