"""Labelled pictures of the user's own, as common tools write them, in one form inside (`Labelled`).

Boxes: Pascal VOC's XML, COCO's JSON, YOLO's text files. Masks: PNG files of class numbers, a palette or colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trtflow.datasets.labelled.boxes import check_boxes
from trtflow.datasets.labelled.coco_json import read_coco
from trtflow.datasets.labelled.lists import is_list, pictures_of
from trtflow.datasets.labelled.pictures import find_pictures
from trtflow.datasets.labelled.voc_xml import read_voc
from trtflow.datasets.labelled.yolo_txt import read_yolo
from trtflow.datasets.voc import Annotation
from trtflow.formats import FormatError

__all__ = ["Labelled", "read_objects"]


@dataclass(frozen=True)
class Labelled:
    """Pictures with the objects on them.

    Attributes:
        pictures: their files.
        names: of the pictures, below their folder.
        annotations: the objects of each; labels are places in the classes, from 1.
    """

    pictures: list[Path]
    names: list[str]
    annotations: list[Annotation]

    def of(self, names: Sequence[str], source: Path) -> list[Annotation]:
        """Return the objects of pictures by their names.

        Args:
            names: of some of the pictures.
            source: of the labels, for errors.

        Raises:
            FormatError: one has no labels.
        """
        known = dict(zip(self.names, self.annotations, strict=True))
        missing = [name for name in names if name not in known]
        if missing:
            others = f" (nor have {len(missing) - 1} more)" if len(missing) > 1 else ""
            fault = f"the picture {missing[0]} has no labels in it{others}"
            remedy = "Add them, or take it out"
            if source.suffix.lower() == ".json":
                remedy += f"; or set data.val to {source} too, which names the pictures of its split, and data.folder"
            raise FormatError(source, fault, f"{remedy}.")
        return [known[name] for name in names]


def read_objects(place: Path, labels: Path | None, classes: Sequence[str], folder: Path | None = None) -> Labelled:
    """Return pictures with the objects on them.

    Args:
        place: folder of the pictures, at any depth, or a list of them (`trtflow.datasets.labelled.lists`).
        labels: a COCO file (`.json`), or a folder of VOC's `.xml` or of YOLO's `.txt` files, a picture each; None to
            look for them where they usually are (`find_labels`).
        classes: names, in the model's order, without a background.
        folder: that names of a list start from.

    Raises:
        FormatError: there are no pictures or no labels, or they do not fit: it names file, fault and way out.
    """
    if is_list(place):
        split = pictures_of(place, folder)
        folder, wanted = split.folder, split.paths
    else:
        folder, wanted = place, None
    labels = labels or find_labels(folder)
    if labels.suffix.lower() == ".json":
        pictures, annotations = read_coco(labels, folder, classes, wanted)
    else:
        pictures = find_pictures(folder) if wanted is None else wanted
        if _form(labels) == ".xml":
            annotations = read_voc(labels, folder, pictures, classes)
        else:
            annotations = read_yolo(labels, folder, pictures, classes, whole=wanted is None)
    for annotation, path in zip(annotations, pictures, strict=True):
        check_boxes(annotation, path)
    if not any(len(annotation.labels) for annotation in annotations):
        raise FormatError(labels, f"there is no object on the pictures of {place}", "Label some, or give other labels.")
    return Labelled(pictures, [path.relative_to(folder).as_posix() for path in pictures], annotations)


def find_labels(folder: Path) -> Path:
    """Return where the labels of a folder of pictures usually are.

    Known are `Annotations` beside `JPEGImages` (VOC), `labels/...` beside `images/...` (YOLO), and files beside the
    pictures.

    Raises:
        FormatError: there are none.
    """
    parts = folder.parts
    swaps = {"JPEGImages": "Annotations", "images": "labels"}
    swapped = [
        Path(*parts[:place], swaps[part], *parts[place + 1 :])
        for place, part in reversed(list(enumerate(parts)))
        if part in swaps
    ]
    for candidate in [*swapped, folder]:
        if any(next(candidate.rglob(f"*{ending}"), None) for ending in (".xml", ".txt")):
            return candidate
    raise FormatError(folder, "no labels beside its pictures", "Say where they are as data.labels.")


def _form(labels: Path) -> str:
    """Return the ending of the label files of a folder.

    Raises:
        FormatError: there are none, or of both kinds.
    """
    if not labels.exists():
        raise FormatError(labels, "there are no such labels", "Correct data.labels.")
    found = [ending for ending in (".xml", ".txt") if next(labels.rglob(f"*{ending}"), None)]
    if len(found) != 1 or not labels.is_dir():
        fault = "both .xml and .txt files" if len(found) == 2 else "neither .xml nor .txt files, and no .json file"
        raise FormatError(labels, fault, "Give a COCO file, or a folder of VOC's .xml or of YOLO's .txt files.")
    return found[0]
