"""Object detection with SSD in Python: guide chapter 24, uff_ssd.

The network of chapter 13 from its frozen graph to validated engines, in Python throughout. The engine is built from the
same UFF; what this chapter adds lies behind it: boxes on pictures (`reporting.boxes`), and VOC's mean average precision
of every engine beside that of the TensorFlow graph itself (`trtflow.tasks.detection.compare_map`).
"""

from __future__ import annotations

from trtflow.samples.tf_ssd import INPUT, define_network, postprocess, preprocess, read_images

__all__ = ["INPUT", "define_network", "postprocess", "preprocess", "read_images"]
