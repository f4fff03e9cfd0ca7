"""Tars in the layout of Pascal VOC 2007's, of digit scenes: a digit's class is that of its value."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from trtflow.datasets.digit_scenes import digits_of, make_scene
from trtflow.datasets.voc2007 import CLASSES, PARTS

ROOT = "VOCdevkit/VOC2007"


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def annotation_text(name: str, size: tuple[int, int], objects: list[tuple]) -> bytes:
    """As the devkit has it; an object is a class, whether it is difficult, and first and last pixels from 1."""
    root = ElementTree.Element("annotation")
    for key, value in {"folder": "VOC2007", "filename": f"{name}.jpg", "segmented": "0"}.items():
        ElementTree.SubElement(root, key).text = value
    of_size = ElementTree.SubElement(root, "size")
    for key, value in zip(("width", "height", "depth"), (*size, 3), strict=True):
        ElementTree.SubElement(of_size, key).text = str(value)
    for kind, difficult, *corners in objects:
        item = ElementTree.SubElement(root, "object")
        for key, value in {"name": kind, "pose": "Unspecified", "truncated": 0, "difficult": int(difficult)}.items():
            ElementTree.SubElement(item, key).text = str(value)
        box = ElementTree.SubElement(item, "bndbox")
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
            ElementTree.SubElement(box, key).text = str(value)
        part = ElementTree.SubElement(item, "part")  # as people have a head, which is no object
        ElementTree.SubElement(part, "name").text = "head"
    return ElementTree.tostring(root)


def make_files(split: str, count: int, seed: int = 0) -> dict[str, bytes]:
    """The files of a tar below VOCdevkit/VOC2007; pictures lie and stand in turns."""
    rng, (digits, values) = np.random.default_rng(seed), digits_of(split)
    names = [f"{3 * index + 1:06d}" for index in range(count)]
    files = {f"ImageSets/Main/{PARTS[split]}.txt": "".join(f"{name}\n" for name in names).encode()}
    for index, name in enumerate(names):
        image, annotation = make_scene(rng, digits, values, ((375, 500), (500, 333))[index % 2])
        boxes = (annotation.boxes + np.array([1, 1, 0, 0])).astype(int)
        rows = zip(annotation.labels, boxes, strict=True)
        objects = [(CLASSES[label], place == 3, *box) for place, (label, box) in enumerate(rows)]
        files[f"JPEGImages/{name}.jpg"] = jpeg(Image.fromarray(image))
        files[f"Annotations/{name}.xml"] = annotation_text(name, image.shape[1::-1], objects)
    return files


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{ROOT}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
