"""Detections as rows: a label, a score and a box each, of one picture or with its number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trtflow.decoders.candidates import Candidates, to_unit
from trtflow.decoders.settings import Decoding
from trtflow.formats import UserError

BEYOND = 1e9  # of any class
MOST_PICTURES = 1 << 16  # of any batch
COLUMNS = ("image", "label", "score", "left", "top", "right", "bottom")


def decode_rows(
    output: np.ndarray, columns: Sequence[str], first_label: int, units: str, settings: Decoding
) -> list[Candidates]:
    """Return the candidates of each picture of rows.

    Args:
        output: [N, K, columns] or [N, 1, K, columns], or [1, 1, K, columns] or [K, columns] with the pictures' numbers.
            A row whose label is before the first class, or whose score is 0 or less, holds nothing; one of the picture
            -1 ends them.
        columns: what the columns are, where the settings do not say.
        first_label: number of the first class, as `columns`.
        units: what a coordinate of 1 is, as `columns`.
        settings: how many classes there are.

    Raises:
        UserError: rows have another width, or a label that is no class.
    """
    columns = settings.columns or tuple(columns)
    if set(columns) - {"image"} != set(COLUMNS[1:]) or len(set(columns)) != len(columns):
        raise UserError(
            f"decoding.columns: {', '.join(columns)}. Put these in the model's order: {', '.join(COLUMNS)}."
        )
    if output.ndim not in (2, 3, 4) or output.shape[-1] != len(columns):
        raise UserError(
            f"decoding: an output of shape {output.shape} has no rows of {', '.join(columns)}. Name another output as "
            "outputs, or its columns as decoding.columns."
        )
    table = output.reshape(math.prod(output.shape[:-2]), *output.shape[-2:]).astype(np.float32)
    first = first_label if settings.first_label is None else settings.first_label
    together = "image" in columns and len(table) == 1
    pictures = _by_picture(table[0], columns.index("image")) if together else list(table)
    return [_candidates(rows, columns, first, settings.units or units, settings) for rows in pictures]


def _by_picture(rows: np.ndarray, column: int) -> list[np.ndarray]:
    """Return the rows of each picture of a table of a batch; a negative number ends it.

    What is of no picture's number is taken for a row of the first whose values are no numbers: a false alarm.
    """
    ends = np.flatnonzero(rows[:, column] < 0)
    rows = rows[: ends[0]] if len(ends) else rows
    rows = np.where(np.isfinite(rows[:, column, None]), rows, np.float32(np.nan))
    numbers = np.nan_to_num(rows[:, column])
    last = numbers.max(initial=0)
    if last >= MOST_PICTURES:
        raise UserError(f"decoding: the model gives a row of picture {last:.0f}. Correct decoding.columns.")
    return [rows[numbers == number] for number in range(int(last) + 1)]


def _candidates(
    rows: np.ndarray, columns: Sequence[str], first_label: int, units: str, settings: Decoding
) -> Candidates:
    values = {name: rows[:, place] for place, name in enumerate(columns)}
    boxes = np.column_stack([values[name] for name in COLUMNS[3:]])
    return labelled(to_unit(boxes, units, settings), values["score"], values["label"], first_label, settings)


def labelled(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, first_label: int, settings: Decoding
) -> Candidates:
    """Return those of a picture's boxes that hold something.

    A label that is no number is taken for the first class, and its score for no number: a false alarm.

    Raises:
        UserError: a label is beyond the last class.
    """
    odd = ~np.isfinite(labels.astype(np.float64))
    numbers = np.where(odd, 0, labels.astype(np.float64) - first_label).clip(-1, BEYOND).round().astype(np.int64)
    with np.errstate(invalid="ignore"):
        holds = (numbers >= 0) & ~(scores <= 0)
    if (numbers[holds] >= settings.classes).any():
        worst = int(numbers[holds].max()) + first_label
        raise UserError(
            f"decoding: the model gives the label {worst}, but there are {settings.classes} classes, the first of them "
            f"{first_label}. Name all classes of the model, or say the number of the first as decoding.first_label."
        )
    marked = np.where(odd, np.float32(np.nan), scores).astype(np.float32)
    return Candidates(boxes[holds].astype(np.float32), marked[holds], numbers[holds])
