"""Outputs of detectors as their exporters write them, by shape and kind of values: which decoder is to read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trtflow.families.own.init.facts import Facts
from trtflow.families.own.init.heads import Known, find_heads

RANDOM = np.random.default_rng(0)


def unit(*shape):
    return RANDOM.uniform(0.01, 0.99, shape).astype(np.float32)


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def pixels(*shape):
    """Corners in pixels of an input of 640."""
    low = RANDOM.uniform(0, 300, (*shape[:-1], 2))
    return np.concatenate([low, low + RANDOM.uniform(5, 300, low.shape)], -1).astype(np.float32)


def whole(*shape, dtype=np.int64, most=80):
    return RANDOM.integers(0, most, shape).astype(dtype)


def rows(*columns):
    return np.concatenate([column.astype(np.float32) for column in columns], -1)


COCO, VOC = Known(80, all=True), Known(20, all=False)
CASES = {
    "yolov8n, yolo11n": (640, COCO, {"output0": unit(1, 84, 8400)}, "yolov8", 80),
    "yolov8n, turned": (640, COCO, {"output0": unit(1, 8400, 84)}, "yolov8", 80),
    "yolov8, raw maps": (640, COCO, {f"o{s}": normal(1, 144, 640 // s, 640 // s) for s in (8, 16, 32)}, "yolov8", 80),
    "yolov5s": (640, COCO, {"output0": unit(1, 25200, 85)}, "yolov5", 80),
    "yolov5s with its maps": (
        640,
        COCO,
        {"output": unit(1, 25200, 85), **{f"m{s}": normal(1, 3, 640 // s, 640 // s, 85) for s in (8, 16, 32)}},
        "yolov5",
        80,
    ),
    "yolov5s, raw maps": (
        640,
        COCO,
        {f"m{s}": normal(1, 3, 640 // s, 640 // s, 85) for s in (32, 8, 16)},
        "yolov5",
        80,
    ),
    "yolox decoded": (640, COCO, {"output": unit(1, 8400, 85)}, "yolov5", 80),
    "yolov3, yolov4": (416, COCO, {f"m{s}": normal(1, 255, 416 // s, 416 // s) for s in (8, 16, 32)}, "yolov3", 80),
    "yolov4-tiny": (416, COCO, {f"m{s}": normal(1, 255, 416 // s, 416 // s) for s in (32, 16)}, "yolov3", 80),
    "yolov3 of VOC": (416, VOC, {f"m{s}": normal(1, 75, 416 // s, 416 // s) for s in (8, 16, 32)}, "yolov3", 20),
    "yolov10n": (
        640,
        COCO,
        {"output0": rows(pixels(1, 300, 4), unit(1, 300, 1), whole(1, 300, 1))},
        "nms_output",
        None,
    ),
    "yolov7 end2end": (
        640,
        COCO,
        {"output": rows(whole(9, 1, most=1), pixels(9, 4), whole(9, 1), unit(9, 1))},
        "nms_output",
        None,
    ),
    "nothing was found": (640, COCO, {"output": np.zeros((0, 7), np.float32)}, "nms_output", None),
    "EfficientNMS_TRT": (
        640,
        COCO,
        {
            "num_dets": whole(1, 1, dtype=np.int32),
            "det_boxes": pixels(1, 100, 4),
            "det_scores": unit(1, 100),
            "det_classes": whole(1, 100, dtype=np.int32),
        },
        "nms_output",
        None,
    ),
    "tf2onnx, object detection API": (
        320,
        COCO,
        {
            "detection_boxes": unit(1, 100, 4),
            "detection_classes": whole(1, 100, dtype=np.float32),
            "detection_scores": unit(1, 100),
            "num_detections": whole(1, dtype=np.float32),
        },
        "nms_output",
        None,
    ),
    "torchvision": (320, COCO, {"boxes": pixels(7, 4), "labels": whole(7), "scores": unit(7)}, "nms_output", None),
    "NonMaxSuppression": (
        640,
        COCO,
        {"selected": whole(5, 3), "boxes": pixels(1, 8400, 4), "scores": unit(1, 80, 8400)},
        "nms_output",
        80,
    ),
    "Caffe's DetectionOutput": (
        300,
        VOC,
        {"out": rows(whole(1, 1, 200, 1, most=1), whole(1, 1, 200, 1, most=21), unit(1, 1, 200, 5))},
        "ssd",
        None,
    ),
    "Caffe's SSD before it": (
        300,
        VOC,
        {
            "mbox_loc": normal(1, 8732 * 4),
            "mbox_conf_flatten": unit(1, 8732 * 21),
            "mbox_priorbox": unit(1, 2, 8732 * 4),
        },
        "ssd",
        20,
    ),
    "SSD without priors": (300, VOC, {"offsets": normal(1, 8732, 4), "scores": unit(1, 8732, 21)}, "ssd", 20),
    "DETR": (800, Known(91, all=True), {"l": normal(1, 100, 92), "b": unit(1, 100, 4)}, "boxes_scores", 91),
    "RT-DETR": (640, COCO, {"l": normal(1, 300, 80), "b": unit(1, 300, 4)}, "boxes_scores", 80),
    "boxes and scores, decoded": (640, COCO, {"b": pixels(1, 8400, 4), "s": unit(1, 8400, 80)}, "boxes_scores", 80),
}


def facts_of(answers):
    outputs = {name: (values.shape[1:], str(values.dtype)) for name, values in answers.items()}
    return Facts(Path("m.onnx"), "onnx", {"x": ((3, 8, 8), "float32")}, [], outputs, [], None, answers, [])


@pytest.mark.parametrize("name", CASES)
def test_the_decoder_of_a_head(name):
    side, known, answers, decoder, classes = CASES[name]
    head = find_heads(facts_of(answers), (side, side), known)[0]
    assert (head.decoding["name"], head.classes) == (decoder, classes)
    assert set(head.outputs) <= set(answers)


@pytest.mark.parametrize(
    ("answers", "known"),
    [
        ({"logits": normal(1, 1000)}, COCO),
        ({"map": normal(1, 21, 300, 300)}, VOC),
        ({"output0": unit(1, 84, 8400)}, Known(90, all=True)),  # labels of more classes than it has
        ({"tokens": normal(1, 197, 768)}, COCO),
    ],
)
def test_what_is_no_head(answers, known):
    assert find_heads(facts_of(answers), (640, 640), known) == []


def test_the_parts_of_detr_are_told():
    _, known, answers, _, _ = CASES["DETR"]
    head = find_heads(facts_of(answers), (800, 800), known)[0]
    wanted = {"boxes": "centre", "units": "unit", "scores": "softmax", "background": "last", "nms_iou": None}
    assert head.decoding == {"name": "boxes_scores", **wanted}
    assert head.outputs == ["b", "l"]
