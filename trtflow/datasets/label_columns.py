"""What columns of the user's data say of classes: one an item, or several of which each is there or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtflow.datasets.own import LIST, Items
from trtflow.formats import FormatError

# between names of several classes in a field; the first is what lists of a Parquet file are joined by, None is a space
SEPARATORS = (LIST, "|", ";", ",", None)
BRACKETS, QUOTES = "[](){} ", "\"' "  # around lists and names, as Python writes them
KNOWN = 20  # classes that an error names
ONE = "Give one integer or name an input"


def words_of(text: str, separator: str | None) -> list[str]:
    """Return the names in a field; none of an empty one."""
    words = [word.strip(QUOTES) for word in text.strip(BRACKETS).split(separator)]
    return [word for word in words if word]


def listed_classes(texts: Sequence[str], most: int) -> list[str]:
    """Return the names in fields that are lists of names, sorted; [] where they are none, or of more than `most` names.

    A space parts names where these are as many as `most` alone: it may be part of a name.
    """
    fitting: list[list[str]] = []
    for separator in SEPARATORS:
        fields = [words_of(text, separator) for text in texts]
        known = {word for words in fields for word in words}
        lists = max(map(len, fields), default=0) > 1
        if lists and (len(known) == most or (separator is not None and len(known) < most)):
            fitting.append(sorted(known))
    return max(fitting, key=len, default=[])


def known_classes(classes: Sequence[str]) -> str:
    """Return what an error says of classes."""
    return f"The model's {len(classes)} classes are {', '.join(classes[:KNOWN])}."


def class_numbers(items: Items, names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Return the class of each item, int64 [N].

    Args:
        items: whose classes they are.
        names: the column that says it as a number, counted from 0, or as a name; or a column, or an array [N, classes],
            for each class, of which one is 1.
        classes: names, in the order of the model's output.

    Raises:
        FormatError: a label is no class, or the columns are no labels.
    """
    values = items.column(names[0], "its class, of each item,")
    if isinstance(values, np.ndarray) and values.dtype.kind == "U" and len(names) == 1 and values.ndim == 1:
        return _named(items, values, classes)
    if len(names) > 1 or (isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] > 1):
        marked = label_matrix(items, names, classes)
        odd = np.flatnonzero(marked.sum(1) != 1)
        if odd.size:
            fault = f"row {items.names[odd[0]]} is of {int(marked[odd[0]].sum())} classes"
            raise FormatError(items.source, fault, "Give each one class, or set task: multilabel.")
        return marked.argmax(1).astype(np.int64)
    numbers = values.reshape(len(values), -1) if isinstance(values, np.ndarray) else np.empty((0, 2))
    if numbers.shape[1:] != (1,) or not is_whole(numbers):
        shape = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else "pictures"
        raise FormatError(items.source, f"labels are {shape}, for {len(items)} inputs", f"{ONE}.")
    if numbers.min() < 0 or numbers.max() >= len(classes):
        fault = f"labels from {numbers.min():.0f} to {numbers.max():.0f}"
        raise FormatError(items.source, fault, known_classes(classes))
    return numbers[:, 0].astype(np.int64)


def _named(items: Items, labels: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    places = {name: place for place, name in enumerate(classes)}
    for item, label in zip(items.names, labels.tolist(), strict=True):
        if label not in places:
            folder = items.source.is_dir()
            where, what = (items.source / item, "its folder") if folder else (items.source, f"the label of row {item}")
            raise FormatError(where, f"{what} {label!r} is no class", known_classes(classes))
    return np.array([places[label] for label in labels.tolist()], np.int64)


def label_matrix(items: Items, names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Return which classes each item has, bool [N, classes].

    Args:
        items: whose classes they are.
        names: a column for each class, or an array [N, classes], of 0 and 1; or a column of lists of names.
        classes: names, in the order of the model's output.

    Raises:
        FormatError: a name is no class, or the columns are no labels.
    """
    values = items.column(names[0], "the classes of each item")
    if isinstance(values, np.ndarray) and values.dtype.kind == "U" and len(names) == 1:
        return _listed(items, values, classes)
    numbers = items.numbers(names, "the classes of each item")
    if numbers.ndim != 2 or numbers.shape[1] != len(classes):
        fault = f"labels of shape {numbers.shape[1:]}, but there are {len(classes)} classes"
        raise FormatError(items.source, fault, f"Give a column of 0 and 1 for each. {known_classes(classes)}")
    odd = ~np.isin(numbers, (0, 1)).all(1)
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        wrong = [value for value in numbers[row].tolist() if value not in (0, 1)]
        fault = f"a label of row {items.names[row]} is {wrong[0]:g}, neither 0 nor 1"
        raise FormatError(items.source, fault, "Give 1 where an item is of a class, else 0.")
    return numbers.astype(bool)


def _listed(items: Items, texts: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the classes that fields name, or number from 0, by the separator that leaves most of them known."""
    numbers = {str(place): place for place in range(len(classes))}
    places = numbers | {name: place for place, name in enumerate(classes)}
    read = [[[text] if text in places else words_of(text, separator) for text in texts] for separator in SEPARATORS]
    fields = min(read, key=lambda rows: sum(-1 if word in places else 1 for words in rows for word in words))
    found = np.zeros((len(fields), len(classes)), bool)
    for item, words, marked in zip(items.names, fields, found, strict=True):
        for word in words:
            if word not in places:
                fault = f"the label of row {item} {word!r} is no class"
                raise FormatError(items.source, fault, known_classes(classes))
            marked[places[word]] = True
    return found


def is_whole(values: np.ndarray) -> bool:
    """Whether all are whole numbers, of whatever type."""
    if values.dtype.kind not in "biuf":
        return False
    return bool(np.isfinite(values).all() and (values == np.floor(values)).all()) if values.dtype.kind == "f" else True
