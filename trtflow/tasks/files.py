"""Files of a step: one for each precision, and two that must be of the same items."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import read_arrays


def by_precision(paths: Iterable[Path]) -> dict[str, Path]:
    """Return files such as `engine.fp32.plan` by the precision in their names.

    Raises:
        UserError: a name has no precision.
    """
    named = {}
    for path in paths:
        _, *middle, _ = path.name.split(".")
        if not middle:
            raise UserError(f"{path}: no precision in its name. Name it like predictions.fp32.npz.")
        named[middle[-1]] = path
    return named


def read_alike(path: Path, other: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the arrays of a name of two files of predictions.

    Raises:
        FormatError: the files are of other items.
    """
    (first, items), (second, others) = (read_arrays(file, name, "images") for file in (path, other))
    if items.tolist() != others.tolist():
        raise FormatError(path, f"not of the same images as {other}", "Make both again.")
    return first, second
