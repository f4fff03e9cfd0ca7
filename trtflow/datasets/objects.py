"""What a detector looks for, by the name of the set of classes: in which order, the background first."""

from __future__ import annotations

from trtflow.datasets import coco, digit_scenes, voc2007

CLASSES = {
    "digits": digit_scenes.CLASSES,
    "voc": voc2007.CLASSES,
    "coco": coco.CLASSES,  # as Darknet numbers them
    "coco91": coco.NUMBERED,  # as TensorFlow does
}
