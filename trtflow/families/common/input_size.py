"""What pictures an exported network takes: `input.json` beside it, for who has no parser at hand."""

from __future__ import annotations

from pathlib import Path

from trtflow.datasets.images import FORMS
from trtflow.formats import FormatError
from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import read_json, write_json

NAME = "input.json"
AGAIN = "Export the model again."


def write_input_size(export: Path, height: int, width: int | None = None, pixels: str | None = None) -> None:
    """Write the shape of the input, without the batch, into the folder of an exported model.

    Args:
        export: the folder.
        height, width: pixels; a square has one size.
        pixels: name of the form of `trtflow.datasets.images.FORMS` that they have, where a sample takes several.
    """
    form = {} if pixels is None else {"pixels": pixels}
    write_json(export / NAME, {"shape": [3, height, width or height], **form})


def read_input_shape(export: Path) -> tuple[int, int]:
    """Return height and width of the input, pixels."""
    path = export / NAME
    with refuse_damage(path, "not the shape of an input", AGAIN):
        channels, height, width = read_json(path)["shape"]
    if channels != 3 or not all(type(side) is int and side > 0 for side in (height, width)):
        fault = f"an input of shape {[channels, height, width]}, not of three channels of pixels"
        raise FormatError(path, fault, AGAIN)
    return height, width


def read_pixels(export: Path) -> str:
    """Return the name of the form that the pictures have, of `trtflow.datasets.images.FORMS`."""
    with refuse_damage(export / NAME, "not the form of an input", AGAIN):
        pixels = read_json(export / NAME).get("pixels")
    if not isinstance(pixels, str) or pixels not in FORMS:
        fault = f"the form of the pictures is {pixels!r}, not one of {', '.join(FORMS)}"
        raise FormatError(export / NAME, fault, AGAIN)
    return pixels


def read_input_size(export: Path) -> int:
    """Return the side of the square input, pixels."""
    height, width = read_input_shape(export)
    if height != width:
        raise FormatError(export / NAME, f"an input of {width}x{height}, not a square", AGAIN)
    return height
