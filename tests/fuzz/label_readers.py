"""Readers of the user's own data: tables, arrays, and labels of pictures as common tools write them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from data_readers import PIXELS_MEMORY, XML, picture
from readers import reader
from trial import Reader

from trtflow.calibration.tables import take_table
from trtflow.datasets.labelled import read_objects
from trtflow.datasets.labelled.masks import MaskForm, find_masks, read_mask
from trtflow.datasets.own import read_items

CLASSES = ("cat", "dog")
COCO: dict[str, Any] = {
    "images": [{"id": 7, "file_name": "1.png", "height": 6, "width": 7}],
    "categories": [{"id": 3, "name": "cat"}, {"id": 9, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3.5, 3], "iscrowd": 0, "area": 10.5},
        {"id": 2, "image_id": 7, "category_id": 9, "bbox": [0, 0, 7, 6], "iscrowd": 1},
    ],
}


def with_picture(folder: Path) -> None:
    """Write a picture of 7x6 pixels beside the labels."""
    (folder / "1.png").write_bytes(picture("PNG"))


def objects(path: Path) -> object:
    """Read labels beside a picture."""
    labels = path if path.suffix == ".json" else path.parent
    return read_objects(path.parent, labels, CLASSES).annotations


@reader
def coco_json() -> Reader:
    words = [b"bbox", b"image_id", b"NaN", b"1e999", b"true", b"iscrowd"]
    seed = json.dumps(COCO).encode()
    return Reader("COCO's JSON", objects, (seed,), "labels.json", "json", words, prepare=with_picture)


@reader
def yolo_txt() -> Reader:
    seeds = (b"0 0.5 0.5 0.25 0.5\n1 .1 .2 .1 .1\n", b"1 0.1 0.1 0.9 0.1 0.5 0.9\n")
    words = [b"nan", b"inf", b"1e999", b"-", b"1_0", b"0x1"]
    return Reader("YOLO's labels", objects, seeds, "1.txt", "text", words, prepare=with_picture)


@reader
def labelled_voc_xml() -> Reader:
    seed = XML.replace(b"<width>20", b"<width>7").replace(b"<height>10", b"<height>6").replace(b"8.5", b"6.5")
    seed = seed.replace(b"<ymax>9", b"<ymax>5")
    words = [b"nan", b"<object>", b"</size>", b"&x;", b"<!DOCTYPE a [", b"dog"]
    return Reader("VOC XML of own pictures", objects, (seed,), "1.xml", "text", words, prepare=with_picture)


@reader
def masks() -> Reader:
    from PIL import Image

    def png(values: np.ndarray, mode: str) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(values).convert(mode).save(buffer, "PNG")
        return buffer.getvalue()

    numbers = np.random.default_rng(0).integers(0, 2, (6, 7)).astype(np.uint8)
    coloured = np.stack([numbers * 255, numbers * 0, numbers * 0], -1)
    plain, colours = MaskForm(CLASSES), MaskForm(CLASSES, {"cat": (0, 0, 0), "dog": (255, 0, 0)})

    def read(path: Path) -> object:
        find_masks(path.parent, path.parents[1] / "masks")
        read_mask(path, colours)
        return read_mask(path, plain)

    def prepare(folder: Path) -> None:
        (folder.parent / "masks").mkdir(exist_ok=True)
        with_picture(folder)
        (folder.parent / "masks/1.png").write_bytes(png(numbers, "L"))
        (folder.parent / "masks/mask.png").write_bytes(png(numbers, "L"))

    seeds = [png(numbers, "P"), png(numbers, "L"), png(coloured, "RGB"), png(numbers * 0, "1")]
    return Reader("masks", read, seeds, "pictures/mask.png", "png", prepare=prepare, memory=PIXELS_MEMORY)


@reader
def own_tables() -> Reader:
    seeds = (b"a,b,label\n1,2.5,cat\n3,-4e2,dog\n", b'\xef\xbb\xbf"a, b",c\r\n"1\n2",nan\r\n')
    words = [b'"', b",", b"\r", b"\0", b"1e999", b"9" * 30]
    return Reader("CSV table", lambda path: read_items(path).columns, seeds, "data.csv", "text", words)


@reader
def own_arrays() -> Reader:
    def array(values: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, values)
        return buffer.getvalue()

    seeds = [array(np.arange(6, dtype=kind).reshape(2, 3)) for kind in ("<f4", ">i8", "|u1")] + [array(np.zeros(()))]
    words = [b"'fortran_order': True", b"(2, 3)", b"|O", b"(99999999999,)", b"<U9"]
    return Reader("array of one's own", lambda path: read_items(path).columns, seeds, "data.npy", "npy", words)


@reader
def own_npz() -> Reader:
    buffer = io.BytesIO()
    np.savez(buffer, inputs=np.zeros((2, 3), np.float32), labels=np.array([0, 1]), names=np.array(["a", "b"]))
    words = [b"inputs.npy", b"labels.npy"]
    return Reader(
        "arrays of one's own", lambda path: read_items(path).columns, (buffer.getvalue(),), "d.npz", "zip", words
    )


@reader
def taken_tables() -> Reader:
    def read(path: Path) -> object:
        return take_table(path, "8600", "EntropyCalibration2", foreign=True).scales

    seeds = (
        b"TRT-8601-EntropyCalibration2\r\nx: 3c010a14\r\n(Unnamed Layer* 0) [Convolution]_output: 3f800000\r\n",
        b"TRT-7103-MinMaxCalibration\nx: 3c010a14\n",
        b"0 3ff0000000000000 3fefff2e48e8a71e\nx: 3c010a14\n",
        b"x: 2.5\ny: 1e-3\n",
    )
    words = [b"TRT-", b": ", b"7f800000", b"7fc00000", b"0 ", b"\xef\xbb\xbf", b"\xff\xfe", b"1e999"]
    return Reader("table of another version, or ranges", read, seeds, "CalibrationTable", "text", words)
