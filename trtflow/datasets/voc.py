"""Pascal VOC's layout: JPEGImages, Annotations, ImageSets/Main."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from trtflow.datasets.manifest import SUFFIX, write_manifest
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.damage import read_text, refuse_damage, whole_number
from trtflow.formats.files import write_text

LARGEST = 1e6  # pixels from the corner that a box may be


@dataclass
class Annotation:
    """The objects of one image.

    Attributes:
        image_id: name of the image without its ending.
        size: (height, width) in pixels.
        boxes: float32 [n, 4], xmin, ymin, xmax, ymax in pixels, the left upper corner of the image being (0, 0).
        labels: int64 [n], positions in the list of classes, 0 being the background.
        difficult: bool [n]; such objects do not count in the evaluation.
    """

    image_id: str
    size: tuple[int, int]
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray

    def normalised_boxes(self) -> np.ndarray:
        """Return the boxes with coordinates from 0 to 1, float32 [n, 4]."""
        height, width = self.size
        return (self.boxes / np.array([width, height, width, height])).astype(np.float32)


def image_path(root: Path, image_id: str) -> Path:
    """Return the path of an image."""
    return root / "JPEGImages" / f"{image_id}.jpg"


def annotation_path(root: Path, image_id: str) -> Path:
    """Return the path of an annotation."""
    return root / "Annotations" / f"{image_id}.xml"


def read_image_set(root: Path, split: str) -> list[str]:
    """Return the image ids of a split, in the file's order."""
    path = root / "ImageSets" / "Main" / f"{split}.txt"
    ids = read_text(path).split()
    if not ids:
        raise FormatError(path, "the image set is empty", "Make the data set again.")
    return ids


def write_image_set(root: Path, split: str, ids: Sequence[str]) -> None:
    """Write the image ids of a split."""
    write_text(root / "ImageSets" / "Main" / f"{split}.txt", "".join(f"{image_id}\n" for image_id in ids))


def write_split_files(root: Path, split: str, annotations: Sequence[Annotation], classes: Sequence[str]) -> None:
    """Write the annotations of a split and the list of its images."""
    for annotation in annotations:
        write_annotation(annotation_path(root, annotation.image_id), annotation, classes)
    write_image_set(root, split, [annotation.image_id for annotation in annotations])


def root_of(outputs: Sequence[Path]) -> Path:
    """Return the folder of the data set of which a step writes a split.

    Args:
        outputs: that folder and others, or the split's files one by one, the list of its pictures first.
    """
    first = outputs[0]
    return first.parents[2] if first.suffix == ".txt" else first


def list_split(root: Path, split: str, outputs: Sequence[Path]) -> None:
    """Write the manifest of a split where it is one of a step's outputs."""
    ids = read_image_set(root, split)
    files = [root / "ImageSets" / "Main" / f"{split}.txt"]
    files += [path(root, image_id) for image_id in ids for path in (image_path, annotation_path)]
    for path in outputs:
        if path.suffix == SUFFIX:
            write_manifest(path, root, files)


def read_split(root: Path, split: str, classes: Sequence[str]) -> list[Annotation]:
    """Return the annotations of a split."""
    return [read_annotation(annotation_path(root, image_id), classes) for image_id in read_image_set(root, split)]


def read_images(root: Path, split: str) -> tuple[list[Path], list[str]]:
    """Return the paths and the ids of a split's pictures."""
    ids = read_image_set(root, split)
    return [image_path(root, image_id) for image_id in ids], ids


def read_predictions(path: Path, root: Path, split: str, classes: Sequence[str]) -> tuple[np.ndarray, list[Annotation]]:
    """Return the detections that scripts/infer.py wrote, [N, K, 7], and the annotations of the same images.

    Raises:
        FormatError: the detections are of other images than the split's.
    """
    detections, images = read_arrays(path, "detections", "images")
    truths = read_split(root, split, classes)
    if images.tolist() != [truth.image_id for truth in truths]:
        raise FormatError(path, f"not of the images of {root}", "Run infer.py again.")
    return detections, truths


def read_annotation(path: Path, classes: Sequence[str]) -> Annotation:
    """Read one annotation; an object of a class that is not in `classes` is an error."""
    return parse_annotation(path, path.read_bytes(), classes)


def parse_annotation(path: Path, text: bytes, classes: Sequence[str]) -> Annotation:
    """Return the annotation that a text holds; `path` is where it came from."""
    # ParseError is a SyntaxError
    with refuse_damage(path, f"not a VOC annotation of {len(classes)} classes", "Make it again."):
        tree = ElementTree.fromstring(text)
        size = tree.find("size")
        height, width = (whole_number(_text(size, key).strip()) for key in ("height", "width"))
        objects = tree.findall("object")
        labels = [_label(_text(item, "name"), classes) for item in objects]
        corners = [[_side(item, key) for key in ("xmin", "ymin", "xmax", "ymax")] for item in objects]
        difficult = [item.findtext("difficult", "0") == "1" for item in objects]
        if min(height, width) < 1:
            raise ValueError(f"a picture of {width}x{height}")
    boxes = np.array(corners, np.float32).reshape(-1, 4)
    if (boxes[:, :2] > boxes[:, 2:]).any():
        box = boxes[(boxes[:, :2] > boxes[:, 2:]).any(1)][0].tolist()
        raise FormatError(path, f"the box {box} ends before it begins", "Correct it: xmin, ymin, xmax, ymax.")
    return Annotation(path.stem, (height, width), boxes, np.array(labels, np.int64), np.array(difficult, bool))


def _label(name: str, classes: Sequence[str]) -> int:
    if name not in classes:
        raise ValueError(f"the object {name!r} is none of them")
    return classes.index(name)


def _side(item: ElementTree.Element, key: str) -> float:
    """Return one side of an object's box, a number that float32 holds."""
    value = float(_text(item, f"bndbox/{key}"))
    if not abs(value) <= LARGEST:  # nor is NaN less
        raise ValueError(f"<{key}> is {value}")
    return value


def _text(element: ElementTree.Element | None, key: str) -> str:
    text = None if element is None else element.findtext(key)
    if text is None:
        raise ValueError(f"no <{key}>")
    return text


def write_annotation(path: Path, annotation: Annotation, classes: Sequence[str]) -> None:
    """Write one annotation."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{annotation.image_id}.jpg"
    size = ElementTree.SubElement(root, "size")
    for key, value in zip(("width", "height", "depth"), (annotation.size[1], annotation.size[0], 3), strict=True):
        ElementTree.SubElement(size, key).text = str(value)
    for box, label, difficult in zip(annotation.boxes, annotation.labels, annotation.difficult, strict=True):
        item = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(item, "name").text = classes[label]
        ElementTree.SubElement(item, "difficult").text = str(int(difficult))
        corners = ElementTree.SubElement(item, "bndbox")
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
            ElementTree.SubElement(corners, key).text = f"{value:g}"
    ElementTree.indent(root)
    write_text(path, ElementTree.tostring(root, "unicode") + "\n")
