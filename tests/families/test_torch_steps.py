"""Steps of the PyTorch families, narrow: each reads what the one before wrote."""

import json

import numpy as np
import pytest
import torch
from family_jobs import do, list_pictures, list_scenes

from trtflow.datasets import digit_pictures, digit_scenes
from trtflow.datasets.digits import read_images as read_digits
from trtflow.datasets.digits import unit, write_digits
from trtflow.families.classifiers.network import load_classifier, probabilities
from trtflow.families.faster_rcnn.network import load_faster_rcnn
from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.darknet import read_cfg

DETECTORS = {"pretraining_steps": 1, "pretraining_batch_size": 2, "steps": 1, "batch_size": 2, "threads": 1}
CLASSIFIERS = {"steps": 2, "batch_size": 2, "threads": 1}
WIDTH = 0.0625


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "train"
    digit_scenes.write_split(folder, "train", 2, seed=0)
    return list_scenes(folder)


def names_of(folder):
    return sorted(path.name for path in folder.iterdir())


def test_faster_rcnn(scenes, tmp_path):
    model, found, export = tmp_path / "network.pt", tmp_path / "p.npz", tmp_path / "export"
    settings = {"model": {"width": WIDTH, "anchor_scales": [2, 4]}, "training": DETECTORS}
    do("faster_rcnn", "train", settings, {"train": scenes}, {"model": model, "training": tmp_path / "t.json"})
    assert load_faster_rcnn(model).scales == (2.0, 4.0)
    losses = json.loads((tmp_path / "t.json").read_text())["loss"]
    assert {name: len(values) for name, values in losses.items()} == {"pretraining": 1, "training": 1}
    do("faster_rcnn", "predict", {}, {"model": model, "val": scenes}, {"predictions": found})
    detections, images = read_arrays(found, "detections", "images")
    assert (detections[:, :, 0] == [[0], [1]]).all()
    assert images.tolist() == ["000000", "000001"]
    outputs = {"stock": export / "test.prototxt", "exports": export / "model.prototxt"}
    do("faster_rcnn", "export", {"splits": {"shape": [320, 352]}}, {"model": model}, outputs)
    assert names_of(export) == ["SHA256SUMS", "input.json", "model.caffemodel", "model.prototxt", "test.prototxt"]
    assert json.loads((export / "input.json").read_text()) == {"shape": [3, 320, 352]}
    verify_checksums(export)


def test_a_changed_picture_is_told_before_the_training(scenes, tmp_path):
    folder = tmp_path / "train"
    digit_scenes.write_split(folder, "train", 2, seed=0)
    manifest = list_scenes(folder)
    (folder / "JPEGImages" / "000001.jpg").write_bytes(b"other")
    with pytest.raises(FormatError, match=r"000001.jpg: it was changed"):
        do("ssd", "train", {}, {"train": manifest}, {"model": tmp_path / "m", "training": tmp_path / "t"})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for split in ("train", "val"):
        digit_pictures.write_split(folder, split, 4, 64, seed=0)
    return {split: list_pictures(folder, split) for split in ("train", "val")}


def test_classifiers(pictures, tmp_path):
    names = {"model": "network.pt", "training": "t.json", "predictions": "p.npz"}
    outputs = {key: tmp_path / name for key, name in names.items()}
    settings = {"model": {"network": "resnet50", "width": WIDTH, "size": 64, "pixels": "bgr"}, "training": CLASSIFIERS}
    do("classifiers", "train", settings, pictures, outputs)
    found, images = read_arrays(outputs["predictions"], "probabilities", "images")
    inputs, expected = digit_pictures.read_inputs(pictures["val"].parent, "val", "bgr", 64)
    assert images.tolist() == expected
    np.testing.assert_allclose(found, probabilities(load_classifier(outputs["model"]), inputs), atol=1e-5)
    export = tmp_path / "export"
    forms = {"source": "onnx", "programs": ["caffe", "uff"], "model": {"pixels": "bgr"}}
    do("classifiers", "export", forms, {"model": outputs["model"]}, {"exports": export / "model.onnx"})
    assert names_of(export) == ["SHA256SUMS", "input.json", "model.caffemodel", "model.onnx", "model.prototxt"]
    assert json.loads((export / "input.json").read_text()) == {"shape": [3, 64, 64], "pixels": "bgr"}
    verify_checksums(export)


def test_googlenet_is_a_caffe_model_only(tmp_path):
    model, export = tmp_path / "network.pt", {"exports": tmp_path / "export" / "model.onnx"}
    do("classifiers", "random_model", {"model": {"network": "googlenet", "width": WIDTH}}, {}, {"model": model})
    with pytest.raises(UserError, match="GoogLeNet is exported to Caffe only"):
        do("classifiers", "export", {"source": "onnx"}, {"model": model}, export)
    with pytest.raises(UserError, match="GoogLeNet is exported to Caffe only"):
        do("classifiers", "freeze", {}, {"model": model}, {"frozen": tmp_path / "frozen.pb"})
    assert names_of(tmp_path) == ["network.pt"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder, {"train": 60, "calibration": 10, "val": 100}, seed=0)
    return {split: folder / f"{split}.npz" for split in ("train", "val")}


FORMS = {
    "caffe": (
        {"mean": True, "pixels": "paper"},
        ["SHA256SUMS", "mean.binaryproto", "model.caffemodel", "model.prototxt"],
    ),
    "wts": ({"mean": True, "pixels": "paper"}, ["SHA256SUMS", "mean.binaryproto", "model.wts"]),
    "arrays": ({"pixels": "normalised"}, ["SHA256SUMS", "weights.npz"]),
    "onnx": ({"network": "zoo"}, ["SHA256SUMS", "model.onnx"]),
}


def train_digits(digits, folder, form):
    outputs = {"model": folder / "network.pt", "training": folder / "t.json", "predictions": folder / "p.npz"}
    do("digits", "train", {"model": FORMS[form][0], "training": CLASSIFIERS}, digits, outputs)
    exports = {"exports": folder / "export" / "model"}
    do("digits", "export", {"source": form}, {"model": outputs["model"]}, exports)
    return folder / "export"


@pytest.mark.parametrize("form", list(FORMS))
def test_digits(digits, tmp_path, form):
    export = train_digits(digits, tmp_path, form)
    assert names_of(export) == FORMS[form][1]
    verify_checksums(export)


def test_a_published_model_says_what_pytorch_says(digits, tmp_path):
    export = train_digits(digits, tmp_path, "onnx")
    taken = tmp_path / "taken" / "model.onnx"
    do("digits", "take_model", {}, {"models": export / "model.onnx"}, {"exports": taken})
    verify_checksums(taken.parent)
    images, names = read_digits(digits["val"].parent, "val")
    write_arrays(tmp_path / "inputs.npz", {"Input3": unit(images), "images": np.array(names)})
    given, found = {"export": taken, "inputs": tmp_path / "inputs.npz"}, {"predictions": tmp_path / "found.npz"}
    do("digits", "predict", {"max_batch_size": 1}, given, found, sample="onnx_mnist")
    ours, expected = (read_arrays(tmp_path / name, "probabilities", "images") for name in ("found.npz", "p.npz"))
    np.testing.assert_allclose(ours[0], expected[0], rtol=1e-3, atol=1e-5)
    assert ours[1].tolist() == expected[1].tolist()


def test_random_models_are_as_large_as_they_are_to_be(tmp_path):
    for family, classes in (("ssd", 21), ("ssd_inception", 91), ("faster_rcnn", 21), ("classifiers", 12)):
        model = {"network": "resnet50", "classes": classes, "width": WIDTH, "size": 64}
        for name in ("a", "b"):
            do(family, "random_model", {"model": model}, {}, {"model": tmp_path / family / name})
        first, second = ((tmp_path / family / name).read_bytes() for name in ("a", "b"))
        assert first == second
        content = torch.load(tmp_path / family / "a", weights_only=True)
        assert (content["class_count"], content["width"]) == (classes, WIDTH)
    files = {"cfg": tmp_path / "y.cfg", "weights": tmp_path / "y.weights"}
    do("yolov3", "random_model", {"model": {"classes": 7, "width": WIDTH, "size": 96}}, {}, files)
    sections = read_cfg(files["cfg"])
    assert sections[0].options["width"] == "96"
    assert {section.options["classes"] for section in sections if section.kind == "yolo"} == {"7"}
