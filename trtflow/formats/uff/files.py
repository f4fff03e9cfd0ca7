"""UFF files: protobuf, written so that the same graph gives the same bytes."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError

from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_bytes
from trtflow.formats.messages import parse_message
from trtflow.formats.uff.uff_pb2 import MetaGraph

LFS = b"version https://git-lfs"  # what a clone without Git LFS has in place of a large file
AGAIN = "Convert the model again with convert-to-uff."


def read_uff(path: str | Path) -> MetaGraph:
    """Return the content of a UFF file.

    Raises:
        FormatError: the file is cut off, damaged, or something else than UFF.
    """
    return parsed(Path(path).read_bytes(), path)


def parsed(data: bytes, path: str | Path) -> MetaGraph:
    """Return the graph that bytes hold; `path` is for the error."""
    graph = MetaGraph()
    if data.startswith(LFS):
        remedy = "Fetch the file itself: git lfs pull."
        raise FormatError(path, "a pointer of Git LFS, which stands for the file in a repository", remedy)
    try:
        parse_message(graph, data)
    except DecodeError as error:
        raise FormatError(path, f"cut off or damaged: its {len(data)} bytes are no UFF graph", AGAIN) from error
    if not graph.graphs or not graph.graphs[0].nodes:
        raise FormatError(path, "no UFF graph: it has no nodes", AGAIN)
    # What a file refers to stands at its end, so one that is cut off between two entries parses and lacks some.
    for node in graph.graphs[0].nodes:
        for name, value in node.fields.items():
            if value.WhichOneof("data_oneof") == "ref" and value.ref not in graph.referenced_data:
                fault = f"cut off: {value.ref!r}, the {name} of node {node.id!r}, is not in it"
                raise FormatError(path, fault, AGAIN)
    return graph


def serialized(graph: MetaGraph) -> bytes:
    """Return a graph as bytes; maps are sorted by their keys."""
    return graph.SerializeToString(deterministic=True)


def write_uff(graph: MetaGraph, path: str | Path) -> None:
    """Write a UFF file."""
    write_bytes(path, serialized(graph))
