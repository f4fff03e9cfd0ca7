"""UFF in text, for people: protobuf's text format, with the values of weights left out."""

from __future__ import annotations

from google.protobuf import text_format

from trtflow.formats.uff.uff_pb2 import MetaGraph


def to_text(graph: MetaGraph) -> str:
    """Return a graph in protobuf's text format; a blob is told by its length, as `convert-to-uff -t` does."""
    shown = MetaGraph()
    shown.CopyFrom(graph)
    for data in shown.referenced_data.values():
        if data.WhichOneof("data_oneof") == "blob":
            data.blob = f"({len(data.blob)} bytes)".encode()
    return text_format.MessageToString(shown)
