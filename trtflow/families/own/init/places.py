"""Where pictures and their labels are, in the folders that people have: COCO, Pascal VOC, YOLO, masks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from trtflow.datasets.labelled import pictures as labelled
from trtflow.datasets.labelled.lists import COCO, PictureSet, is_list, names_picture, pictures_of
from trtflow.datasets.own import TABLES, read_items
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import read_json

PICTURES = ("images", "JPEGImages", "imgs", "image", "pictures")  # folders of pictures, in that of a data set
BOXES = ("labels", "Annotations", "annotations", "xmls")  # of their boxes
MASKS = ("masks", "SegmentationClass", "mask", "annotations", "labels")  # of their masks
HELD_OUT = ("val", "valid", "validation", "test")  # splits, the one to score first
COCO_PARTS = {"images", "annotations", "categories"}
LOOKED_AT = 20  # pictures, to see whether labels are theirs
LARGEST_JSON = 512 << 20  # bytes of a file that is looked into
TRAINED = "train"  # the split that calibrates
BOX_FILES, MASK_FILES = (".xml", ".txt"), (".png",)
BESIDE = 50  # folders beside a list or a table in which its pictures may lie
UP = 3  # folders over a list in which its pictures may lie


@dataclass(frozen=True)
class Places:
    """Where data are.

    Attributes:
        val: the items: a folder of pictures, a list of them, or a file.
        labels: of boxes; None where there are none.
        masks: None where there are none.
        folder: that names of pictures in lists and tables start from; None where there are none.
        calibration: list or folder of the pictures that calibrate, where others are scored.
    """

    val: Path
    labels: Path | None = None
    masks: Path | None = None
    folder: Path | None = None
    calibration: Path | None = None

    @property
    def told(self) -> dict[str, str]:
        """The keys of a YAML file's `data`."""
        return {place.name: str(value) for place in fields(self) if (value := getattr(self, place.name)) is not None}


def find_places(data: Path, labels: Path | None, masks: Path | None) -> Places:
    """Return where pictures and labels are.

    Args:
        data: what the user calls the data: a file, a folder of pictures or a list of them, or the folder of a data set
            with pictures, labels and perhaps lists.
        labels: of boxes, where the user says it.
        masks: the same of masks.

    Raises:
        UserError: the user said both, or what is not there, or of data that are no pictures; or a list is wrong.
    """
    if labels and masks:
        raise UserError("--labels and --masks: boxes or masks? Give one of both.")
    for place in (labels, masks):
        if place and not place.exists():
            raise UserError(f"{place}: no such file or folder. Correct --labels or --masks.")
    if data.is_file() and is_list(data):
        return _of_list(data, labels, masks)
    if not data.is_dir():
        if labels or masks:
            raise UserError(f"{data}: labels of boxes and masks are of pictures in a folder. Give that as --data.")
        return Places(data, folder=table_folder(data))
    folder = _pictures(data)
    if labels or masks:
        return _places(_split(data, folder, "Main" if labels else "Segmentation"), labels, masks)
    return _of_folder(data, folder)


def _of_list(path: Path, labels: Path | None, masks: Path | None) -> Places:
    """Return the places of a list's pictures, and of their labels: a COCO file has both."""
    folder = list_folder(path)
    split = pictures_of(path, folder)
    if labels or masks or path.suffix.lower() == ".json":
        return _places(split, labels or (None if masks else path), masks)
    return _labelled(folder, split) or _labelled(folder.parent, split) or _places(split)


def _of_folder(data: Path, folder: Path) -> Places:
    """Return the places in the folder of a data set."""
    boxes = _labelled(data, _split(data, folder, "Main"), masks=False)
    if boxes:
        return boxes
    for path in _coco_files(data, folder):
        shared = {picture.resolve() for picture in pictures_of(path, folder).paths}
        if shared == {picture.resolve() for picture in labelled.find_pictures(folder)}:
            return Places(folder, labels=path)
        return _places(pictures_of(path, folder), path)
    masks = _labelled(data, _split(data, folder, "Segmentation"), boxes=False)
    if masks:
        return masks
    split = _split(data, folder, "Main")
    if split.listed:
        return _places(split)
    return _of_table(data) or _held_out(data)


def _held_out(data: Path) -> Places:
    """Return the places of a folder of classes, or of one with a folder of classes a split."""
    for name in HELD_OUT:
        if (data / name).is_dir() and _some(data / name):
            return Places(data / name, calibration=data / TRAINED if _some(data / TRAINED) else None)
    return Places(data)


def _of_table(data: Path) -> Places | None:
    """Return the places of the table in a folder that names its pictures; None where there is none.

    Folders of classes need none: there the pictures lie in several.
    """
    tables = sorted((path for end in TABLES for path in data.glob(f"*{end}")), key=lambda path: (_rank(path), path))
    for path in tables:
        folder = table_folder(path)
        if folder is not None:
            return Places(path, folder=folder)
    return None


def table_folder(path: Path) -> Path | None:
    """Return the folder that names of pictures in a table start from: the first near it that has the first row's.

    Raises:
        FormatError: it is no table.
        UserError: it is not there.
    """
    if path.suffix not in TABLES:
        return None
    for values in read_items(path).columns.values():
        if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iuU":
            folder = _folder_of(str(values[0]), path)
            if folder is not None:
                return folder
    return None


def _labelled(data: Path, split: PictureSet, *, boxes: bool = True, masks: bool = True) -> Places | None:
    """Return the places of pictures that have boxes, or masks, where these usually lie; None where there are none."""
    kinds = [(BOXES, BOX_FILES), (MASKS, MASK_FILES)][0 if boxes else 1 : 2 if masks else 1]
    for names, endings in kinds:
        near = [*_beside(data, split.folder, names), *_together(split)]
        found = next((place for place in near if _has(place, split, endings)), None)
        if found:
            return _places(split, found) if endings == BOX_FILES else _places(split, None, found)
    return None


def _places(split: PictureSet, labels: Path | None = None, masks: Path | None = None) -> Places:
    """Return the places of a split; of a list those of the one that calibrates too, where it lies beside."""
    if not split.listed:
        return Places(split.source, labels, masks)
    return Places(split.source, labels, masks, split.folder, _trained(split))


def _trained(split: PictureSet) -> Path | None:
    """Return the list of the pictures that a model was trained with, beside that of those that are held out."""
    for word in HELD_OUT:
        beside = split.source.with_name(split.source.name.replace(word, TRAINED))
        first = first_name(beside) if beside != split.source and beside.is_file() else None
        if first is not None and names_picture(first, split.folder):
            return beside
    return None


def _split(data: Path, folder: Path, part: str) -> PictureSet:
    """Return the pictures of a folder that are held out: those that a list names, or all.

    Args:
        data: folder of the data set.
        folder: of its pictures.
        part: of Pascal VOC's lists, by what is labelled: Main or Segmentation.

    Raises:
        FormatError: the list of such a data set is wrong.
    """
    if not {folder.name, folder.parent.name} & set(HELD_OUT):  # else a folder says which are held out
        for name in HELD_OUT:
            path = data / "ImageSets" / part / f"{name}.txt"
            if path.is_file():
                return pictures_of(path, folder)
        for name in HELD_OUT:
            for path in sorted(data.glob(f"*{name}*.txt")):
                first = first_name(path)
                base = _folder_of(first, path) if first else None
                if base is not None:
                    return pictures_of(path, base)
    return PictureSet(folder, folder, _some(folder))


def _some(folder: Path) -> list[Path]:
    try:
        return labelled.find_pictures(folder)
    except FormatError:
        return []


def list_folder(path: Path) -> Path:
    """Return the folder that names of a list start from: the first near it that has its first picture.

    Raises:
        FormatError: there is none; or the list is empty, or damaged.
    """
    name = first_name(path)
    if name is None:
        raise FormatError(path, "no pictures in it: the split is empty", "Name some, a line each.")
    folder = _folder_of(name, path)
    if folder is None:
        fault = f"no folder beside it, or above, has its first picture {name!r}"
        raise FormatError(path, fault, "Put the list beside the folder of its pictures.")
    return folder


def _folder_of(name: str, path: Path) -> Path | None:
    """Return the first folder near a list that has a picture that it names."""
    above = [path.parent, *list(path.parent.parents)[:UP], Path()]
    beside = sorted(place for place in path.parent.iterdir() if place.is_dir())[:BESIDE]
    near = [*(place / sub for place in above for sub in PICTURES), *above, *beside]
    return next((place for place in near if names_picture(name, place)), None)


def first_name(path: Path) -> str | None:
    """Return the first entry of a list; None of an empty one, or of a file that is none."""
    if path.suffix.lower() == ".json":
        content = read_json(path, COCO) if path.stat().st_size <= LARGEST_JSON else {}
        images = content.get("images") if isinstance(content, dict) else None
        first = images[0] if isinstance(images, list) and images else {}
        return str(first["file_name"]) if isinstance(first, dict) and "file_name" in first else None
    with path.open(encoding="utf-8", errors="replace") as file:
        return next((line.strip() for line in file if line.strip()), None)


def _pictures(data: Path) -> Path:
    """Return the folder of the pictures of a data set, that of the split to score where there are several."""
    folder = next((data / name for name in PICTURES if (data / name).is_dir()), None)
    if folder is None:  # a folder a split, each with pictures and labels, as Roboflow has it
        splits = [data / split / name for split in HELD_OUT for name in PICTURES]
        return next((place for place in splits if place.is_dir()), data)
    return next((folder / split for split in HELD_OUT if (folder / split).is_dir()), folder)


def _beside(data: Path, folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Yield where labels of the pictures of a folder may lie, of usual names: in the place of `images`, or in it."""
    for place in range(len(folder.parts) - 1, -1, -1):
        if folder.parts[place] in PICTURES:
            for name in names:
                yield Path(*folder.parts[:place], name, *folder.parts[place + 1 :])
            break
    yield from (data / name for name in names)
    if folder == data:
        yield folder


def _together(split: PictureSet) -> Iterator[Path]:
    """Yield the folder that all pictures of a list lie in, where Darknet has labels too."""
    if split.listed:
        yield Path(os.path.commonpath([path.parent for path in split.paths]))


def _has(labels: Path, split: PictureSet, endings: tuple[str, ...]) -> bool:
    """Whether a folder has the labels of most of the first pictures of a split."""
    if not labels.is_dir() or not split.paths:
        return False
    some = split.paths[:LOOKED_AT]
    files = [[labelled.label_file(picture, split.folder, labels, ending) for picture in some] for ending in endings]
    return any(
        sum(path.exists() and path != picture for path, picture in zip(its, some, strict=True)) * 2 > len(some)
        for its in files
    )


def _coco_files(data: Path, folder: Path) -> Iterator[Path]:
    """Yield COCO's files in or beside a folder of pictures: named as its split, or as one that is held out, first."""
    places = [folder, folder.parent, data, *(base / "annotations" for base in (data, data.parent))]
    files = dict.fromkeys(path for place in places for path in sorted(place.glob("*.json")))
    for path in sorted(
        files, key=lambda path: (folder.name not in path.stem, _rank(path), "instances" not in path.stem)
    ):
        if path.stat().st_size <= LARGEST_JSON and _is_coco(path, folder):
            yield path


def _rank(path: Path) -> int:
    """Return how soon a split is scored, by the name of its file."""
    return next((place for place, name in enumerate(HELD_OUT) if name in path.stem), len(HELD_OUT))


def _is_coco(path: Path, folder: Path) -> bool:
    """Whether a file is of COCO's form, and some of its first pictures lie in a folder."""
    try:
        content = read_json(path)
    except FormatError:
        return False
    if not isinstance(content, dict) or not set(content) >= COCO_PARTS or not isinstance(content["images"], list):
        return False
    first = [image for image in content["images"][:LOOKED_AT] if isinstance(image, dict)]
    return any((folder / str(image.get("file_name"))).is_file() for image in first)
