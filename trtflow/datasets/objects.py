"""What a detector looks for, by the name of the set of classes: in which order, the background first."""

from __future__ import annotations

from trtflow.datasets import coco
from trtflow.formats import UserError

VOC = (
    "background",
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
DIGITS = ("background", *"0123456789")
CLASSES = {
    "digits": DIGITS,
    "voc": VOC,
    "coco": coco.CLASSES,  # as Darknet numbers them
    "coco91": coco.NUMBERED,  # as TensorFlow does
}


def classes_of(name: str) -> tuple[str, ...]:
    """Return the classes of a set.

    Raises:
        UserError: there is no such set.
    """
    if name not in CLASSES:
        raise UserError(f"splits.objects: unknown {name!r}. Known: {', '.join(CLASSES)}.")
    return CLASSES[name]
