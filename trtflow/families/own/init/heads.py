"""Which decoder reads the outputs of a detector, told from their shapes, values and names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from trtflow.datasets.placement import PLACEMENTS
from trtflow.families.own.init.facts import Facts

STRETCH, LETTERBOX = "stretch", "letterbox"
assert {STRETCH, LETTERBOX} <= set(PLACEMENTS)
STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32), (8, 16), (8,), (16,), (32,))
ANCHORS = (1, 3, 2, 5)  # boxes a cell
PLAIN = 5  # values of a box of YOLO before its classes: middle, sides, objectness
BINS = 64  # channels of the distances of YOLOv8's raw maps: four sides of 16 bins
QUERIES = 1000  # boxes of a picture, at most, of models that suppress nothing
NEGATIVE = 0.2  # of the values of boxes for noise, from which on these are offsets
# boxes a map, of decoders that know their sizes
USUAL_ANCHORS: Mapping[str, set[tuple[int, ...]]] = {"yolov3": {(3, 3, 3), (3, 3)}, "yolov5": {(3, 3, 3)}}
ROLES = {  # words in names of outputs
    "labels": ("class", "label", "cls"),
    "scores": ("score", "conf", "prob"),
    "boxes": ("box", "loc", "bbox"),
    "count": ("num", "count", "valid"),
}


@dataclass(frozen=True)
class Known:
    """What labels say of the classes.

    Attributes:
        count: how many they know; 0 where there are no labels.
        all: whether a model can have no others.
    """

    count: int = 0
    all: bool = False

    def fits(self, classes: int) -> bool:
        """Whether a model can have so many classes."""
        return classes >= 1 and (classes == self.count if self.all else classes >= self.count)


@dataclass(frozen=True)
class Head:
    """How the outputs of a detector are read.

    Attributes:
        decoding: as in the YAML file.
        outputs: their names, in the decoder's order.
        classes: how many the outputs have room for; None where they give numbers of classes.
        resize: how such models usually see pictures.
        anchors: how many boxes that maps start from have no usual size; 0 for none.
        left: what the user has to look at, a sentence each.
    """

    decoding: dict[str, Any]
    outputs: list[str]
    classes: int | None = None
    resize: str = STRETCH
    anchors: int = 0
    left: list[str] = field(default_factory=list)


Arrays = Mapping[str, np.ndarray]
Finder = Callable[[Arrays, tuple[int, int], Known], Iterator[Head]]


def find_heads(facts: Facts, size: tuple[int, int], known: Known) -> list[Head]:
    """Return how the outputs of a model can be read, the likeliest way first; none where they are no detector's.

    Args:
        facts: of the model.
        size: height and width of its input.
        known: what the labels say of its classes.
    """
    found = [head for find in FINDERS for head in find(facts.answers, size, known)]
    return [head for head in found if head.classes is None or known.fits(head.classes)]


def _selected(outputs: Arrays, size: tuple[int, int], known: Known) -> Iterator[Head]:
    """ONNX NonMaxSuppression: indices of what is kept, with the boxes and scores that it chose from."""
    indices = [name for name, values in outputs.items() if _is(values, 2, 3) and values.dtype.kind in "iu"]
    boxes = [name for name, values in outputs.items() if _is(values, 3, 4) and values.dtype.kind == "f"]
    for name, box in product(indices, boxes):
        count = outputs[box].shape[1]
        for score, values in outputs.items():
            if values.ndim == 3 and values.shape[2] == count and score != box:
                told = {"name": "nms_output", **_units(outputs[box], size)}
                yield Head(told, [name, box, score], classes=values.shape[1], left=[UNITS])


def _counted(outputs: Arrays, size: tuple[int, int], known: Known) -> Iterator[Head]:
    """Number, boxes, scores and labels, as EfficientNMS_TRT gives them, and TensorFlow's detectors."""
    boxes = [name for name, values in outputs.items() if values.ndim >= 3 and values.shape[-1] == 4]
    rest = [name for name in outputs if name not in boxes]
    if len(outputs) != 4 or len(boxes) != 1 or max(outputs[name].ndim for name in rest) > 2:
        return
    number = min(rest, key=lambda name: (outputs[name].size, _role(name) != "count"))
    pair = [name for name in rest if name != number]
    labels = [name for name in pair if _role(name) == "labels" or outputs[name].dtype.kind in "iu"]
    first = labels[0] if labels else pair[1]
    scores = next(name for name in pair if name != first)
    tensorflow = boxes[0].startswith("detection_boxes")
    form = {"boxes": "yxyx", "units": "unit", "first_label": 1} if tensorflow else {"units": "pixels"}
    yield Head({"name": "nms_output", **form}, [number, boxes[0], scores, first], left=[UNITS])


def _torchvision(outputs: Arrays, size: tuple[int, int], known: Known) -> Iterator[Head]:
    """Boxes, labels and scores of one picture."""
    boxes = [name for name, values in outputs.items() if _is(values, 2, 4) and values.dtype.kind == "f"]
    rows = {name: values.dtype.kind in "iu" for name, values in outputs.items() if values.ndim == 1}
    if len(boxes) == 1 and sorted(rows.values()) == [False, True]:
        labels, scores = sorted(rows, key=lambda name: not rows[name])
        yield Head({"name": "nms_output"}, [boxes[0], labels, scores], left=[FIRST.format(first=1)])


def _rows(outputs: Arrays, size: tuple[int, int], known: Known) -> Iterator[Head]:
    """Rows of detections: DetectionOutput's, those of YOLOv10 and others, YOLOv7's end2end export."""
    rows = [name for name, values in outputs.items() if values.ndim >= 2 and values.shape[-1] in (6, 7)]
    # TensorRT's DetectionOutput tells besides how many there are
    if len(rows) != 1 or any(values[0].size > 1 for name, values in outputs.items() if name not in rows):
        return
    values = outputs[rows[0]]
    form = (values.ndim, values.shape[-1])
    if form == (4, 7) and values.shape[1] == 1 and _are_whole(values[..., :2]):
        yield Head({"name": "ssd"}, rows, left=[FIRST.format(first=1)])
    elif (form == (2, 7) and _are_whole(values[:, [0, 5]])) or (form == (3, 6) and _are_whole(values[..., 5])):
        yield Head({"name": "nms_output", "units": "pixels"}, rows, resize=LETTERBOX, left=[UNITS])


def _maps(outputs: Arrays, size: tuple[int, int], known: Known) -> Iterator[Head]:
    """Raw maps of YOLO, one a stride."""
    maps = {name: values for name, values in outputs.items() if _is_map(values, size)}
    names = sorted(maps, key=lambda name: -max(maps[name].shape[2:4]))
    if not maps or len(maps) != sum(values.dtype.kind == "f" for values in outputs.values()):
        return
    shapes = [maps[name].shape for name in names]
    if all(len(shape) == 5 for shape in shapes):
        yield from _of_anchors("yolov5", names, [shape[1] for shape in shapes], shapes[0][-1] - PLAIN)
        return
    if len({shape[1] for shape in shapes}) != 1:
        return
    channels = shapes[0][1]
    if channels > BINS and known.fits(channels - BINS) and (known.all or channels % 3):
        yield Head({"name": "yolov8"}, names, classes=channels - BINS, resize=LETTERBOX)
    for anchors in (3, 5, 1, 2, 4, 6):
        if channels % anchors == 0 and known.fits(channels // anchors - PLAIN):
            yield from _of_anchors("yolov3", names, [anchors] * len(maps), channels // anchors - PLAIN)


def _of_anchors(name: str, names: list[str], counts: list[int], classes: int) -> Iterator[Head]:
    usual = tuple(counts) in USUAL_ANCHORS[name]
    why = "raw maps of YOLOv3, YOLOv4 and YOLOv5 have one form; take the name whose training made the model"
    left = [f"decoding.name: {why}"]
    yield Head({"name": name}, names, classes, LETTERBOX, 0 if usual else sum(counts), left)


def _tables(outputs: Arrays, size: tuple[int, int], known: Known) -> Iterator[Head]:
    """A table with a box a row, or a column: YOLOv5 and YOLOv8 as they are usually exported."""
    tables = {name: values for name, values in outputs.items() if values.ndim == 3 and values.dtype.kind == "f"}
    for name, values in tables.items():
        _, first, second = values.shape
        width, count = min(first, second), max(first, second)
        turned = first > second
        if len(tables) > 1 and not _is_grid(count, size):
            continue
        with_objectness = Head({"name": "yolov5"}, [name], classes=width - PLAIN, resize=LETTERBOX)
        without = Head({"name": "yolov8"}, [name], classes=width - 4, resize=LETTERBOX)
        if turned and not known.all:
            why = f"rows of {width} are YOLOv5's of {width - PLAIN} classes, or YOLOv8's of {width - 4}"
            with_objectness.left.append(f"decoding.name: {why}")
        if known.fits(width - 4) or known.fits(width - PLAIN):
            yield from (with_objectness, without) if turned else (without,)


def _pairs(outputs: Arrays, size: tuple[int, int], known: Known) -> Iterator[Head]:
    """Boxes and scores: SSD's offsets with priors, DETR's, or decoded boxes."""
    floats = {name: values for name, values in outputs.items() if values.dtype.kind == "f"}
    for box, values in floats.items():
        if values.ndim < 2 or not values.size or values[0].size % 4 or (values.shape[-1] != 4 and values.ndim > 2):
            continue
        count = values[0].size // 4
        for score, others in floats.items():
            if score == box or others.ndim not in (2, 3) or others[0].size % count or _role(box) == "scores":
                continue
            if others.ndim == 3 and others.shape[1] != count:
                continue
            priors = [name for name in floats if name not in (box, score) and _are_priors(floats[name], count)]
            yield from _of_pair(floats, size, (box, score, *priors[:1]), others[0].size // count, known)


def _of_pair(floats: Arrays, size: tuple[int, int], names: tuple[str, ...], width: int, known: Known) -> Iterator[Head]:
    boxes, scores = floats[names[0]], floats[names[1]]
    probable = scores.size == 0 or (scores.min() >= 0 and scores.max() <= 1)
    negative = float((boxes < 0).mean()) > NEGATIVE or "loc" in names[0].lower()
    if len(names) == 3 or (negative and known.fits(width - 1)):
        told: dict[str, Any] = {"name": "ssd", **({} if probable else {"scores": "softmax"})}
        left = []
        if len(names) == 2:
            told["priors"] = "priors.npy"
            left = ["decoding.priors: a file of the default boxes [P, 4], which no output has; numpy.save writes it"]
        yield Head(told, list(names), classes=width - 1, left=left)
        return
    if boxes.ndim < 3 or scores.ndim != 3:
        return
    unit = bool(boxes.min(initial=0) >= 0 and boxes.max(initial=0) <= 1)
    corners = bool((boxes[..., 2:] >= boxes[..., :2]).all())
    form = {"boxes": "corners" if corners else "centre", "units": "unit" if unit else "pixels"}
    background = not known.fits(width) or (known.all and known.count == width - 1)
    if background:
        kind = {"scores": "probabilities" if probable else "softmax", "background": "last" if unit else "first"}
    else:
        kind = {"scores": "probabilities" if probable else "logits"}
    told = {"name": "boxes_scores", **form, **kind}
    if unit and boxes.shape[1] <= QUERIES and not _is_grid(boxes.shape[1], size):
        told["nms_iou"] = None  # DETR and its kin find each object once
    left = [UNITS, "decoding: whether boxes are corners, and which score is the background, is a guess"]
    yield Head(told, list(names[:2]), classes=width - background, left=left)


FINDERS: tuple[Finder, ...] = (_selected, _counted, _torchvision, _rows, _maps, _tables, _pairs)
UNITS = "decoding.units: whether boxes are in pixels of the input or in parts of it"
FIRST = "decoding.first_label: the number of the first class; {first} is usual"


def _is(values: np.ndarray, rank: int, last: int) -> bool:
    return values.ndim == rank and values.shape[-1] == last


def _are_whole(values: np.ndarray) -> bool:
    """Whether all are whole numbers, as those of classes and pictures are, which scores of noise are not."""
    return bool((values == np.round(values)).all())


def _units(boxes: np.ndarray, size: tuple[int, int]) -> dict[str, str]:
    """Return the unit of boxes, as the values for noise suggest."""
    return {"units": "unit" if boxes.size and np.abs(boxes).max() <= 2 < min(size) else "pixels"}


def _role(name: str) -> str | None:
    """Return what an output is by its name, as far as that tells."""
    lowered = name.lower()
    return next((role for role, words in ROLES.items() if any(word in lowered for word in words)), None)


def _is_map(values: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether an output is a map [N, C, h, w] or [N, anchors, h, w, C] of cells, fewer than pixels."""
    if values.ndim not in (4, 5) or values.dtype.kind != "f":
        return False
    rows, columns = values.shape[2:4]
    return min(rows, columns) > 1 and size[0] >= 4 * rows and size[0] * columns == size[1] * rows


def _is_grid(count: int, size: tuple[int, int]) -> bool:
    """Whether as many boxes as there are come of maps of the usual strides."""
    height, width = size
    cells = [sum((height // stride) * (width // stride) for stride in strides) for strides in STRIDES]
    return any(count == anchors * number for number in cells if number for anchors in ANCHORS)


def _are_priors(values: np.ndarray, count: int) -> bool:
    """Whether an output is SSD's default boxes, [P, 4] or Caffe's [1, 1 or 2, P x 4]."""
    return values.shape == (count, 4) or (values.ndim == 3 and values.shape[2] == 4 * count and values.shape[1] <= 2)
