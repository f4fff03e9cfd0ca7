"""In which order a model numbers its classes: as files beside it, it itself or its answers say."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from trtflow.datasets.labelled.names import listed_names
from trtflow.families.own.init.said import ALPHABETICAL
from trtflow.formats import UserError

KEYS = ("names", "classes", "class_names", "labels", "id2label", "label2id", "class_to_idx", "categories")
STEMS = (
    "classes",
    "class_names",
    "labels",
    "names",
    "categories",
    "class_indices",
    "class_to_idx",
    "id2label",
    "config",
)
LARGEST = 1 << 20  # bytes of a file that is looked into
FOLDS = 2  # parts of the items, of which one says what a number means and the other whether that is true
HALF = 0.5  # of a class's items, from which on an output is its own


@dataclass(frozen=True)
class Order:
    """An order of classes.

    Attributes:
        name: what it is, as behind "data.classes:".
        classes: their names.
    """

    name: str
    classes: tuple[str, ...]


def known_orders(classes: Sequence[str], known: int, model: Path, data: Sequence[Path]) -> list[Order]:
    """Return the orders that may be, the guessed one first.

    Args:
        classes: as guessed: first those that the data know, then placeholders.
        known: how many these are.
        model: file of the model.
        data: places beside which a list of names may lie.
    """
    orders = [Order(ALPHABETICAL, tuple(classes))]
    natural = sorted(classes[:known], key=_natural)
    orders.append(Order("in the order of their numbers", (*natural, *classes[known:])))
    for source, names in told_names(model, data):
        if len(names) == len(classes) == len(set(names)) and set(classes[:known]) <= set(names):
            orders.append(Order(f"as {source} says", tuple(names)))
    kept: dict[tuple[str, ...], Order] = {}
    for order in orders:
        kept.setdefault(order.classes, order)
    return list(kept.values())


def told_names(model: Path, data: Sequence[Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield lists of names of classes, and who says them: the model itself, files beside it and beside the data."""
    if model.suffix == ".onnx" and model.is_file():
        for entry in onnx.load(model, load_external_data=False).metadata_props:
            if entry.key in KEYS and (names := _listed(entry.value)):
                yield f"the model's {entry.key!r}", names
    beside = [model if model.is_dir() else model.parent, *data]
    for folder in dict.fromkeys(place for path in beside for place in (path, path.parent) if place.is_dir()):
        for path in _files(folder, model):
            if names := _names_in(path):
                yield path.name, names
    for place in data:
        try:
            yield from (("a list of names beside the data", names) for names in listed_names(place) if names)
        except UserError:
            continue


def _files(folder: Path, model: Path) -> Iterator[Path]:
    for stem in dict.fromkeys((*STEMS, model.stem)):
        yield from (path for end in (".txt", ".names", ".json") if (path := folder / f"{stem}{end}").is_file())


def _names_in(path: Path) -> list[str]:
    try:
        if path.stat().st_size > LARGEST:
            return []
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    return _listed(text) or (
        [] if path.suffix == ".json" else [line.strip() for line in text.splitlines() if line.strip()]
    )


def _listed(text: str) -> list[str]:
    """Return the names in a list or a mapping, written as JSON or as Python has it; [] of other text."""
    for read in (json.loads, ast.literal_eval):
        try:
            return _names_of(read(text))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return []


def _names_of(told: Any) -> list[str]:
    """Return the names in a list, by number, number by name, or under one of the usual keys."""
    if isinstance(told, list):
        return [str(name) for name in told] if all(isinstance(name, (str, int)) for name in told) else []
    if not isinstance(told, Mapping) or not told:
        return []
    for key in KEYS:
        if isinstance(told.get(key), (list, Mapping)):
            return _names_of(told[key])
    if all(str(key).isdigit() for key in told) and all(isinstance(name, str) for name in told.values()):
        return [told[key] for key in sorted(told, key=int)]
    if all(isinstance(number, int) for number in told.values()):
        return [str(name) for name in sorted(told, key=lambda name: told[name])]
    return []


def _natural(name: str) -> list[Any]:
    """Return what sorts names with numbers by these."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part.lower()) for part in parts]


def asked_places(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return which output each class has by the answers to some items, int64 [classes]; -1 of classes that have none.

    Args:
        truth: class of each item, int64 [N].
        probabilities: [N, outputs].
    """
    counts = _counts(truth, probabilities)
    places = np.full(len(counts), -1)
    for _ in range(min(counts.shape)):
        row, column = np.unravel_index(int(counts.argmax()), counts.shape)
        if counts[row, column] <= 0:
            break
        places[row] = column
        counts[row], counts[:, column] = -1, -1
    return places


def _counts(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return how often outputs are the likeliest of a class's items, plus a little of the mean, [classes, outputs]."""
    likeliest = np.eye(probabilities.shape[1])[probabilities.argmax(1)] + 0.01 * probabilities
    counts = np.zeros((int(truth.max()) + 1, probabilities.shape[1]))
    np.add.at(counts, truth, likeliest)
    return counts


def apart(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the output that each item's class has by the answers to other items, int64 [N]; else a wrong one."""
    found = np.zeros_like(truth)
    part = _folds(truth)
    for fold in range(FOLDS):
        asked = asked_places(truth[part != fold], probabilities[part != fold])
        asked = np.append(asked, np.full(max(0, truth.max() + 1 - len(asked)), -1))
        places = asked[truth[part == fold]]
        least = probabilities[part == fold].argmin(1)
        found[part == fold] = np.where(places < 0, least, places)
    return found


def _folds(truth: np.ndarray) -> np.ndarray:
    """Return which part each item is in, of each class the same share, int64 [N]."""
    part = np.zeros_like(truth)
    for label in np.unique(truth):
        places = np.flatnonzero(truth == label)
        part[places] = np.arange(len(places)) % FOLDS
    return part


def is_plain(truth: np.ndarray, probabilities: np.ndarray) -> bool:
    """Whether most items of each class have one output as the likeliest, and no two classes the same."""
    counts, places = _counts(truth, probabilities), asked_places(truth, probabilities)
    present = np.unique(truth)
    shares = counts[present, places[present]] / np.bincount(truth)[present]
    return bool((places[present] >= 0).all() and (shares > HALF).all())
