"""Pictures of a split: all in a folder, or those that a list names, for splits that share a folder.

Lists are text files with a name a line, as Pascal VOC's ImageSets, Darknet's and ImageNet's, and COCO's annotations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtflow.datasets.images import PICTURES
from trtflow.datasets.labelled.pictures import find_pictures
from trtflow.formats import FormatError
from trtflow.formats.damage import read_lines, refuse_damage
from trtflow.formats.files import read_json

LISTS = (".txt", ".json")  # endings
LONGEST = 200  # bytes of a file's name, less what an ending takes
COCO = "It has images, each with a file_name, as cocodataset.org describes."


@dataclass(frozen=True)
class PictureSet:
    """Pictures of a split.

    Attributes:
        source: their folder, or the list that names them.
        folder: that their names start from.
        paths: their files; of a folder by name, of a list as it has them.
        labels: what a text file says behind each name, int64 or str [N]; None where it says nothing.
    """

    source: Path
    folder: Path
    paths: list[Path]
    labels: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        """Names of the pictures, below their folder."""
        return [path.relative_to(self.folder).as_posix() for path in self.paths]

    @property
    def listed(self) -> bool:
        """Whether a list says which they are; there may be others in the folder."""
        return self.source != self.folder


def is_list(place: Path) -> bool:
    """Whether a place of pictures is a list of them."""
    return place.suffix.lower() in LISTS and not place.is_dir()


def pictures_of(place: Path, folder: Path | None = None) -> PictureSet:
    """Return the pictures of a split.

    Args:
        place: their folder, or a list: `.txt`, a name a line, with or without its ending, and perhaps a label behind
            it; or `.json`, COCO's annotations.
        folder: that names of a list start from; None for the list's own. Pictures of a folder need none.

    Raises:
        FormatError: there is no picture, or the list has one that is not there, or one twice.
    """
    if not is_list(place):
        return PictureSet(place, place, find_pictures(place))
    folder = place.parent if folder is None else folder
    rows = list(_coco_names(place) if place.suffix.lower() == ".json" else _lines(place))
    if not rows:
        raise FormatError(place, "no pictures in it: the split is empty", "Name some, a line each.")
    found: dict[Path, tuple[str, str]] = {}
    for where, text in rows:
        path, label = _picture(place, where, text, folder)
        if path in found:
            fault = f"{where}: {text!r} stands in it twice, first as {found[path][0]}"
            raise FormatError(place, fault, "Take one of them out.")
        found[path] = where, label
    return PictureSet(place, folder, list(found), _labels(place, list(found.values())))


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            yield f"line {number}", line.strip()


def _coco_names(path: Path) -> Iterator[tuple[str, str]]:
    with refuse_damage(path, "not COCO's annotations", COCO):
        images = read_json(path, COCO)["images"]
        for place, entry in enumerate(images):
            if not isinstance(entry["file_name"], str):
                raise ValueError(f"images[{place}] has the file_name {entry['file_name']!r}")
    yield from ((f"images[{place}]", entry["file_name"]) for place, entry in enumerate(images))


def _picture(source: Path, where: str, text: str, folder: Path) -> tuple[Path, str]:
    """Return the file that an entry of a list names, and the label behind the name.

    Raises:
        FormatError: it is not there.
    """
    for name, label in _readings(text):
        path = picture_file(folder, name)
        if path is not None:
            if not path.is_relative_to(folder):
                fault = f"{where}: {name!r} does not lie in {folder}"
                raise FormatError(source, fault, "Set data.folder to a folder that all pictures are in.")
            return path, label
    fault = f"{where}: the picture {text!r} is not in {folder}"
    raise FormatError(source, fault, "Add it, take it out of the list, or correct data.folder.")


def names_picture(text: str, folder: Path) -> bool:
    """Whether an entry of a list names a picture in a folder."""
    return any(picture_file(folder, name) is not None for name, _ in _readings(text))


def _readings(text: str) -> list[tuple[str, str]]:
    """Return the ways to read an entry: as a name, or as one with a label behind it."""
    head, *tail = text.rsplit(maxsplit=1) or [""]
    return [(text, ""), *((head, label) for label in tail)]


def picture_file(folder: Path, name: str) -> Path | None:
    """Return a picture by its name, with or without the ending, relative to a folder or from the root; None of none."""
    path = Path(os.path.normpath(folder / name))
    if not name or not path.name or len(path.name.encode()) > LONGEST:
        return None
    if os.path.isabs(name) and not folder.is_absolute() and path.is_relative_to(folder.absolute()):
        path = folder / path.relative_to(folder.absolute())
    if path.suffix.lower() in PICTURES:
        return path if path.is_file() else None
    with_endings = (path.with_name(path.name + form) for ending in PICTURES for form in (ending, ending.upper()))
    return next((candidate for candidate in with_endings if candidate.is_file()), None)


def _labels(source: Path, rows: list[tuple[str, str]]) -> np.ndarray | None:
    """Return the labels of a list, whole numbers where all are.

    Args:
        source: the list.
        rows: where each stands, and the label.

    Raises:
        FormatError: some names have one and others none.
    """
    bare = [where for where, label in rows if not label]
    if len(bare) == len(rows):
        return None
    if bare:
        raise FormatError(source, f"{bare[0]} has no label behind its name, but others have", "Give all one, or none.")
    labels = [label for _, label in rows]
    try:
        return np.array(labels, np.int64)
    except (ValueError, OverflowError):
        return np.array(labels)
