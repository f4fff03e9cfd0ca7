"""Preprocessing, decoding and suppression of the sample, held against PyTorch and against OpenCV's region layer."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trtflow.families.yolov3 import detection as yolov3_detection
from trtflow.families.yolov3.detection import Slots, detect
from trtflow.families.yolov3.network import Darknet, load, save, yolov3_sections
from trtflow.formats import FormatError, UserError
from trtflow.reference import ILogger, Logger, OnnxParser
from trtflow.samples import yolov3_onnx as sample

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "yolov3"
SIZE = 64


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The paths of a narrow network whose random weights see a lot of objects."""
    folder = tmp_path_factory.mktemp("network")
    torch.manual_seed(0)
    model = Darknet(yolov3_sections(0.0625, 10, SIZE))
    for norm in model.batch_norms.values():
        norm.momentum = None  # the statistics of the pictures below
    model.train()(torch.rand(8, 3, SIZE, SIZE))
    for layer in model.yolo_layers:
        torch.nn.init.normal_(model.convolutions[str(layer.sources[0])].weight, std=0.1)
        torch.nn.init.zeros_(model.convolutions[str(layer.sources[0])].bias)
    cfg, weights = folder / "yolov3.cfg", folder / "yolov3.weights"
    save(model, cfg, weights)
    return cfg, weights


@pytest.fixture
def images():
    return np.random.default_rng(1).random((3, 3, SIZE, SIZE), np.float32)


def outputs_of(network, images):
    with torch.inference_mode():
        maps = load(*network)(torch.from_numpy(images))
    return dict(zip(sample.OUTPUTS, (output.numpy() for output in maps), strict=True))


def test_detections_are_pytorchs(network, images):
    mine = sample.postprocess(outputs_of(network, images))["detections"]
    theirs = detect(load(*network), torch.from_numpy(images)).numpy()
    assert (mine[:, :, 1] > 0).sum() > 100
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


def compare_with_opencv(network, images, monkeypatch):
    """OpenCV's region layer gives centre, size, objectness and scores of all places, and 0 for scores below 0.2."""
    cv2 = pytest.importorskip("cv2")
    opencv = cv2.dnn.readNetFromDarknet(*map(str, network))
    opencv.setInput(images[:1])
    rows = np.concatenate(opencv.forward(["yolo_82", "yolo_94", "yolo_106"]))
    monkeypatch.setattr(sample, "SCORE_THRESHOLD", 0.0)
    maps = [output[0] for output in outputs_of(network, images[:1]).values()]
    boxes, labels, scores = sample.decode(maps, np.array([SIZE, SIZE], np.float32))
    mine = np.concatenate([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]], 1) / SIZE
    np.testing.assert_allclose(mine, rows[:, :4], rtol=5e-3, atol=1e-3)
    sure = scores > 0.21
    assert sure.sum() > 20
    np.testing.assert_allclose(scores[sure], rows[sure, 5 + labels[sure]], atol=2e-3)
    np.testing.assert_allclose(scores[sure], rows[sure, 5:].max(1), atol=2e-3)


def test_decoded_boxes_are_opencvs(network, images, monkeypatch):
    compare_with_opencv(network, images, monkeypatch)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("ANCHORS", sample.ANCHORS[::-1]),
        ("MASKS", sample.MASKS[::-1]),
        ("sigmoid", lambda values: 1 / (1 + np.exp(-1.05 * values))),
    ],
)
def test_boxes_that_are_decoded_wrong_are_not_opencvs(network, images, monkeypatch, name, wrong):
    monkeypatch.setattr(sample, name, wrong)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        compare_with_opencv(network, images, monkeypatch)


def test_overlap_counts_the_last_pixel_in():
    box = np.array([0, 0, 10, 10], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 5, 5], [10, 0, 10, 10]], np.float32)
    shared = np.array([121, 66, 0, 11])
    np.testing.assert_allclose(sample.overlaps(box, others), shared / (np.array([200, 200, 125, 200]) - shared))


def test_weaker_of_two_boxes_goes_class_by_class():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [1, 0, 10, 10], [30, 30, 10, 10]], np.float32)
    labels, scores = np.array([0, 0, 1, 0]), np.array([0.8, 0.9, 0.3, 0.5], np.float32)
    assert sample.suppress(boxes, labels, scores).tolist() == [1, 3, 2]
    assert sample.suppress(boxes[:0], labels[:0], scores[:0]).tolist() == []


def test_nothing_found_is_rows_without_a_label():
    maps = [np.full((2, 45, side, side), -9, np.float32) for side in (2, 4, 8)]
    detections = sample.postprocess(dict(zip(sample.OUTPUTS, maps, strict=True)))["detections"]
    assert detections.shape == (2, sample.KEEP, 7)
    assert (detections[:, :, 1] == -1).all()
    assert detections[1, 0, 0] == 1


def test_anchors_and_masks_are_the_cfgs():
    model = Darknet(yolov3_sections(0.0625, 10, SIZE))
    for layer, mask in zip(model.yolo_layers, sample.MASKS, strict=True):
        assert layer.options["mask"] == mask
        np.testing.assert_array_equal(layer.anchors, sample.ANCHORS[list(mask)])


def test_overflow_is_no_warning():
    with np.errstate(over="raise"):
        np.testing.assert_allclose(sample.sigmoid(np.array([-1e4, 0, 1e4], np.float32)), [0, 0.5, 1])


def test_sides_never_overflow():
    """A raw width of 88 is near the largest float32, and an anchor times it beyond."""
    maps = {
        name: np.full((1, 45, side, side), 88, np.float32) for name, side in zip(sample.OUTPUTS, (2, 4, 8), strict=True)
    }
    with np.errstate(over="raise", invalid="raise"):
        detections = sample.postprocess(maps)["detections"]
    assert np.isfinite(detections).all()
    assert detections[0, 0].tolist() == [0, 1, 1, 0, 0, 1, 1]
    raw = torch.full((1, 4), 88.0)
    places = Slots(torch.zeros(1, 2), torch.ones(1, 1), torch.tensor([[373.0, 326.0]]))
    assert torch.isfinite(yolov3_detection.decode(raw, places)).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "RGBA", "P"])
def test_pictures_of_any_kind_and_size_become_unit_squares(network, tmp_path, mode):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8)).convert(mode)
    path = tmp_path / ("a.png" if mode in ("RGBA", "P") else "a.jpg")
    picture.save(path)
    values = sample.preprocess([path, path], network[0].parent)
    assert (values.shape, values.dtype) == ((2, 3, SIZE, SIZE), np.float32)
    wanted = Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(values[1], np.asarray(wanted).transpose(2, 0, 1).astype(np.float32) / 255)


@pytest.mark.skipif(not SHARED.exists(), reason="no shared/data/yolov3")
def test_the_samples_picture_for_the_real_network():
    values = sample.preprocess([SHARED / "dog.jpg"], SHARED)
    assert values.shape == (1, 3, 608, 608)
    wanted = Image.open(SHARED / "dog.jpg").resize((608, 608), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(values[0, :, 300, 200] * 255, np.asarray(wanted)[300, 200])


def test_truncated_picture_is_named(network, tmp_path):
    Image.new("RGB", (300, 300)).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-200])
    with pytest.raises(FormatError, match=r"a\.jpg: not a readable picture"):
        sample.preprocess([tmp_path / "a.jpg"], network[0].parent)


def test_damaged_model_is_named(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    trt = type("trt", (), {"ILogger": ILogger, "Logger": Logger, "OnnxParser": OnnxParser})

    class Network:
        has_implicit_batch_dimension = False

    with pytest.raises(UserError, match=r"model\.onnx: the ONNX parser could not read it"):
        sample.define_network(trt, Network(), tmp_path)


def test_sample_runs_without_pillow_and_torch():
    source = Path(sample.__file__).read_text()
    assert "import torch" not in source
    assert "PIL" not in source
