"""Models that say where something is: which decoder reads them, and what their classes are, told from their labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.labelled import read_objects
from trtflow.datasets.labelled.masks import BORDER, NUMBERS, find_masks
from trtflow.datasets.labelled.names import class_names, listed_names
from trtflow.datasets.voc import Annotation
from trtflow.families.own.init.darknet import darknet_decoding
from trtflow.families.own.init.facts import Facts
from trtflow.families.own.init.heads import STRETCH, Head, Known, find_heads
from trtflow.families.own.init.places import Places
from trtflow.families.own.init.said import ALPHABETICAL, Guess
from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import refuse_damage

LOOKED_AT = 64  # masks, to see which numbers or colours are in them
MOST_COLOURS = 256  # more are no classes but a photograph
PAGE = "docs/your-own-detector.md tells what each decoder reads"


def add_detection(facts: Facts, places: Places, found: Guess) -> None:
    """Say how a detector's outputs are read, and what its classes are.

    Raises:
        UserError: there are no labels, they are damaged, or no decoder reads the model's outputs.
    """
    if places.labels is None:
        raise UserError(f"{places.val}: no labels of boxes in or beside it. Say where they are with --labels.")
    names, complete = class_names(places.labels, places.val, places.folder)
    if len(places.names) >= len(names):
        names, complete = list(places.names), True
    if not names:
        raise FormatError(places.labels, "no object of any class in it", "Label some objects, or give other labels.")
    size = _size(facts, found)
    head = _head(facts, size, Known(len(names), complete), places.labels)
    found.decoding, found.outputs = dict(head.decoding), {name: {} for name in head.outputs}
    found.left += head.left
    _name_classes(found, names, head.classes or len(names), complete)
    if not complete and names == sorted(names) and names[0] != "class 0":  # which VOC's files have in no order
        found.order, found.named = ALPHABETICAL, len(names)
    objects = read_objects(places.val, places.labels, found.classes, places.folder).annotations
    if head.anchors:
        found.decoding["anchors"] = _anchors(objects, head.anchors, size)
        found.left.append("decoding.anchors: sizes of what is labelled are a guess; give those it was trained with")
    _add_resize(found, head.resize)


def _head(facts: Facts, size: tuple[int, int], known: Known, labels: Path) -> Head:
    """Return how the outputs are read: of as many classes as the labels know, or else of more.

    Raises:
        UserError: in no way that a decoder knows.
    """
    told = darknet_decoding(facts.source, list(facts.outputs))
    if told is not None:
        return told
    heads = find_heads(facts, size, known) or find_heads(facts, size, Known(known.count))
    if not heads:
        shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in facts.answers.items())
        raise UserError(
            f"{facts.source}: no decoder reads its outputs {shapes} with {known.count} classes, which {labels} knows. "
            f"Correct the labels, or export it with other outputs; {PAGE}. Or give --task none, and decode in a hook."
        )
    return heads[0]


def _name_classes(found: Guess, names: list[str], count: int, complete: bool) -> None:
    """Name as many classes as the model has."""
    found.classes = [*names, *(f"class {place}" for place in range(len(names), count))]
    if len(found.classes) > len(names):
        found.left.append(f"data.classes: the names of all {count} classes, in the order of the output")
    elif not complete:
        found.left.append("data.classes: check that the model numbers them so")


def _size(facts: Facts, found: Guess) -> tuple[int, int]:
    """Return height and width of the pictures that the model takes.

    Raises:
        UserError: it takes none.
    """
    name, (shape, _) = next(iter(facts.inputs.items()))
    pictures = found.inputs[name].get("pictures")
    if pictures is None:
        raise UserError(
            f"{facts.source}: input {name!r} of shape {list(shape)} takes no pictures, in which places are."
        )
    sizes = shape[:2] if len(shape) == 2 or pictures.get("channels_last") else shape[1:]
    return sizes[0], sizes[1]


def _add_resize(found: Guess, resize: str) -> None:
    name, told = next(iter(found.inputs.items()))
    told["pictures"]["resize"] = resize
    found.left.append(f"inputs.{name}.pictures.resize: {resize} is usual; letterbox, corner and stretch are known")


def _anchors(objects: list[Annotation], count: int, size: tuple[int, int]) -> list[list[float]]:
    """Return sizes of labelled boxes in pixels of the input, from the smallest to the largest."""
    sides = np.concatenate(
        [(truth.boxes[:, 2:] - truth.boxes[:, :2]) * (np.array(size[::-1]) / truth.size[::-1]) for truth in objects]
    )
    ordered = sides[np.argsort(sides.prod(1), kind="stable")]
    places = ((np.arange(count) + 0.5) / count * len(ordered)).astype(int)
    return [[round(float(side), 1) for side in sides] for sides in ordered[places]]


def add_segmentation(facts: Facts, places: Places, found: Guess) -> None:
    """Say which output is the map, and what its classes are.

    Raises:
        UserError: there are no masks, they are damaged, or no output is a map.
    """
    if places.masks is None:
        raise UserError(f"{places.val}: no masks in or beside it. Say where they are with --masks.")
    size = _size(facts, found)
    masks = find_masks(places.val, places.masks, places.folder)[1][:LOOKED_AT]
    colours = _colours(masks)
    known = len(colours) or _largest(masks) + 1
    name, classes = _map(facts, size, known)
    values = facts.answers[name]
    found.outputs = {name: {}}
    single = values.dtype.kind == "f" and classes == 2 and 2 not in (values.shape[1], values.shape[-1])
    if single and (values.min() < 0 or values.max() > 1):
        found.outputs[name]["logits"] = True
    names = next((names for names in listed_names(places.masks) if len(names) == classes), [])
    _name_classes(found, names, classes, complete=True)
    if colours:
        found.colours = {found.classes[place]: list(colour) for place, colour in enumerate(colours)}
        found.left.append("data.colours: which colour is which class; they stand as sorted, which is a guess")
    _add_resize(found, STRETCH)


def _map(facts: Facts, size: tuple[int, int], known: int) -> tuple[str, int]:
    """Return the output that is a map of at least so many classes, the largest one, and how many it has.

    Raises:
        UserError: there is none.
    """
    maps: Mapping[str, tuple[int, int]] = {
        name: told for name, values in facts.answers.items() if (told := _classes_of_map(values, size, known))
    }
    if not maps:
        shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in facts.answers.items())
        raise UserError(
            f"{facts.source}: none of its outputs {shapes} is a map [N, classes, height, width] of at least {known} "
            "classes, which its masks have. Give the masks of this model, or export it with its map as an output."
        )
    name = max(maps, key=lambda name: maps[name][0])
    return name, maps[name][1]


def _classes_of_map(values: np.ndarray, size: tuple[int, int], known: int) -> tuple[int, int] | None:
    """Return how many pixels a map has, and how many classes; None of what is no map."""
    shape = values.shape[1:]
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3:
        return None
    forms = ((shape[0], shape[1:]), (shape[2], shape[:2]))
    for channels, (rows, columns) in forms:
        if min(rows, columns) > 1 and abs(rows * size[1] - columns * size[0]) <= max(size):  # as odd sizes are halved
            numbers = values.dtype.kind in "iu"
            classes = max(known, 2) if channels == 1 and numbers else max(channels, 2)
            if classes >= known:
                return rows * columns, classes
    return None


def _pixels(path: Path) -> tuple[np.ndarray, bool]:
    """Return a mask's pixels, and whether they are colours."""
    from PIL import Image  # noqa: PLC0415 - as masks are read

    bomb: tuple[Any, ...] = (Image.DecompressionBombError,)
    with refuse_damage(path, "not a readable mask", "Make it again.", bomb), Image.open(path) as image:
        coloured = image.mode not in NUMBERS
        return np.asarray(image.convert("RGB") if coloured else image), coloured


def _largest(masks: list[Path]) -> int:
    """Return the largest number of a class in masks."""
    return max((int(pixels[pixels != BORDER].max(initial=0)) for pixels, _ in map(_pixels, masks)), default=0)


def _colours(masks: list[Path]) -> list[tuple[int, ...]]:
    """Return the colours of masks, sorted; none where their pixels are numbers.

    Raises:
        FormatError: there are more than classes could be.
    """
    known: set[tuple[int, ...]] = set()
    for path in masks:
        pixels, coloured = _pixels(path)
        if coloured:
            known |= set(map(tuple, np.unique(pixels.reshape(-1, 3), axis=0).tolist()))
        if len(known) > MOST_COLOURS:
            fault = f"{len(known)} colours in the masks up to this one, more than there are classes"
            raise FormatError(path, fault, "Save masks without blending and as PNG, with a colour or number a class.")
    return sorted(known)
