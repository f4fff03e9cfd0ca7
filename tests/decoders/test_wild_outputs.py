"""Outputs with whatever numbers and sizes: detections come of them, or one error."""

from __future__ import annotations

import numpy as np
import pytest

from trtflow.decoders import DECODERS, Decoding, decode
from trtflow.formats import UserError

CLASSES = 3
ANCHORS = ((4, 6), (8, 5))
WILD = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e9, -1e9, 1e-40, -1, 2.5, 0, 7)
RNG = np.random.default_rng(0)


def chance(*shape):
    return RNG.uniform(size=shape).astype(np.float32)


def rows(*columns):
    return np.column_stack([np.broadcast_to(np.float32(column), 5) for column in columns])


COUNTED = [np.int32([[3]]), chance(1, 5, 4), chance(1, 5), np.int32([[0, 1, 2, 0, -1]])]
SELECTED = [np.int64([[0, 0, 0], [0, 1, 4], [-1, -1, -1]]), chance(1, 5, 4), chance(1, 3, 5)]
YOLOV7 = rows(0, *chance(4, 5), 1, chance(5))
OUTPUTS = {
    "yolov3": ([chance(1, 16, 2, 3)], {"anchors": ANCHORS}),
    "yolov5": ([chance(1, 9, 8)], {}),
    "yolov8": ([chance(1, 7, 9)], {}),
    "yolov8 of maps": ([chance(1, 35, 2, 3)], {}),
    "ssd": ([chance(1, 8, 4), chance(1, 8, 4), chance(8, 4)], {}),
    "ssd of Caffe": ([chance(1, 32), chance(1, 32), chance(1, 2, 32)], {}),
    "ssd of rows": ([rows(0, 1, *chance(5, 5))[None, None]], {}),
    "nms_output of rows": ([rows(*chance(5, 5), 1)[None]], {}),
    "nms_output of numbered rows": ([YOLOV7], {}),
    "nms_output of four": (COUNTED, {}),
    "nms_output of torchvision": ([chance(5, 4), np.int64([1, 2, 3, 1, 2]), chance(5)], {}),
    "nms_output of indices": (SELECTED, {}),
    "boxes_scores": ([chance(1, 8, 4), chance(1, 8, 3)], {}),
    "boxes_scores of DETR": (
        [chance(1, 8, 4), chance(1, 8, 4)],
        {"boxes": "centre", "scores": "softmax", "background": "last"},
    ),
}


def read(name, outputs, more):
    settings = {"classes": CLASSES, "shape": (64, 96), "score_threshold": 0.3, "nms_iou": 0.5, "keep": 40, **more}
    return decode(outputs, Decoding(name.split()[0], **settings), 1)


def damaged(outputs, rng):
    """Return copies with up to three wild values, and now and then an axis that is cut."""
    copies = [output.copy() for output in outputs]
    for _ in range(rng.integers(1, 4)):
        output, value = copies[rng.integers(len(copies))], rng.choice(WILD)
        if output.dtype.kind == "i":
            value = int(np.nan_to_num(value, nan=-7, posinf=2**31 - 1, neginf=-(2**31)).clip(-(2**31), 2**31 - 1))
        output[... if rng.integers(6) == 0 else tuple(rng.integers(side) for side in output.shape)] = value
    if rng.integers(4) == 0:
        place = rng.integers(len(copies))
        axis = rng.integers(copies[place].ndim)
        copies[place] = np.take(copies[place], range(rng.integers(copies[place].shape[axis])), axis)
    return copies


def test_each_decoder_is_tried_here():
    assert {name.split()[0] for name in OUTPUTS} == set(DECODERS)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", OUTPUTS)
def test_wild_outputs_are_read_or_refused(name):
    outputs, more = OUTPUTS[name]
    rng, came = np.random.default_rng(1), 0
    for _ in range(60):
        try:
            detections = read(name, damaged(outputs, rng), more)
        except UserError:
            continue
        came += 1
        boxes = detections[..., 3:]
        assert (np.isnan(boxes) | ((boxes >= 0) & (boxes <= 1))).all()
    assert came > 10


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_row_of_no_picture_is_a_false_alarm(number):
    outputs = [YOLOV7.copy()]
    outputs[0][2, 0] = number
    detections = read("nms_output", outputs, {"score_threshold": 0})
    assert np.isnan(detections[0, 0, 2:]).all()
    assert (detections[0, :, 1] >= 0).sum() == 5


@pytest.mark.parametrize(
    ("name", "place", "index", "value", "told"),
    [
        ("nms_output of numbered rows", 0, (2, 0), 1e9, "a row of picture 1000000000. Correct decoding.columns"),
        ("nms_output of numbered rows", 0, (2, 0), 3, "detections of 4 pictures for a batch of 1"),
        ("nms_output of four", 0, (0, 0), -1, "the model gives -1 detections of 5"),
        ("nms_output of four", 0, (0, 0), 6, "the model gives 6 detections of 5"),
        ("nms_output of indices", 0, (0, 0), 1, r"beyond \(1, 3, 5\)"),
        ("nms_output of indices", 0, (0, 1), 3, r"beyond \(1, 3, 5\)"),
        ("nms_output of indices", 0, (0, 2), -1, r"beyond \(1, 3, 5\)"),
        ("nms_output of indices", 0, (1, 2), 5, r"beyond \(1, 3, 5\)"),
    ],
)
def test_numbers_beyond_what_there_is_are_named(name, place, index, value, told):
    outputs = [output.copy() for output in OUTPUTS[name][0]]
    outputs[place][index] = value
    with pytest.raises(UserError, match=told):
        read(name, outputs, {})


@pytest.mark.parametrize(
    "outputs",
    [
        [np.zeros((1, 0, 6), np.float32)],
        [np.zeros((0, 7), np.float32)],
        [np.int32([[0]]), np.zeros((1, 0, 4), np.float32), np.zeros((1, 0), np.float32), np.zeros((1, 0), np.int32)],
        [np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32)],
        [np.zeros((0, 3), np.int64), chance(1, 5, 4), chance(1, 3, 5)],
    ],
)
def test_a_list_of_nothing_is_nothing(outputs):
    assert (read("nms_output", outputs, {})[..., 1] == -1).all()
