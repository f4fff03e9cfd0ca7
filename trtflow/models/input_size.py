"""How large the pictures are that an exported network takes: `input.json` beside it, for who has no parser at hand."""

from __future__ import annotations

import json
from pathlib import Path

from trtflow.formats import FormatError
from trtflow.formats.files import write_json

NAME = "input.json"


def write_input_size(export: Path, size: int) -> None:
    """Write the shape of the input, without the batch, into the folder of an exported model."""
    write_json(export / NAME, {"shape": [3, size, size]})


def read_input_size(export: Path) -> int:
    """Return the side of the square input, pixels."""
    path = export / NAME
    try:
        channels, height, width = json.loads(path.read_text())["shape"]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(path, f"not the shape of an input ({error})", "Export the model again.") from error
    if channels != 3 or height != width or not isinstance(height, int) or height < 1:
        fault = f"an input of shape {[channels, height, width]}, not of three channels and a square"
        raise FormatError(path, fault, "Export the model again.")
    return height
