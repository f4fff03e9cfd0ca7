"""COCO's annotations of objects, one JSON file a split (cocodataset.org, Data format)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.labelled.boxes import label_of
from trtflow.datasets.labelled.pictures import check_size
from trtflow.datasets.voc import LARGEST, Annotation
from trtflow.formats import FormatError
from trtflow.formats.damage import is_name_within, refuse_damage
from trtflow.formats.files import read_json

Entry = Mapping[str, Any]
ID = (int, str)  # COCO's own are numbers; tools that go by names of files write these


def read_coco(
    path: Path, folder: Path, classes: Sequence[str], wanted: Sequence[Path] | None = None
) -> tuple[list[Path], list[Annotation]]:
    """Return pictures and the objects of each, in the order of their names; crowds are difficult ones.

    Args:
        path: the file.
        folder: of the pictures.
        classes: names, without a background. Objects of other categories are an error, and categories without
            objects none.
        wanted: the pictures of the split, where the file may have others too; None for all of them.

    Raises:
        FormatError: an id is used twice or stands for nothing, a picture is missing or of another size, or a box is
            none.
    """
    content = _read(path)
    images = sorted(content["images"], key=lambda image: image["file_name"])
    labels = _labels(path, content, classes)
    objects: dict[int | str, list[Entry]] = defaultdict(list)
    known = {image["id"] for image in images}
    for entry in content["annotations"]:
        if entry["image_id"] not in known:
            fault = f"annotation {entry['id']} is of image_id {entry['image_id']}, which is none of its images"
            raise FormatError(path, fault, "Correct the id, or take the annotation out.")
        objects[entry["image_id"]].append(entry)
    if wanted is not None:
        names = {picture.relative_to(folder) for picture in wanted}
        images = [image for image in images if Path(image["file_name"]) in names]
    pictures = [_picture(path, folder, image) for image in images]
    return pictures, [_annotation(path, image, objects[image["id"]], labels) for image in images]


def _read(path: Path) -> dict[str, list[Entry]]:
    """Return the lists of a file whose entries have what is read of them, and ids of their own."""
    needed: dict[str, dict[str, Any]] = {
        "images": {"id": ID, "file_name": str, "height": int, "width": int},
        "categories": {"id": ID, "name": str},
        "annotations": {"id": ID, "image_id": ID, "category_id": ID, "bbox": list},
    }
    remedy = "It has images, categories and annotations, as cocodataset.org describes."
    with refuse_damage(path, "not COCO's annotations", remedy):
        content = read_json(path, remedy)
        for part, keys in needed.items():
            for place, entry in enumerate(content[part]):
                wrong = [key for key, kind in keys.items() if not isinstance(entry.get(key), kind)]
                if wrong:
                    told = f"the {wrong[0]} {entry[wrong[0]]!r}" if wrong[0] in entry else f"no {wrong[0]!r}"
                    raise ValueError(f"{part}[{place}] has {told}")
    for part in needed:
        twice = [number for number, count in Counter(entry["id"] for entry in content[part]).items() if count > 1]
        if twice:
            raise FormatError(path, f"the id {twice[0]} stands twice in {part}", "Give each an id of its own.")
    if not content["images"]:
        raise FormatError(path, "it has no images: the split is empty", "Give the file of a split that has some.")
    return content


def _labels(path: Path, content: Mapping[str, list[Entry]], classes: Sequence[str]) -> dict[int | str, int]:
    """Return the labels of categories that have objects, by their ids."""
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    labels = {}
    for entry in content["annotations"]:
        number = entry["category_id"]
        if number not in names:
            fault = f"annotation {entry['id']} is of category_id {number}, which is none of its categories"
            raise FormatError(path, fault, "Correct the id, or add the category.")
        if number not in labels:
            labels[number] = label_of(names[number], list(classes), path, "the category")
    return labels


def _picture(path: Path, folder: Path, image: Entry) -> Path:
    """Return the file of a picture, after holding its size against what the annotations say."""
    name = image["file_name"]
    picture = folder / name
    if not is_name_within(name) or not picture.is_file():
        fault = f"image {image['id']}, {name!r}, is not in {folder}"
        raise FormatError(path, fault, "Add the picture, or give the folder that the file's names start from.")
    check_size(picture, (image["height"], image["width"]), path)
    return picture


def _annotation(path: Path, image: Entry, entries: Sequence[Entry], labels: Mapping[int | str, int]) -> Annotation:
    """Return the objects of a picture."""
    corners = [_corners(path, entry) for entry in entries]
    return Annotation(
        Path(image["file_name"]).stem,
        (image["height"], image["width"]),
        np.array(corners, np.float32).reshape(-1, 4),
        np.array([labels[entry["category_id"]] for entry in entries], np.int64),
        np.array([bool(entry.get("iscrowd", 0)) for entry in entries], bool),
    )


def _corners(path: Path, entry: Entry) -> list[float]:
    """Return the corners of a bbox, which is left, top, width, height in pixels."""
    box, remedy = entry["bbox"], "A bbox is left, top, width, height in pixels."
    numbers = len(box) == 4 and all(isinstance(value, (int, float)) and abs(value) <= LARGEST for value in box)
    if not numbers or min(box[2:]) < 0:
        raise FormatError(path, f"annotation {entry['id']} has the bbox {box}", remedy)
    left, top, width, height = map(float, box)
    return [left, top, left + width, top + height]
