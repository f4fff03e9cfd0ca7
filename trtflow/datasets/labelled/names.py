"""Names of classes, as labels of boxes say them, for who does not know them yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from trtflow.datasets.labelled.lists import pictures_of
from trtflow.datasets.labelled.pictures import label_file
from trtflow.formats.damage import read_lines, refuse_damage, whole_number
from trtflow.formats.files import read_json

LISTS = ("classes.txt", "obj.names")  # as labelImg and Darknet write them
ABOVE = 3  # folders over that of the labels in which a list of names may lie


def class_names(labels: Path, place: Path, folder: Path | None = None) -> tuple[list[str], bool]:
    """Return the names of the classes that labels know, and whether these are all, in the order of their numbers.

    COCO's files list them. YOLO's numbers are named by `classes.txt` beside the labels or the YAML file of the data set
    above; without one by `class 0` and so on, as far as the labels go. VOC's files name what they have alone, which is
    returned in alphabetical order.

    Args:
        labels: a COCO file, or a folder of `.xml` or of `.txt` files.
        place: of the pictures: their folder, or a list.
        folder: that names of a list start from.

    Raises:
        FormatError: a file is damaged.
    """
    if labels.suffix.lower() == ".json":
        return _coco(labels), True
    split = pictures_of(place, folder)
    files = [label_file(picture, split.folder, labels, ".xml") for picture in split.paths]
    if any(path.exists() for path in files):
        return sorted({name for path in files if path.exists() for name in _voc(path)}), False
    used = [label_file(picture, split.folder, labels, ".txt") for picture in split.paths]
    most = max((number for path in used if path.exists() for number in _yolo(path)), default=-1)
    named = next(
        (names for names in listed_names(labels) if len(names) > most), None
    )  # a shorter list is of other labels
    return (named, True) if named else ([f"class {number}" for number in range(most + 1)], False)


def listed_names(labels: Path) -> Iterator[list[str]]:
    """Yield the lists of names that lie beside labels or above them, the nearest first: YOLO's, Darknet's."""
    for folder in [labels, *labels.absolute().parents[:ABOVE]]:
        for name in LISTS:
            if (folder / name).is_file():
                yield [line.strip() for line in read_lines(folder / name) if line.strip()]
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            names = _named(path)
            if names:
                yield names


def _coco(path: Path) -> list[str]:
    remedy = "It has categories, each with an id and a name."
    with refuse_damage(path, "not COCO's annotations", remedy):
        categories = [(int(entry["id"]), str(entry["name"])) for entry in read_json(path, remedy)["categories"]]
    return [name for _, name in sorted(categories)]


def _voc(path: Path) -> list[str]:
    with refuse_damage(path, "not a VOC annotation", "Make it again."):  # ParseError is a SyntaxError
        found = [item.findtext("name") for item in ElementTree.fromstring(path.read_bytes()).findall("object")]
    return [name for name in found if name is not None]


def _yolo(path: Path) -> list[int]:
    """Return the numbers of the classes of a file's lines; what is no number is told when the labels are read."""
    found = []
    for words in map(str.split, read_lines(path)):
        try:
            found.append(whole_number(words[0]))
        except (ValueError, IndexError):
            continue
    return found


def _named(path: Path) -> list[str]:
    """Return the `names` of a data set's YAML file, as Ultralytics has them; none of other files."""
    try:
        told: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return []
    return names_of(told)


def names_of(told: Any) -> list[str]:
    """Return the names of classes that the content of such a file has, in their order; none of others."""
    if not isinstance(told, dict) or not {"train", "val", "nc"} & set(told):
        return []
    names = told.get("names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names)] if all(isinstance(key, int) for key in names) else []
    return [str(name) for name in names] if isinstance(names, list) else []
