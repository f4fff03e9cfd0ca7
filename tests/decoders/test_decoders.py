"""Decoders by name, against their makers' formulas in PyTorch; suppression against OpenCV and ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from trtflow.boxes import suppress, suppress_by_class
from trtflow.decoders import DECODERS, Decoding
from trtflow.decoders import decode as decode_outputs
from trtflow.formats import UserError

SHAPE, CLASSES = (64, 96), 3  # height and width
SIDES = torch.tensor([96.0, 64.0])
ANCHORS = ((4, 6), (8, 5), (12, 20), (30, 12), (24, 40), (60, 50))  # two a map
ALL = {"score_threshold": 0.3, "nms_iou": None, "keep": 400}


def settings(name, **more):
    return Decoding(name, **{"classes": CLASSES, "shape": SHAPE, **ALL, **more})


def decode(outputs, how, count):
    """Decode outputs by name, in their order."""
    return decode_outputs(list(outputs.values()), how, count)


def rows_of(detections):
    """Return the detections of a picture, score, label and box, best first."""
    return detections[detections[:, 1] >= 0][:, 1:]


def expected(boxes, scores, threshold=ALL["score_threshold"]):
    """Return label, score and box in parts of the input of all pairs that reach the threshold, best first."""
    places, labels = torch.nonzero(scores >= threshold, as_tuple=True)
    unit = (boxes / SIDES.repeat(2)).clamp(0, 1)
    rows = torch.cat([labels[:, None] + 1.0, scores[places, labels][:, None], unit[places]], 1)
    return rows[rows[:, 1].argsort(descending=True, stable=True)].numpy()


def assert_same(found, wanted):
    assert len(wanted) > 5
    np.testing.assert_allclose(rows_of(found), wanted, atol=2e-6)


def maps(channels, seed=0, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, channels, 64 // stride, 96 // stride, generator=generator) * scale for stride in (8, 16, 32)]


def yolov5_boxes(outputs):
    """Ultralytics' Detect.forward, per picture: corners in pixels and scores."""
    boxes, scores = [], []
    for output, anchors, stride in zip(outputs, np.array(ANCHORS).reshape(3, 2, 2), (8, 16, 32), strict=True):
        count, _, rows, columns = output.shape
        x = output.view(count, 2, 5 + CLASSES, rows, columns).permute(0, 1, 3, 4, 2).sigmoid()
        yv, xv = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        grid = torch.stack((xv, yv), 2) - 0.5
        xy = (x[..., :2] * 2 + grid) * stride
        wh = (x[..., 2:4] * 2) ** 2 * torch.tensor(anchors, dtype=torch.float32)[:, None, None]
        boxes.append(torch.cat([xy - wh / 2, xy + wh / 2], -1).reshape(count, -1, 4))
        scores.append((x[..., 4:5] * x[..., 5:]).reshape(count, -1, CLASSES))
    return torch.cat(boxes, 1), torch.cat(scores, 1)


def test_raw_maps_of_yolov5_in_any_order_and_form():
    outputs = maps(2 * (5 + CLASSES))
    boxes, scores = yolov5_boxes(outputs)
    given = {str(place): output.numpy() for place, output in enumerate(outputs)}
    split = {
        name: np.ascontiguousarray(values.reshape(2, 2, 5 + CLASSES, *values.shape[2:]).transpose(0, 1, 3, 4, 2))
        for name, values in given.items()
    }
    for each in (given, dict(reversed(given.items())), split):
        found = decode(each, settings("yolov5", anchors=ANCHORS), 2)
        for picture in range(2):
            assert_same(found[picture], expected(boxes[picture], scores[picture]))


def test_a_table_of_yolov5_and_that_of_yolov8_are_the_same_boxes():
    boxes, scores = yolov5_boxes(maps(2 * (5 + CLASSES)))
    centred = torch.cat([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], -1)
    five = torch.cat([centred, torch.full((*scores.shape[:2], 1), 0.5), scores * 2], -1)
    eight = torch.cat([centred, scores], -1)
    for name, table in (("yolov5", five), ("yolov8", eight), ("yolov8", eight.transpose(1, 2)), ("yolov3", five)):
        found = decode({"output0": table.contiguous().numpy()}, settings(name), 2)
        assert_same(found[1], expected(boxes[1], scores[1]))
    unit = torch.cat([centred / SIDES.repeat(2), scores], -1).numpy()
    assert_same(decode({"o": unit}, settings("yolov8", units="unit"), 2)[0], expected(boxes[0], scores[0]))


def test_raw_maps_of_yolov3():
    outputs, boxes, scores = maps(2 * (5 + CLASSES), 1), [], []
    for output, anchors, stride in zip(outputs, np.array(ANCHORS).reshape(3, 2, 2), (8, 16, 32), strict=True):
        x = output.view(2, 2, 5 + CLASSES, *output.shape[2:]).permute(0, 3, 4, 1, 2)
        yv, xv = torch.meshgrid(torch.arange(x.shape[1]), torch.arange(x.shape[2]), indexing="ij")
        xy = (x[..., :2].sigmoid() + torch.stack([xv, yv], -1)[:, :, None]) * stride
        wh = x[..., 2:4].exp() * torch.tensor(anchors, dtype=torch.float32)
        boxes.append(torch.cat([xy - wh / 2, xy + wh / 2], -1).reshape(2, -1, 4))
        scores.append((x[..., 4:5].sigmoid() * x[..., 5:].sigmoid()).reshape(2, -1, CLASSES))
    found = decode(
        {str(place): each.numpy() for place, each in enumerate(outputs)}, settings("yolov3", anchors=ANCHORS), 2
    )
    assert_same(found[0], expected(torch.cat(boxes, 1)[0], torch.cat(scores, 1)[0]))


def test_raw_maps_of_yolov8_are_distributions_of_distances():
    bins, boxes, scores = 8, [], []
    outputs = maps(4 * bins + CLASSES, 2)
    for output, stride in zip(outputs, (8, 16, 32), strict=True):
        spread = output[:, : 4 * bins].reshape(2, 4, bins, -1).softmax(2)
        sides = (spread * torch.arange(bins)[:, None]).sum(2)  # left, top, right, bottom in cells
        yv, xv = torch.meshgrid(torch.arange(output.shape[2]), torch.arange(output.shape[3]), indexing="ij")
        middle = torch.stack([xv.flatten(), yv.flatten()]) + 0.5
        boxes.append(torch.cat([middle - sides[:, :2], middle + sides[:, 2:]], 1).transpose(1, 2) * stride)
        scores.append(output[:, 4 * bins :].flatten(2).transpose(1, 2).sigmoid())
    found = decode({str(place): each.numpy() for place, each in enumerate(outputs)}, settings("yolov8"), 2)
    assert_same(found[1], expected(torch.cat(boxes, 1)[1], torch.cat(scores, 1)[1]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["yolov3", "yolov5", "yolov8"])
@pytest.mark.parametrize("value", [1e4, 3e38, -3e38, np.inf])
def test_sides_beyond_all_bounds_are_the_picture_and_nothing_overflows(name, value):
    bins = 8
    output = np.full((1, 4 * bins + CLASSES if name == "yolov8" else 2 * (5 + CLASSES), 2, 3), value, np.float32)
    found = decode({"map": output}, settings(name, anchors=ANCHORS[:2], nms_iou=0.5), 1)
    finite = rows_of(found[0])
    if np.isfinite(value):
        assert np.isfinite(finite).all()
    else:
        assert len(finite)  # never fewer false alarms for it


@pytest.mark.parametrize("name", ["yolov3", "yolov5", "yolov8"])
def test_values_that_are_no_numbers_are_false_alarms_before_all_others(name):
    output = maps(4 * 8 + CLASSES if name == "yolov8" else 2 * (5 + CLASSES))[2].numpy()
    output[0, :, 1, 1] = np.nan
    found = decode({"map": output}, settings(name, anchors=ANCHORS[:2], nms_iou=0.5, keep=20), 2)
    assert np.isnan(found[0, 0]).any()
    assert not np.isnan(found[1]).any()


def encoded(priors, boxes, variances):
    """Caffe's EncodeBBox, CENTER_SIZE."""
    size, centre = priors[:, 2:] - priors[:, :2], (priors[:, 2:] + priors[:, :2]) / 2
    moves = ((boxes[:, 2:] + boxes[:, :2]) / 2 - centre) / size
    return np.concatenate([moves, np.log((boxes[:, 2:] - boxes[:, :2]) / size)], 1) / variances


def random_boxes(count, seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.6, (count, 2))
    return np.concatenate([low, low + rng.uniform(0.05, 0.4, (count, 2))], 1).astype(np.float32)


def test_ssd_gives_back_what_was_encoded_in_all_its_forms():
    priors, boxes, variances = random_boxes(40, 1), random_boxes(40, 2), np.float32([0.1, 0.1, 0.2, 0.2])
    offsets = encoded(priors, boxes, variances)[None].astype(np.float32)
    logits = np.random.default_rng(3).normal(size=(1, 40, CLASSES + 1)).astype(np.float32) * 3
    chances = torch.from_numpy(logits).softmax(-1)
    wanted = expected(torch.from_numpy(boxes[:, :4]) * SIDES.repeat(2), chances[0, :, 1:])
    caffe = np.stack([priors.reshape(-1), np.tile(variances, 40)])[None]
    scores = chances.numpy()
    forms = [
        ({"loc": offsets, "conf": scores, "priors": priors}, {}),
        ({"loc": offsets.reshape(1, -1), "conf": scores.reshape(1, -1), "prior": caffe}, {"variances": (1, 1, 1, 1)}),
        ({"loc": offsets, "conf": logits}, {"priors": priors, "scores": "softmax"}),
    ]
    for outputs, more in forms:
        assert_same(decode(outputs, settings("ssd", **more), 1)[0], wanted)


def test_rows_of_detection_output_of_a_batch_and_of_one_picture_each():
    rows = np.float32(
        [
            [0, 1, 0.9, 0.1, 0.1, 0.5, 0.5],
            [2, 3, 0.8, 0.2, 0.1, 0.5, 0.9],
            [0, 2, 0.7, 0, 0, 1, 1],
            [-1, 0, 0, 0, 0, 0, 0],
        ]
    )
    found = decode({"detection_out": rows[None, None]}, settings("ssd", keep=3), 4)
    assert found[:, :, 1].tolist() == [[1, 2, -1], [-1, -1, -1], [3, -1, -1], [-1, -1, -1]]
    np.testing.assert_array_equal(found[2, 0], rows[1])
    each = np.stack([rows[[0, 2]], rows[[1, 3]]])[:, None]
    found = decode({"detection_out": each}, settings("ssd", keep=3), 2)
    assert found[:, :, 1].tolist() == [[1, 2, -1], [3, -1, -1]]


def test_the_four_outputs_of_efficient_nms():
    boxes = np.concatenate([random_boxes(4, 5), np.zeros((1, 4), np.float32)])[None] * np.float32([96, 64, 96, 64])
    outputs = {
        "num": np.int32([[3]]),
        "boxes": boxes,
        "scores": np.float32([[0.9, 0.8, 0.7, 0.6, 0]]),
        "labels": np.int32([[2, 0, 1, 1, -1]]),
    }
    found = rows_of(decode(outputs, settings("nms_output"), 1)[0])
    assert found[:, 0].tolist() == [3, 1, 2]
    np.testing.assert_allclose(found[:, 2:], boxes[0, :3] / np.tile([96, 64], 2), rtol=1e-6)
    floats = {**outputs, "labels": outputs["labels"].astype(np.float32)}  # BatchedNMS_TRT
    np.testing.assert_array_equal(rows_of(decode(floats, settings("nms_output"), 1)[0]), found)


def test_torchvisions_three_outputs_number_classes_from_one():
    boxes = random_boxes(3, 6) * np.float32([96, 64, 96, 64])
    outputs = {"boxes": boxes, "labels": np.int64([3, 1, 2]), "scores": np.float32([0.9, 0.8, 0.05])}
    found = rows_of(decode(outputs, settings("nms_output"), 1)[0])
    assert found[:, 0].tolist() == [3, 1]  # the last is below the threshold
    with pytest.raises(UserError, match="label 3, but there are 2 classes, the first of them 1"):
        decode(outputs, settings("nms_output", classes=2), 1)


def run_nms(boxes, scores, iou, most=100):
    """ONNX Runtime's NonMaxSuppression: rows of picture, class and box."""
    constants = {"most": most, "iou": iou, "score": ALL["score_threshold"]}
    kinds = {"most": TensorProto.INT64, "iou": TensorProto.FLOAT, "score": TensorProto.FLOAT}
    graph = helper.make_graph(
        [helper.make_node("NonMaxSuppression", ["boxes", "scores", *constants], ["selected"])],
        "nms",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("boxes", "scores")],
        [helper.make_tensor_value_info("selected", TensorProto.INT64, None)],
        [helper.make_tensor(name, kinds[name], [1], [value]) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"boxes": boxes, "scores": scores})[0]


def test_selected_indices_and_own_suppression_are_onnx_runtimes():
    rng = np.random.default_rng(4)
    boxes = np.stack([random_boxes(60, 7), random_boxes(60, 8)])
    scores = rng.uniform(size=(2, CLASSES, 60)).astype(np.float32)
    selected = run_nms(boxes, scores, 0.4)
    assert 20 < len(selected) < (scores >= ALL["score_threshold"]).sum()
    outputs = {"selected": selected, "boxes": boxes, "scores": scores}
    found = decode(outputs, settings("nms_output", units="unit", boxes="corners"), 2)
    own = decode(
        {"boxes": boxes, "scores": scores.transpose(0, 2, 1)}, settings("boxes_scores", nms_iou=0.4, candidates=400), 2
    )
    for picture in range(2):
        assert (selected[:, 0] == picture).sum() == len(rows_of(found[picture]))
        np.testing.assert_allclose(rows_of(found[picture]), rows_of(own[picture]), atol=1e-6)


def test_suppression_is_opencvs():
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(9)
    for threshold in (0.1, 0.45, 0.7):
        boxes = np.float32(random_boxes(80, int(100 * threshold)) * 200).round()  # OpenCV's are whole pixels
        scores = (rng.permutation(80) + 1).astype(np.float32) / 80
        sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).astype(int).tolist()
        theirs = cv2.dnn.NMSBoxes(sides, scores.tolist(), 0.0, threshold)
        assert suppress(boxes, scores, threshold).tolist() == np.array(theirs).reshape(-1).tolist()
        labels = rng.integers(0, 3, 80)
        by_class = cv2.dnn.NMSBoxesBatched(sides, scores.tolist(), labels.tolist(), 0.0, threshold)
        mine = suppress_by_class(boxes, scores, labels, threshold)
        assert mine.tolist() == sorted(np.array(by_class).reshape(-1), key=lambda place: -scores[place])


def test_rows_of_models_without_suppression_and_of_yolov7():
    boxes = random_boxes(3, 6) * np.float32([96, 64, 96, 64])
    scores, labels = np.float32([0.9, 0.8, 0.5]), np.float32([2, 0, 1])
    yolov10 = np.column_stack([boxes, scores, labels])[None]
    found = rows_of(decode({"output0": yolov10}, settings("nms_output"), 1)[0])
    assert found[:, 0].tolist() == [3, 1, 2]
    yolov7 = np.column_stack([np.float32([0, 0, 1]), boxes, labels, scores])
    both = decode({"output": yolov7}, settings("nms_output"), 2)
    np.testing.assert_array_equal(rows_of(both[0]), found[:2])
    np.testing.assert_array_equal(rows_of(both[1]), found[2:])
    turned = np.column_stack([scores, labels, boxes])[None]
    columns = ("score", "label", "left", "top", "right", "bottom")
    np.testing.assert_array_equal(rows_of(decode({"o": turned}, settings("nms_output", columns=columns), 1)[0]), found)


def test_detrs_boxes_and_scores():
    boxes = random_boxes(30, 2)
    centred = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)[None]
    logits = torch.randn(1, 30, CLASSES + 1, generator=torch.Generator().manual_seed(0)) * 3
    more = {"boxes": "centre", "scores": "softmax", "background": "last"}
    found = decode({"pred_boxes": centred, "logits": logits.numpy()}, settings("boxes_scores", **more), 1)
    assert_same(found[0], expected(torch.from_numpy(boxes) * SIDES.repeat(2), logits.softmax(-1)[0, :, :-1]))


def test_boxes_of_each_class():
    boxes = np.stack([random_boxes(10, seed) for seed in range(CLASSES)], 1)[None]
    scores = np.random.default_rng(0).uniform(size=(1, 10, CLASSES)).astype(np.float32)
    found = rows_of(decode({"b": boxes, "s": scores}, settings("boxes_scores"), 1)[0])
    for label, score, *box in found:
        place = np.argwhere(scores[0, :, int(label) - 1] == np.float32(score))[0, 0]
        np.testing.assert_array_equal(boxes[0, place, int(label) - 1], np.float32(box))
    assert len(found) == (scores >= ALL["score_threshold"]).sum()


@pytest.mark.parametrize(
    ("name", "outputs", "more", "told"),
    [
        ("yolo9", {"a": np.zeros((1, 4, 4))}, {}, "decoding.name: unknown 'yolo9'. Known: ssd, yolov3"),
        ("yolov5", {"a": np.zeros((1, 10, 9))}, {}, r"one table .N, boxes, 8., for 3 classes"),
        ("yolov5", {"a": np.zeros((1, 17, 2, 2))}, {}, "no map of yolov5 with 3 classes"),
        ("yolov5", {"a": np.zeros((1, 16, 2, 2))}, {}, "decoding.anchors: 0 anchors, but the model's 1 maps have 2"),
        ("yolov8", {"a": np.zeros((1, 9, 10))}, {}, r"takes one table .N, 7, boxes., for 3 classes"),
        ("yolov8", {"a": np.zeros((1, 12, 2, 2))}, {}, "no map of yolov8 with 3 classes"),
        ("ssd", {"a": np.zeros((1, 8, 4)), "b": np.zeros((1, 8, 4))}, {}, "or give decoding.priors"),
        ("ssd", {"a": np.zeros((1, 8, 4)), "b": np.zeros((1, 8, 4)), "c": np.ones((5, 4))}, {}, "do not fit 5 priors"),
        ("ssd", {"a": np.zeros((1, 1, 5, 6))}, {}, "no rows of image, label, score"),
        ("nms_output", {"a": np.zeros((1, 8, 4)), "b": np.zeros((1, 8))}, {}, "none that nms_output reads"),
        ("nms_output", {"a": np.zeros((1, 8, 6))}, {"columns": ("left",)}, "decoding.columns: left. Put these"),
        ("boxes_scores", {"a": np.zeros((1, 8, 4))}, {}, "takes two outputs, boxes and scores, but there are 1"),
        ("boxes_scores", {"a": np.zeros((1, 8, 4)), "b": np.zeros((1, 7, 3))}, {}, "Name the outputs in this order"),
        ("boxes_scores", {"a": np.zeros((1, 8, 4)), "b": np.zeros((1, 8, 4))}, {}, "there are 3 classes. Name all"),
        (
            "boxes_scores",
            {"a": np.zeros((1, 8, 4)), "b": np.zeros((1, 8, 3))},
            {"boxes": "x"},
            "decoding.boxes: unknown",
        ),
    ],
)
def test_outputs_that_do_not_fit_are_told_with_the_way_out(name, outputs, more, told):
    with pytest.raises(UserError, match=told):
        decode({key: value.astype(np.float32) for key, value in outputs.items()}, settings(name, **more), 1)


def test_each_decoder_is_tried_here():
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'settings("{name}"' in text or f'("{name}", ' in text for name in DECODERS)
