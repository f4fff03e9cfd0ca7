"""Which form a file is of: by the end of its name, or, where that says nothing, by how it begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from trtflow.formats import FormatError, UserError
from trtflow.inspection.description import Description

# form -> module and the function of it that reads such a file
READERS = {
    "Caffe": ("caffe", "describe_caffe"),
    "UFF": ("uff", "describe_uff"),
    "ONNX": ("onnx_model", "describe_onnx"),
    "TensorFlow": ("tensorflow_graph", "describe_graph"),
    "Darknet": ("darknet", "describe_darknet"),
    "weights": ("blobs", "describe_weights"),
    "plan": ("plan", "describe_plan"),
    "calibration table": ("scales", "describe_table"),
    "dynamic ranges": ("scales", "describe_ranges"),
}
FORMS = tuple(READERS)
ENDINGS: Mapping[str, str] = {
    **dict.fromkeys((".prototxt", ".caffemodel"), "Caffe"),
    ".uff": "UFF",
    ".onnx": "ONNX",
    ".pb": "TensorFlow",
    **dict.fromkeys((".cfg", ".weights"), "Darknet"),
    **dict.fromkeys((".wts", ".wts2"), "weights"),
    **dict.fromkeys((".plan", ".engine", ".trt"), "plan"),
}
HEAD = 4096  # bytes that tell a form
BEGINNINGS = (
    (re.compile(rb"TRT-\d+-\w+\s|0 [0-9a-fA-F]{1,16} [0-9a-fA-F]{1,16}\s"), "calibration table"),
    (re.compile(rb"\s*\d+\s*\n\S+ [0-3] (\d+ |\([\d, ]*\) )"), "weights"),
    (re.compile(rb"[^\n\0]+:\s*[-+]?(\d|nan|inf)[^\n\0]*(\r?\n|$)", re.IGNORECASE), "dynamic ranges"),
)


def describe(path: Path, beside: Path | None = None) -> Description:
    """Return what a file holds.

    Args:
        path: the file.
        beside: of a model in two files the other: the caffemodel of a prototxt, the weights of a cfg, or the other way
            round; None for the one that has the same name, if it is there.

    Raises:
        FormatError: it is damaged, or of no form that is known.
        UserError: `beside` is given for a form that is one file.
    """
    form = form_of(path)
    if beside is not None and form not in ("Caffe", "Darknet"):
        raise UserError(f"{path}: a {form} file has no other beside it. Leave {beside} out.")
    module, function = READERS[form]
    reader = getattr(import_module(f"trtflow.inspection.{module}"), function)
    described: Description = reader(path, beside) if form in ("Caffe", "Darknet") else reader(path)
    return described


def form_of(path: Path) -> str:
    """Return the form of a file.

    Raises:
        FileNotFoundError, IsADirectoryError: there is no such file.
        FormatError: it is of no form that is known.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if path.suffix in ENDINGS:
        return ENDINGS[path.suffix]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # as TensorRT's tools on Windows write ranges
        return "dynamic ranges"
    found = next((form for beginning, form in BEGINNINGS if beginning.match(head)), None)
    if found is None:
        fault = f"of no form that is known: it ends in {path.suffix or 'nothing'} and begins with {head[:16]!r}"
        raise FormatError(path, fault, f"Give a calibration table, dynamic ranges, or a file {', '.join(ENDINGS)}.")
    return found


def other_file(path: Path, beside: Path | None, endings: tuple[str, str]) -> tuple[Path | None, Path | None]:
    """Return both files of a model in two, in the order of their endings; None for one that is not there.

    Raises:
        FileNotFoundError: the one that was named is not there.
    """
    if beside is not None:
        with beside.open("rb"):
            pass
    first, second = endings
    place = endings.index(path.suffix)
    other = path.with_suffix(second if place == 0 else first)
    other_there = beside or (other if other.exists() else None)
    return (path, other_there) if place == 0 else (other_there, path)
