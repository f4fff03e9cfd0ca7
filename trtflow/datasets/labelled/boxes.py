"""What boxes of any form must be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtflow.datasets.voc import Annotation
from trtflow.formats import FormatError

SLACK = 1.0  # pixels beyond the border: tools count from 0 or from 1, and round


def check_boxes(annotation: Annotation, source: Path) -> None:
    """Cut boxes, in place, at the picture's border.

    Args:
        annotation: the objects of a picture.
        source: of the picture, for errors.

    Raises:
        FormatError: a box lies outside by more than a pixel, or is empty.
    """
    height, width = annotation.size
    limits = np.array([width, height, width, height], np.float32)
    outside = ((annotation.boxes < -SLACK) | (annotation.boxes > limits + SLACK)).any(1)
    if outside.any():
        box = [round(float(value), 1) for value in annotation.boxes[outside][0]]
        fault = f"the box {box} of its labels lies outside of its {width}x{height} pixels"
        raise FormatError(source, fault, "Correct it, or cut it off at the border: left, top, right, bottom in pixels.")
    annotation.boxes[:] = annotation.boxes.clip(0, limits)
    empty = (annotation.boxes[:, 2:] <= annotation.boxes[:, :2]).any(1)
    if empty.any():
        box = [round(float(value), 1) for value in annotation.boxes[empty][0]]
        raise FormatError(source, f"the box {box} of its labels is empty", "Correct it, or take it out.")


def label_of(name: str, classes: tuple[str, ...] | list[str], source: Path, what: str) -> int:
    """Return the label of a class, its place from 1.

    Raises:
        FormatError: it is no class.
    """
    if name not in classes:
        shown = ", ".join(classes[:20]) + (", …" if len(classes) > 20 else "")
        raise FormatError(source, f"{what} {name!r} is no class", f"Rename it, or add it to data.classes: {shown}.")
    return classes.index(name) + 1
