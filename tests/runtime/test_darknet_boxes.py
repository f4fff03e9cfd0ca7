"""Boxes of Darknet's detectors: OpenCV's region layer, and Darknet's own loops for what OpenCV does not read."""

import math

import numpy as np
import pytest

from trtflow.formats import UserError
from trtflow.formats.darknet import Header, read_layers, write_weights
from trtflow.runtime.darknet_boxes import LARGEST_EXPONENT, Head, decode, head_of, sigmoid, softmax

CLASSES, ROWS, COLUMNS = 3, 4, 6
ANCHORS = ((1.5, 2.0), (3.0, 1.25), (2.5, 5.0))
FORMS = {
    "yolov3": ("yolo", "mask=0,1,2", {}),
    "yolov4": ("yolo", "mask=0,1,2\nscale_x_y=1.2", {"scale_x_y": 1.2}),
    "yolov7": ("yolo", "mask=0,1,2\nscale_x_y=2.0\nnew_coords=1", {"scale_x_y": 2.0, "new_coords": True}),
    "yolov2": ("region", "coords=4\nsoftmax=1\nthresh=0.0", {"softmax": True}),
}


def head(form, **changes):
    kind, _, options = FORMS[form]
    return Head(kind, ANCHORS, CLASSES, **{**options, **changes})


def raw_map(kind="yolo", count=1, seed=0):
    values = 9 if kind == "Gaussian_yolo" else 5
    shape = (count, len(ANCHORS) * (values + CLASSES), ROWS, COLUMNS)
    return np.random.default_rng(seed).normal(0, 1.5, shape).astype(np.float32)


def write_head(folder, form, channels):
    """Write a network that hands its picture to a layer that predicts; return the paths of both files."""
    kind, options, _ = FORMS[form]
    numbers = ",".join(str(side) for anchor in ANCHORS for side in anchor)
    text = f"[net]\nwidth={COLUMNS}\nheight={ROWS}\nchannels={channels}\n[convolutional]\nfilters={channels}\nsize=1\n"
    text += f"activation=linear\n[{kind}]\n{options}\nanchors={numbers}\nclasses={CLASSES}\nnum={len(ANCHORS)}\n"
    cfg, weights = folder / "head.cfg", folder / "head.weights"
    cfg.write_text(text)
    eye = np.eye(channels, dtype=np.float32).reshape(channels, channels, 1, 1)
    write_weights(weights, Header(), read_layers(cfg), {0: {"biases": np.zeros(channels, np.float32), "weights": eye}})
    return cfg, weights


def compare_with_opencv(folder, form, how):
    cv2 = pytest.importorskip("cv2")
    raw = raw_map()
    raw = sigmoid(raw) if form == "yolov7" else raw  # such a network ends in a sigmoid
    network = cv2.dnn.readNetFromDarknet(*map(str, write_head(folder, form, raw.shape[1])))
    network.setInput(raw)
    rows = network.forward().reshape(-1, 5 + CLASSES)
    found = decode(how, raw, COLUMNS, ROWS)
    np.testing.assert_allclose(found.boxes[0], rows[:, :4], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.objectness[0], rows[:, 4], atol=1e-5)
    seen = rows[:, 5:] > 0  # OpenCV drops scores below its threshold, and of two boxes that overlap the weaker's
    assert seen.sum() > 20
    np.testing.assert_allclose(found.scores[0][seen], rows[:, 5:][seen], atol=1e-5)
    assert seen[found.scores[0].argmax(0), range(CLASSES)].all()


@pytest.mark.parametrize("form", FORMS)
def test_boxes_and_scores_are_opencvs(tmp_path, form):
    compare_with_opencv(tmp_path, form, head(form))


@pytest.mark.parametrize(
    ("form", "change"),
    [
        ("yolov3", {"anchors": ANCHORS[::-1]}),
        ("yolov4", {"scale_x_y": 1.1}),
        ("yolov7", {"new_coords": False}),
        ("yolov2", {"softmax": False}),
        ("yolov2", {"kind": "yolo"}),
    ],
)
def test_boxes_that_are_read_wrong_are_not_opencvs(tmp_path, form, change):
    kind, _, options = FORMS[form]
    wrong = Head(**{"kind": kind, "anchors": ANCHORS, "classes": CLASSES, **options, **change})
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        compare_with_opencv(tmp_path, form, wrong)


@pytest.mark.parametrize("form", FORMS)
def test_head_is_read_from_the_cfg(tmp_path, form):
    cfg, _ = write_head(tmp_path, form, len(ANCHORS) * (5 + CLASSES))
    assert head_of(read_layers(cfg)[-1]) == head(form)


def logistic(value):
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("point", ["center", "left_top", "right_bottom"])
def test_gaussian_boxes_are_those_of_darknets_loops(point):
    """get_gaussian_yolo_box and get_gaussian_yolo_detections of src/gaussian_yolo_layer.c, place by place."""
    raw, scale, width, height = raw_map("Gaussian_yolo"), 1.1, 24, 16
    found = decode(Head("Gaussian_yolo", ANCHORS, CLASSES, scale, yolo_point=point), raw, width, height)
    place = 0
    for row in range(ROWS):
        for column in range(COLUMNS):
            for anchor, (wide, high) in enumerate(ANCHORS):
                x = raw[0].reshape(len(ANCHORS), 9 + CLASSES, ROWS, COLUMNS)[anchor, :, row, column].tolist()
                w, h = math.exp(x[4]) * wide / width, math.exp(x[6]) * high / height
                bx = (column + logistic(x[0]) * scale - 0.5 * (scale - 1)) / COLUMNS
                by = (row + logistic(x[2]) * scale - 0.5 * (scale - 1)) / ROWS
                side = {"center": 0, "left_top": 1, "right_bottom": -1}[point]
                np.testing.assert_allclose(
                    found.boxes[0, place], [bx + side * w / 2, by + side * h / 2, w, h], rtol=1e-5
                )
                doubt = sum(logistic(x[index]) for index in (1, 3, 5, 7)) / 4
                scores = [logistic(x[8]) * logistic(value) * (1 - doubt) for value in x[9:]]
                np.testing.assert_allclose(found.scores[0, place], scores, rtol=1e-4)
                place += 1


def test_pictures_of_a_batch_are_read_alike():
    raw = raw_map(count=2)
    both, second = decode(head("yolov3"), raw, 12, 8), decode(head("yolov3"), raw[1:], 12, 8)
    for mine, theirs in zip(both, second, strict=True):
        np.testing.assert_array_equal(mine[1:], theirs)


@pytest.mark.parametrize("kind", ["yolo", "region", "Gaussian_yolo"])
@pytest.mark.parametrize("new_coords", [False, True])
@pytest.mark.parametrize("value", [88, -88, 1e30, -1e30, np.inf, -np.inf])
def test_no_value_overflows(kind, new_coords, value):
    raw = np.full_like(raw_map(kind), value)
    with np.errstate(over="raise", invalid="raise"):
        found = decode(Head(kind, ANCHORS, CLASSES, 1.2, new_coords, softmax=True), raw, 608, 608)
    for part in found:
        assert np.isfinite(part).all()
    areas = found.boxes[..., 2] * found.boxes[..., 3]
    assert np.isfinite(areas).all()


def test_sides_of_real_boxes_are_not_clipped():
    raw = np.zeros((1, len(ANCHORS) * (5 + CLASSES), 1, 1), np.float32)
    raw[0, 2] = LARGEST_EXPONENT - 1
    found = decode(head("yolov3"), raw, 100, 100)
    np.testing.assert_allclose(found.boxes[0, 0, 2], math.exp(LARGEST_EXPONENT - 1) * ANCHORS[0][0] / 100, rtol=1e-6)
    assert math.exp(LARGEST_EXPONENT - 1) > 1e6


def test_what_is_no_number_is_refused():
    raw = raw_map()
    raw[0, 3, 1, 1] = np.nan
    with pytest.raises(UserError, match="1 of 576 values of a map are no numbers"):
        decode(head("yolov3"), raw, 24, 16)
    with pytest.raises(UserError, match=r"a map of 24 channels for 2 x 8\. Take the \.cfg it came from"):
        decode(Head("yolo", ANCHORS[:2], CLASSES), raw_map(), 24, 16)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            "[region]\nanchors=1,2\nclasses=9\nnum=1\nsoftmax=1\ntree=data/9k.tree",
            "its classes form a tree, data/9k.tree",
        ),
        (
            "[detection]\nside=4\nclasses=10\ncoords=2\nnum=2",
            r"boxes of \[detection\] are not decoded\. Known are yolo, reg",
        ),
        ("[avgpool]", r"002_avgpool: boxes of \[avgpool\] are not decoded"),
    ],
)
def test_what_is_not_decoded_is_refused(tmp_path, section, message):
    filters = 1 if "detection" in section else 14
    (tmp_path / "a.cfg").write_text(f"[net]\nwidth=16\nheight=16\nchannels=3\n[conv]\nfilters={filters}\n{section}\n")
    with pytest.raises(UserError, match=message):
        head_of(read_layers(tmp_path / "a.cfg")[-1])


def test_softmax_of_the_largest_numbers():
    values = np.array([[3e38, -3e38, 0], [1, 2, 3]], np.float32)
    with np.errstate(over="raise"):
        found = softmax(values)
    np.testing.assert_allclose(found[0], [1, 0, 0])
    np.testing.assert_allclose(found[1], np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum(), rtol=1e-6)
