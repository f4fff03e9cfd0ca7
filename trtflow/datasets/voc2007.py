"""Pascal VOC 2007 from its published tars: pictures of one size, and their annotations.

Everingham et al., "The Pascal Visual Object Classes Challenge 2007", devkit_doc.pdf §4. A tar holds

    VOCdevkit/VOC2007/ImageSets/Main/<part>.txt    names of pictures: trainval of one tar, test of the other
    VOCdevkit/VOC2007/JPEGImages/<name>.jpg        up to 500x500 pixels
    VOCdevkit/VOC2007/Annotations/<name>.xml       classes, and the numbers of a box's first and last pixels, from 1
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from trtflow.datasets.objects import CLASSES as OBJECTS
from trtflow.datasets.objects import VOC
from trtflow.datasets.tars import Tar, open_tar
from trtflow.datasets.voc import Annotation, image_path, list_split, parse_annotation, root_of, write_split_files
from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import atomic_path
from trtflow.formats.pixels import check_pixels
from trtflow.job import Job
from trtflow.progress import track
from trtflow.steps import required

CLASSES = VOC
NETWORKS = [name for name, classes in OBJECTS.items() if set(VOC) <= set(classes)]  # that know all of them
ROOT = PurePosixPath("VOCdevkit/VOC2007")
PARTS = {"calibration": "trainval", "val": "test"}  # what a split is drawn from
GROUND = (123, 117, 104)  # behind a picture that does not fill its frame: nearly 0 when the means are taken out
AGAIN = "Fetch the tar again."


def make_val(job: Job) -> None:
    """Take the pictures to score on from the tar of test."""
    _make(job, "val")


def make_calibration(job: Job) -> None:
    """Take the pictures to calibrate with from the tar of trainval."""
    _make(job, "calibration")


def _make(job: Job, split: str) -> None:
    root, objects = root_of(job.outputs["split"]), job.setting("splits.objects", "voc")
    if objects not in NETWORKS:
        raise UserError(f"splits.objects: {objects!r} has not all of VOC's objects. Take {' or '.join(NETWORKS)}.")
    place = (root, job.input("archive"), split, required(job, f"splits.{split}"), job.setting("splits.seed", 0))
    shape, ratio = tuple(required(job, "splits.shape")), bool(job.setting("splits.keep_ratio"))
    write_voc2007(*place, shape, keep_ratio=ratio, classes=OBJECTS[objects])
    list_split(root, split, job.outputs["split"])


def write_voc2007(
    root: Path,
    archive: Path,
    split: str,
    count: int,
    seed: int,
    shape: tuple[int, int],
    *,
    keep_ratio: bool,
    classes: Sequence[str] = CLASSES,
) -> None:
    """Write pictures of a tar as a split of a data set in VOC's layout, named 000000, 000001, ...

    Args:
        root: folder of the data set.
        archive: the tar.
        split: "calibration", drawn from trainval, or "val", from test.
        count: pictures; where the tar has more, they are drawn by chance and stay in their order.
        seed: of that draw.
        shape: height and width of all pictures, pixels.
        keep_ratio: fit pictures into that frame and leave the rest empty; otherwise stretch them, as SSD does.
        classes: those of the network, which has VOC's twenty among others, in its order.

    Raises:
        FormatError: no tar of VOC 2007, or too few pictures in it; a picture that is missing, damaged, not in colours
            or not of the size that its annotation says; an annotation that is no such.
    """
    with open_tar(archive, AGAIN) as tar:
        ids = read_part(tar, archive, PARTS[split])
        if len(ids) < count:
            fault = f"{PARTS[split]} has {len(ids)} pictures, fewer than {count}"
            raise FormatError(archive, fault, f"Lower splits.{split}.")
        chosen = np.sort(np.random.default_rng(seed).choice(len(ids), count, replace=False))
        names = [f"{index:06d}" for index in range(count)]
        annotations = []
        for name, index in zip(names, track(chosen, f"Reading {split} pictures"), strict=True):
            image, annotation = read_item(tar, archive, ids[index])
            picture, annotation = fit_item(image, annotation, shape, keep_ratio=keep_ratio)
            annotations.append(renumber(annotation, name, classes))
            with atomic_path(image_path(root, name), durable=False) as temporary:
                picture.save(temporary, "JPEG", quality=100, subsampling=0)
    write_split_files(root, split, annotations, classes)


def renumber(annotation: Annotation, name: str, classes: Sequence[str]) -> Annotation:
    """Return an annotation of VOC's classes under another name, its labels being places in other classes."""
    places = np.array([classes.index(kind) for kind in CLASSES])
    return dataclasses.replace(annotation, image_id=name, labels=places[annotation.labels])


def read_part(tar: Tar, archive: Path, part: str) -> list[str]:
    """Return the names of the pictures of "trainval" or "test", in order."""
    return _read(tar, archive, f"ImageSets/Main/{part}.txt").decode("latin-1").split()


def read_item(tar: Tar, archive: Path, name: str) -> tuple[Image.Image, Annotation]:
    """Return a picture and its objects; coordinates of boxes are continuous, from 0, not numbers of pixels."""
    path = f"JPEGImages/{name}.jpg"
    data = _read(tar, archive, path)
    with refuse_damage(archive, f"{path} is not a readable picture", AGAIN, (Image.DecompressionBombError,)):
        image = Image.open(io.BytesIO(data))
        check_pixels(archive / path, image.width, image.height)
        image.load()
    if image.mode != "RGB":
        raise FormatError(archive, f"{path} is {image.mode}, not in red, green and blue", AGAIN)
    annotations = archive / f"Annotations/{name}.xml"
    annotation = parse_annotation(annotations, _read(tar, archive, f"Annotations/{name}.xml"), CLASSES)
    annotation.boxes = annotation.boxes - np.array([1, 1, 0, 0], np.float32)
    if annotation.size != (image.height, image.width):
        fault = f"the picture is {image.width}x{image.height}, not {annotation.size[1]}x{annotation.size[0]}"
        raise FormatError(annotations, fault, AGAIN)
    for box in annotation.boxes:
        if not (0 <= box[0] < box[2] <= image.width and 0 <= box[1] < box[3] <= image.height):
            fault = f"the box {box.tolist()} is empty or not in the picture of {image.width}x{image.height}"
            raise FormatError(annotations, fault, AGAIN)
    return image, annotation


def _read(tar: Tar, archive: Path, path: str) -> bytes:
    content = tar.read(str(ROOT / path))
    if content is None:
        raise FormatError(archive, f"no {ROOT / path} in it", f"Give VOC 2007's tar: {AGAIN.lower()}")
    return content


def fit_item(
    image: Image.Image, annotation: Annotation, shape: tuple[int, int], *, keep_ratio: bool
) -> tuple[Image.Image, Annotation]:
    """Return a picture of another size, and its objects there; arguments as for `write_voc2007`."""
    factors = np.array([shape[1] / image.width, shape[0] / image.height])
    if keep_ratio:
        factors[:] = factors.min()
    width, height = (round(side) for side in factors * image.size)
    fitted = scale(image, width, height)
    if (width, height) != shape[::-1]:
        frame = Image.new("RGB", shape[::-1], GROUND)
        frame.paste(fitted)
        fitted = frame
    boxes = (annotation.boxes * np.array([width, height] * 2) / np.array(image.size * 2)).astype(np.float32)
    return fitted, Annotation(annotation.image_id, shape, boxes, annotation.labels, annotation.difficult)


def scale(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return a picture scaled as OpenCV's INTER_LINEAR does, which the authors of the networks used.

    Between four pixels, however much smaller it becomes; Pillow's own `resize` would take the mean of all below.
    """
    if image.size == (width, height):
        return image
    step = (image.width / width, 0, 0, 0, image.height / height, 0)
    return image.transform((width, height), Image.Transform.AFFINE, step, Image.Resampling.BILINEAR)
