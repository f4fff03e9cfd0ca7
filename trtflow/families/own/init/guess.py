"""What a model is for, guessed from its outputs and from the data, and what only its user can say."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from trtflow.datasets.own import INPUTS, LABELS, PICTURE, TABLES, TARGETS, Items, read_items
from trtflow.families.own.init.facts import Facts
from trtflow.families.own.init.places import Places, held_out_arrays
from trtflow.families.own.init.said import ALPHABETICAL, COLUMNS, Guess
from trtflow.families.own.init.seen import add_detection, add_segmentation
from trtflow.families.own.init.truth import (
    LABEL_NAMES,
    TARGET_NAMES,
    Labels,
    array_of_input,
    find_labels,
    is_embedding,
    numbers_beside,
    picture_column,
    why_labels,
    widths_of,
)
from trtflow.formats import UserError
from trtflow.samples.own.answers import ANSWERS

SEEN = {"detection": add_detection, "segmentation": add_segmentation}  # tasks of pictures with boxes or masks
CLASSES = ("classification", "multilabel")  # tasks of classes


def guess(facts: Facts, places: Places | None, task: str | None = None) -> Guess:
    """Return what the YAML file of a model says.

    Args:
        facts: of the model.
        places: of the data that are scored; None where there are none.
        task: of the model; None to guess it.

    Raises:
        UserError: the data have nothing that an input could take, or the task needs data that are not there.
    """
    if task is not None and task not in ANSWERS:
        raise UserError(f"--task: unknown task {task!r}. Known: {', '.join(ANSWERS)}.")
    items = read_items(places.val, held_out_arrays(places.val), places.folder) if places else None
    labels = find_labels(facts, items, task if task in CLASSES else None) if items else None
    found = Guess(*_task(facts, items, places, labels, task), items=None if items is None else len(items))
    if items is None and found.task != "none":
        raise UserError(f"task {found.task} needs data with labels. Give them with --data, or leave --task out.")
    found.inputs = {name: _input(facts, name, items, found) for name in facts.inputs}
    found.outputs = _outputs(facts)
    if items is None:
        found.left.append(
            "data: they are drawn by chance, so that latency and agreement mean something; give yours, and a task"
        )
    if found.task in CLASSES and items is not None:
        _add_classes(facts, items, labels, found)
    if found.task == "regression" and items is not None:
        _add_targets(facts, items, found)
    if found.task in SEEN and places is not None:
        SEEN[found.task](facts, places, found)
    return found


def _task(
    facts: Facts, items: Items | None, places: Places | None, labels: Labels | None, task: str | None
) -> tuple[str, str]:
    if task is not None or items is None or places is None:
        return (task, "you said so") if task else ("none", "there are no data with labels")
    if places.labels or places.masks:
        kind, what = ("detection", "boxes") if places.labels else ("segmentation", "masks")
        return kind, f"there are {what} in {places.labels or places.masks}"
    if labels:
        return labels.task, why_labels(labels, items)
    targets = [name for name in (*facts.outputs, *TARGET_NAMES, *_unused(facts, items)) if name in items.columns]
    if targets:
        return "regression", f"{targets[0]!r} of the data are numbers"
    rows = next((name for name in facts.outputs if is_embedding(facts, name)), None)
    if rows:
        return "none", f"rows of {rows!r} are of length 1, as embeddings are, which no task scores"
    named = next((name for name in LABEL_NAMES if name in items.columns and not items.source.is_dir()), None)
    return "none", f"no task scores {named!r} of the data as they are" if named else "the data have no labels"


def _unused(facts: Facts, items: Items) -> list[str]:
    """Return the arrays or columns of numbers that no input takes and that are of the size of the only output."""
    picture = picture_column(items)
    if picture is not None:
        columns = list(numbers_beside(items, picture))
        return columns if list(widths_of(facts).values()) == [len(columns)] else []
    if items.source.suffix in TABLES and len(facts.inputs) == 1 and not set(facts.inputs) & set(items.columns):
        return _features(items, facts)[1]
    if len(facts.outputs) != 1 or items.source.suffix != ".npz":
        return []
    ((shape, _),) = facts.outputs.values()
    taken = (*facts.inputs, INPUTS, array_of_input(facts, items))
    rest = {key: values for key, values in items.columns.items() if key not in taken}
    return [
        key
        for key, values in rest.items()
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and prod(values.shape[1:]) == prod(shape)
    ]


def _input(facts: Facts, name: str, items: Items | None, found: Guess) -> dict[str, Any]:
    """Return what the YAML file says of an input."""
    shape, dtype = facts.inputs[name]
    told: dict[str, Any] = {"shape": list(shape)} if name in facts.opened else {}
    if name in facts.guessed:
        found.left.append(
            f"inputs.{name}.shape: the model leaves it open; {list(shape)} may not be what it was trained with"
        )
    if items is None:
        return told
    picture = picture_column(items) if len(facts.inputs) == 1 else None
    source = next((key for key in (name, INPUTS, PICTURE) if key in items.columns), picture)
    values = items.columns[source] if source else None
    if values is not None and (source == picture or not isinstance(values, np.ndarray) or values.dtype.kind == "U"):
        if picture not in (None, name, INPUTS, PICTURE):
            told["from"] = picture
        pictures = pictures_of(shape)
        if pictures is None:
            raise UserError(f"{items.source}: pictures, but input {name!r} takes {shape}. Give arrays in an .npz file.")
        if np.dtype(dtype).kind in "iu":
            pictures["scale"] = 1  # pixels as they are: what is taken from them is in the model
        else:
            found.left.append(
                f"inputs.{name}.pictures: mean and scale as the model was trained with; 0 to 1 is a guess"
            )
        return {**told, "pictures": pictures}
    if source is None and items.source.suffix in TABLES and len(facts.inputs) == 1:
        return {**told, "from": _columns(items, name, shape, facts, found)}
    array = array_of_input(facts, items)
    if source is None and array:
        return {**told, "from": array}
    if source is None and len(facts.inputs) > 1:
        columns = [column for column in items.columns if column.startswith((f"{name}_", f"{name}."))]
        if len(columns) == prod(shape):
            return {**told, "from": columns}
    if source is None:
        known = ", ".join(list(items.columns)[:8])
        raise UserError(
            f"{items.source}: nothing for input {name!r} of shape {shape}; it has {known}. Name one {name!r}."
        )
    return told


def pictures_of(shape: tuple[int, ...]) -> dict[str, Any] | None:
    """Return how pictures are prepared for an input of a shape; None where it takes none."""
    plain: dict[str, Any] = {"mean": 0, "scale": round(1 / 255, 9)}
    if len(shape) == 2:
        return {"colour": "grey", **plain}
    if len(shape) != 3:
        return None
    for channels, last in ((shape[0], False), (shape[2], True)):
        if channels in (1, 3):
            return {"colour": "grey" if channels == 1 else "rgb", **plain, **({"channels_last": True} if last else {})}
    return None


def _columns(items: Items, name: str, shape: tuple[int, ...], facts: Facts, found: Guess) -> list[str]:
    """Return the columns of a table that are an input: all numbers but labels and targets."""
    numbers, _ = _features(items, facts)
    if numbers is None:
        there = sum(_numbers(items, facts).values())
        fault = f"{there} numbers a row, but input {name!r} takes {prod(shape)}"
        raise UserError(
            f"{items.source}: {fault}. Name what is predicted {TARGETS} or {LABELS}, or as the output, and leave out "
            "columns that the model does not see."
        )
    return numbers


def _numbers(items: Items, facts: Facts) -> dict[str, int]:
    """Return the columns that may be an input's, none of what is predicted, and how many numbers each has."""
    others = {*facts.outputs, *LABEL_NAMES, *TARGET_NAMES}
    return {
        key: prod(values.shape[1:])
        for key, values in items.columns.items()
        if key not in others and isinstance(values, np.ndarray) and values.dtype.kind in "biuf"
    }


def _features(items: Items, facts: Facts) -> tuple[list[str] | None, list[str]]:
    """Return which columns of a table a model's only input takes, None where they do not fit, and which it predicts.

    Where the table has as many numbers more as the only output gives, these are what is predicted, if they come last.
    """
    numbers = _numbers(items, facts)
    wanted = prod(next(iter(facts.inputs.values()))[0])
    if sum(numbers.values()) == wanted:
        return list(numbers), []
    named = any(name in items.columns for name in (*facts.outputs, *LABEL_NAMES, *TARGET_NAMES))
    if len(facts.outputs) != 1 or named:
        return None, []
    names, given = list(numbers), prod(next(iter(facts.outputs.values()))[0])
    for count in range(len(names)):
        sizes = [sum(numbers[name] for name in part) for part in (names[:count], names[count:])]
        if sizes == [wanted, given]:
            return names[:count], names[count:]
    return None, []


def _outputs(facts: Facts) -> dict[str, dict[str, Any]]:
    """Return the outputs that make sense: of numbers that are no places."""
    given = {name: dtype for name, (_, dtype) in facts.outputs.items() if name not in facts.within}
    return {name: {} for name in [name for name in given if np.dtype(given[name]).kind == "f"] or given}


def _add_classes(facts: Facts, items: Items, labels: Labels | None, found: Guess) -> None:
    """Keep the output that is scored, and name the classes, as many as it has.

    Raises:
        UserError: there are no labels, or of more classes than the output has.
    """
    if labels is None:
        raise UserError(f"{items.source}: no labels that an output could give. Call their column or array {LABELS}.")
    name, width = labels.output, widths_of(facts)[labels.output]
    found.outputs = {name: {}}
    if labels.columns != [LABELS]:
        found.outputs[name]["target"] = labels.columns if len(labels.columns) > 1 else labels.columns[0]
    if name not in facts.probable and facts.ends[name] != "Sigmoid":
        found.outputs[name]["logits"] = True
    classes, count = labels.classes, 2 if width == 1 else width
    if len(classes) > count:
        raise UserError(
            f"{items.source}: {len(classes)} classes, such as {classes[0]}, but output {name!r} has {width} values. "
            "Give the data of this model."
        )
    found.classes = [*classes, *(f"class {place}" for place in range(len(classes), count))]
    if labels.ordered:
        found.order = COLUMNS
    elif classes:
        found.order, found.named = ALPHABETICAL, len(classes)
    told = f"the names of all {count} classes, in the order of the output"
    if labels.ordered or len(classes) == count:
        told = f"{found.order}; check that the model numbers them so"
    found.left.append(f"data.classes: {told}")


def _add_targets(facts: Facts, items: Items, found: Guess) -> None:
    """Say which column an output should be."""
    rest = _unused(facts, items)
    if len(rest) > 1 and len(found.outputs) == 1 and items.source.suffix in TABLES:
        (told,) = found.outputs.values()
        told["target"] = rest
        what = f"the last {len(rest)} columns, {rest[0]} to {rest[-1]}, are taken for what is predicted"
        found.left.append(f"outputs.{next(iter(found.outputs))}.target: {what}; check that, and their order")
        return
    for name, told in found.outputs.items():
        source = next((key for key in (name, *TARGET_NAMES, *LABEL_NAMES, *rest) if key in items.columns), None)
        if source not in (None, name, TARGETS):
            told["target"] = source
