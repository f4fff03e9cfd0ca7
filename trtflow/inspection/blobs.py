"""Exported weights: `.wts`, version 1 or 2."""

from __future__ import annotations

import re
from pathlib import Path

from trtflow.formats.wts import read_wts, read_wts2
from trtflow.inspection.description import Blob, Description

SECOND = re.compile(rb"\s*\d+\s*\n\S+ \d+ \(")  # version 2 has a shape where version 1 has the number of values


def describe_weights(path: Path) -> Description:
    """Return what a file of weights holds.

    Raises:
        FormatError: it is damaged.
    """
    with path.open("rb") as file:
        version = 2 if SECOND.match(file.read(4096)) or path.suffix == ".wts2" else 1
    blobs = read_wts2(path) if version == 2 else read_wts(path)
    found = [Blob(name, array.dtype.name, list(array.shape)) for name, array in blobs.items()]
    return Description(str(path), "weights", {"version": version}, blobs=found)
