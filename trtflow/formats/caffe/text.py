"""Prototxt: a network as text."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format

from trtflow.formats.caffe.caffe_pb2 import NetParameter
from trtflow.formats.caffe.upgrade import upgrade
from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_text


def read_prototxt(path: str | Path, as_it_is: bool = False) -> NetParameter:
    """Read a network.

    Args:
        path: the file.
        as_it_is: whether layers of the format of 2014 stay in `layers`, where TensorRT overlooks them; else they are
            upgraded.

    Raises:
        FormatError: the text is not a network, naming the line; or it has no layers; or a field that must be is not.
    """
    net = NetParameter()
    try:
        text_format.Parse(Path(path).read_text(encoding="utf-8"), net)
    except UnicodeDecodeError as error:
        raise FormatError(path, f"byte {error.start} is not text", "Give the prototxt, not the caffemodel.") from error
    except (text_format.ParseError, RecursionError) as error:
        raise FormatError(path, f"not a Caffe network, line:column {error}", "Correct the prototxt there.") from error
    if not net.layer and not net.layers:
        raise FormatError(path, "the network has no layers", "Take the prototxt of a whole network.")
    if missing := net.FindInitializationErrors():
        raise FormatError(path, f"field {missing[0]} is not set", "Set it in the prototxt.")
    return net if as_it_is else upgrade(net)


def write_prototxt(net: NetParameter, path: str | Path) -> None:
    """Write a network as text; the same network gives the same bytes."""
    write_text(path, text_format.MessageToString(net))


def without_weights(net: NetParameter) -> NetParameter:
    """Return a copy of a network as it stands in a prototxt."""
    bare = NetParameter()
    bare.CopyFrom(net)
    for layer in bare.layer:
        layer.ClearField("blobs")
    return bare
