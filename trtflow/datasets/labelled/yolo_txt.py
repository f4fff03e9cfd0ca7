"""YOLO's labels, a text file a picture: a line an object, `class x y width height`, middle and sides from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trtflow.datasets.labelled.pictures import label_file, size_of
from trtflow.datasets.voc import Annotation
from trtflow.formats import FormatError
from trtflow.formats.damage import read_lines, whole_number

LEAST_POLYGON = 7  # values of a line that outlines its object: a class and three points


def read_yolo(
    labels: Path, folder: Path, pictures: Sequence[Path], classes: Sequence[str], *, whole: bool = True
) -> list[Annotation]:
    """Return the objects of each picture; one without a file has none, as its makers have it.

    Arguments as of `read_voc`; `whole` says whether these are all pictures that the labels are of.

    Raises:
        FormatError: a line is none of a label, or the file of no picture.
    """
    found, used = [], set()
    for picture in pictures:
        path = label_file(picture, folder, labels, ".txt")
        used.add(path)
        lines = read_lines(path) if path.exists() else []
        size = size_of(picture)
        rows = [_row(line, path, number, len(classes)) for number, line in enumerate(lines, 1) if line.strip()]
        values = np.array(rows, np.float64).reshape(-1, 5)
        corners = np.concatenate([values[:, 1:3] - values[:, 3:] / 2, values[:, 1:3] + values[:, 3:] / 2], 1)
        boxes = (corners * np.array([size[1], size[0]] * 2)).astype(np.float32)
        found.append(
            Annotation(picture.stem, size, boxes, values[:, 0].astype(np.int64) + 1, np.zeros(len(rows), bool))
        )
    if not any(path.exists() for path in used):
        raise FormatError(labels, f"no .txt file in it has the name of a picture of {folder}", "Correct data.labels.")
    if whole:
        _check_pictures(labels, used)
    return found


def _check_pictures(labels: Path, used: set[Path]) -> None:
    """Refuse label files whose picture is missing."""
    lone = [path for path in sorted(labels.rglob("*.txt")) if path not in used and path.stem != "classes"]
    if lone:
        others = f" (and so for {len(lone) - 1} more)" if len(lone) > 1 else ""
        raise FormatError(lone[0], f"there is no picture for it{others}", "Add the picture, or take the labels out.")


def _row(line: str, path: Path, number: int, count: int) -> tuple[float, ...]:
    """Return class, middle and sides that a line gives; of an outline those of the box around it.

    Raises:
        FormatError: it gives none.
    """
    words, remedy = line.split(), "A line is: class x y width height, the last four parts of the picture from 0 to 1."
    try:
        label, values = whole_number(words[0]), np.array([float(word) for word in words[1:]])
    except ValueError as error:
        raise FormatError(path, f"line {number}, {line[:60]!r}: {error}", remedy) from error
    if label >= count:
        known = f"The model has {count} classes, numbered from 0 in the order of data.classes."
        raise FormatError(path, f"line {number}: there is no class {label}", known)
    if len(words) >= LEAST_POLYGON and len(words) % 2:
        low, high = values.reshape(-1, 2).min(0), values.reshape(-1, 2).max(0)
        values = np.concatenate([(low + high) / 2, high - low])
    if len(values) != 4 or not np.isfinite(values).all():
        raise FormatError(path, f"line {number}, {line[:60]!r}: not a box", remedy)
    if (np.abs(values) > 2).any():
        raise FormatError(path, f"line {number}, {line[:60]!r}: not parts of the picture", remedy)
    return (label, *values.tolist())
