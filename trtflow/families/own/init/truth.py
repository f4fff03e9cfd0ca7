"""What of the data says which classes an item is of, told from names, values and the model's outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from trtflow.datasets.label_columns import is_whole, listed_classes
from trtflow.datasets.labelled.lists import picture_file
from trtflow.datasets.own import FOLDER, INPUTS, LABELS, TABLES, TARGETS, Items
from trtflow.families.own.init.facts import Facts

TARGET_NAMES = (TARGETS, "target", "y")
LABEL_NAMES = (LABELS, "label", "class", "classes", "species", "tags")
MOST_CLASSES = 10_000
LOOKED_AT = 20  # rows, to see whether a column names pictures
INPUT_NAMES = ("x", "input", "image", "data", "feature")  # beginnings
UNIT_TOLERANCE = 1e-3
CHANCES = ("Sigmoid", "Softmax")  # operators that give probabilities


@dataclass(frozen=True)
class Labels:
    """What says which classes an item is of.

    Attributes:
        task: classification, or multilabel of several classes an item.
        columns: of the data: one, or one a class.
        output: of the model that should say it.
        classes: their names, sorted, or in the order of the columns; [] where they are numbered.
        ordered: whether that is the order of the output.
    """

    task: str
    columns: list[str]
    output: str
    classes: list[str]
    ordered: bool = False


def find_labels(facts: Facts, items: Items, task: str | None = None) -> Labels | None:
    """Return what says which classes the items are of; None where nothing does.

    Args:
        facts: of the model.
        items: the data.
        task: the one that is wanted; None for any.
    """
    found = [labels for labels in _candidates(facts, items) if task in (None, labels.task)]
    return found[0] if found else None


def widths_of(facts: Facts) -> dict[str, int]:
    """Return how many numbers each output of floats gives for an item; those of a softmax come first."""
    floats = [name for name, (_, dtype) in facts.outputs.items() if np.dtype(dtype).kind == "f"]
    floats = [name for name in floats if name not in facts.within and not is_embedding(facts, name)]
    return {name: prod(facts.outputs[name][0]) for name in sorted(floats, key=lambda name: name not in facts.probable)}


def array_of_input(facts: Facts, items: Items) -> str | None:
    """Return the array that a model's only input takes where none has its name: the only one of its shape.

    Of several that is the one whose name begins as those of inputs do.
    """
    if len(facts.inputs) != 1 or items.source.suffix != ".npz":
        return None
    ((name, (shape, _)),) = facts.inputs.items()
    if name in items.columns or INPUTS in items.columns:
        return None
    fitting = [
        key
        for key, values in items.columns.items()
        if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and values.shape[1:] == shape
    ]
    named = [key for key in fitting if key.lower().startswith(INPUT_NAMES)]
    return fitting[0] if len(fitting) == 1 else named[0] if len(named) == 1 else None


def is_embedding(facts: Facts, output: str) -> bool:
    """Whether an output gives rows of length 1, as embeddings are that are compared by their cosine."""
    values = facts.answers.get(output, np.zeros(0))
    rows = values.reshape(len(values), -1).astype(np.float64) if values.size and values.ndim else np.zeros((1, 1))
    return output not in facts.probable and bool(
        rows.shape[1] > 1 and np.abs(np.square(rows).sum(1) - 1).max() < UNIT_TOLERANCE
    )


def picture_column(items: Items) -> str | None:
    """Return the column of a table that names pictures; None where none does."""
    if items.source.suffix not in TABLES:
        return None
    folder = items.folder or items.source.parent
    for name, values in items.columns.items():
        if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iuU":
            some = [str(value) for value in values[:LOOKED_AT].tolist()]
            if some and sum(picture_file(folder, text) is not None for text in some) * 2 > len(some):
                return name
    return None


def numbers_beside(items: Items, picture: str) -> dict[str, np.ndarray]:
    """Return the columns of numbers of a table whose pictures are what the model sees."""
    return {
        name: values
        for name, values in items.columns.items()
        if name != picture and isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and values.ndim == 1
    }


def _candidates(facts: Facts, items: Items) -> Iterator[Labels]:
    """Yield what may say it, what is named so first."""
    picture, taken = picture_column(items), {*facts.inputs, INPUTS, array_of_input(facts, items)}
    for name in (*LABEL_NAMES, *TARGET_NAMES):
        if name in items.columns and name not in taken:
            yield from _of(facts, name, items, name in LABEL_NAMES)
    arrays = {
        name: values
        for name, values in items.columns.items()
        if isinstance(values, np.ndarray) and name not in taken and name != picture
    }
    if items.source.suffix in TABLES:
        words = [name for name, values in arrays.items() if values.dtype.kind == "U"]
        if len(words) == 1:
            yield from _of(facts, words[0], items, False)
        yield from _marks(facts, items, arrays, picture)
    elif items.source.suffix == ".npz":
        for name, values in arrays.items():
            if values.dtype.kind in "iub" or _is_marked(values):
                yield from _of(facts, name, items, False)


def _marks(facts: Facts, items: Items, arrays: Mapping[str, np.ndarray], picture: str | None) -> Iterator[Labels]:
    """Yield the columns of 0 and 1 that are as many as an output gives: with features before them the last."""
    marks = [name for name, values in arrays.items() if values.ndim == 1 and _is_marked(values)]
    for output, width in widths_of(facts).items():
        features = picture is not None or any(name in items.columns for name in facts.inputs)
        columns = marks if features else list(arrays)[-width:]
        if len(columns) == width > 1 and set(columns) <= set(marks):
            values = np.stack([arrays[name] for name in columns], 1)
            yield Labels(_marked_task(values, facts.ends[output]), columns, output, columns, ordered=True)


def _of(facts: Facts, column: str, items: Items, named: bool) -> Iterator[Labels]:
    """Yield what a column says of each output that it fits."""
    values = items.columns[column]
    if not isinstance(values, np.ndarray) or (items.source.is_dir() and len(np.unique(values)) == 1):
        return  # pictures in one folder, which is no class
    widths = {output: width for output, width in widths_of(facts).items() if width <= MOST_CLASSES}
    for output, width in widths.items():
        read = _words if values.dtype.kind == "U" else _numbers
        task, classes = read(values, width, facts.ends[output], named)
        if task:
            yield Labels(task, [column], output, classes)
    if named and widths and values.dtype.kind in "iuU" and values.ndim == 1 and max(widths.values()) > 1:
        classes = np.unique(values).tolist() if values.dtype.kind == "U" else []
        yield Labels("classification", [column], next(iter(widths)), classes)  # which do not fit, as is told then


def _words(values: np.ndarray, width: int, end: str, named: bool) -> tuple[str, list[str]]:
    """Return the task and the classes of labels that are words, or lists of them; "" where they do not fit."""
    if values.ndim != 1:
        return "", []
    known = np.unique(values).tolist()
    if len(known) == width or (len(known) == 2 and width == 1):
        return "classification", known
    listed = listed_classes(values.tolist(), width)
    if listed:
        return "multilabel", listed
    return ("classification", known) if named and len(known) < width else ("", [])


def _numbers(values: np.ndarray, width: int, end: str, named: bool) -> tuple[str, list[str]]:
    """Return the task of labels that are numbers, or 0 and 1 for each; "" where they do not fit."""
    if values.ndim == 2 and values.shape[1] == width > 1 and _is_marked(values):
        return _marked_task(values, end), []
    if values.ndim > 2 or (values.ndim == 2 and values.shape[1] != 1) or not is_whole(values) or values.min() < 0:
        return "", []
    if width > 1:
        fits = values.max() < width and (named or values.dtype.kind in "biu" or end in CHANCES)
    else:
        fits = values.max() <= 1 and (named or end == CHANCES[0])
    return ("classification", []) if fits else ("", [])


def _is_marked(values: np.ndarray) -> bool:
    return bool(values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all())


def _marked_task(values: np.ndarray, end: str) -> str:
    """Return what 0 and 1 for each class are for: of one class an item, unless each has a sigmoid of its own."""
    return "classification" if (values.sum(1) == 1).all() and end != CHANCES[0] else "multilabel"


def why_labels(labels: Labels, items: Items) -> str:
    """Return what a task was told from."""
    if labels.columns == [FOLDER] and items.source.is_dir():
        return "folders of the pictures are labels"
    if len(labels.columns) > 1:
        return f"columns {labels.columns[0]!r} to {labels.columns[-1]!r} are 0 and 1"
    several = ", several an item" if labels.task == "multilabel" else ""
    return f"column {labels.columns[0]!r} are labels{several}"
