"""What a detector's data set has objects of, by the name of the set."""

from __future__ import annotations

from trtflow.datasets import digit_scenes, voc2007

CLASSES = {"digits": digit_scenes.CLASSES, "voc": voc2007.CLASSES}
