"""Detectors and segmentations of the user's own, from what the YAML file says to scores, agreement and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from jobs import job
from PIL import Image
from places import CLASSES, Prior, Raw5, Table8, UNet, export, write_pictures

from trtflow import reference as trt
from trtflow import tasks
from trtflow.datasets.labelled import read_objects
from trtflow.families.own import import_model, predict
from trtflow.formats import UserError
from trtflow.formats.arrays import write_arrays
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session
from trtflow.samples import ITEMS, Answers, batches_of, load

BATCH, SCALE = 4, 1 / 255
DETECTORS = {
    "raw5": (Raw5, ["map"], {"name": "yolov5", "anchors": [[16, 16]]}, "labels", "letterbox"),
    "table8": (Table8, ["output0"], {"name": "yolov8"}, "labels.json", "stretch"),
    "prior": (Prior, ["loc", "conf"], {"name": "ssd", "priors": "priors.npy"}, "labels.json", "corner"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures, labels, masks and models."""
    place = tmp_path_factory.mktemp("places")
    write_pictures(place, 8)
    for name, (network, outputs, *_) in DETECTORS.items():
        export(network(), place / f"{name}.onnx", outputs)
    export(UNet(), place / "unet.onnx", ["logits"])
    return place


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def own_of(name):
    """Return what the YAML file of a sample says, and its task."""
    data = {"val": "pictures", "pictures": {"scale": SCALE}}
    if name == "unet":
        data |= {"classes": ["ground", *CLASSES], "masks": "masks"}
        return {"model": {"file": "unet.onnx"}, "data": data}, "segmentation"
    _, _, decoding, labels, resize = DETECTORS[name]
    data |= {"classes": list(CLASSES), "labels": labels}
    data["pictures"]["resize"] = resize
    return {"model": {"file": f"{name}.onnx"}, "data": data, "decoding": decoding}, "detection"


def asked(name, function, inputs, outputs, own=None, task=None):
    told, its_task = own_of(name)
    settings = {"own": own or told, "max_batch_size": BATCH, "drawn": {}}
    kinds = {"sample": name, "task": task or its_task, "family": "own"}
    return job(function, inputs=inputs, outputs=outputs, settings=settings, **kinds)


def adopt(name, own=None, task=None):
    exports = f"results/{name}/export/sample.json"
    import_model(asked(name, "import_model", {}, {"exports": exports}, own, task))
    return load(name)


def answer(sample, path):
    """Write prepared inputs, and what the reference runtime's engine answers to them."""
    items, names = sample.read_images(Path("pictures"), "val")
    prepared = sample.preprocess(items, Path())
    write_arrays(path.with_name("inputs.npz"), {**prepared, ITEMS: np.array(names)})

    def define(_, network):
        sample.define_network(trt, network, Path())

    plan = build_plan(trt, define, "fp32", BATCH, explicit_batch=True)
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)
    answers, batches = Answers(sample), batches_of(sample, prepared, BATCH)
    with Session(trt, engine) as session:
        for inputs, outputs in zip(batches, session.run_all(batches), strict=True):
            answers.add(sample.postprocess({**inputs, **outputs}))
    write_arrays(path, {**answers.joined(len(names)), ITEMS: np.array(names)})


def run(name, function, inputs, outputs):
    step = asked(name, function, inputs, outputs)
    tasks.load(step)(step)
    return json.loads(Path(next(iter(outputs.values()))).read_text()) if "metrics" in outputs else None


@pytest.mark.parametrize("name", [*DETECTORS, "unet"])
def test_from_the_file_to_scores_agreement_and_a_picture(here, name):
    results = here / "results" / name
    sample = adopt(name)
    predictions = results / "predictions.fp32.npz"
    answer(sample, predictions)
    predict(asked(name, "predict", {"inputs": results / "inputs.npz"}, {"predictions": results / "model.npz"}))
    score = "score" if name == "unet" else "score_objects"
    found = run(name, score, {"predictions": predictions}, {"metrics": results / "metrics.json"})
    # what the pictures show is found, all of it
    assert found["metrics"]["miou" if name == "unet" else "coco_map50"] == pytest.approx(1)
    pair = {"predictions": [predictions], "framework": results / "model.npz"}
    step = asked(name, "compare_outputs", pair, {"agreement": results / "agreement.json"})
    tasks.load(step)(step)
    agreement = json.loads((results / "agreement.json").read_text())["fp32"]
    assert agreement["pixel_agreement" if name == "unet" else "overlap_agreement"] == pytest.approx(1)
    assert agreement["snr_db"] > 60  # PyTorch's network in ONNX Runtime
    draw = "draw_masks" if name == "unet" else "draw_objects"
    run(name, draw, {"predictions": predictions}, {"picture": results / "drawn.png"})
    colours = Image.open(results / "drawn.png").convert("RGB").getcolors(1 << 24)
    assert len(colours) > 6


def changed(name, **data):
    own, task = own_of(name)
    return {**own, "data": {**own["data"], **data}}, task


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("table8", {"classes": ["red", "green"]}, "labels.json: the category 'blue' is no class"),
        ("table8", {"classes": [*CLASSES, "grey"]}, r"table8.onnx: decoding: yolov8 takes one table \[N, 8, boxes\]"),
        ("table8", {"labels": "lost"}, "lost: there are no such labels"),
        ("table8", {"pictures": {"resize": "crop"}}, "data.pictures.resize: crop cuts off objects"),
        ("unet", {"classes": ["ground", "red"]}, r"output 'logits' of shape \(4, 64, 64\) is no map of 2 classes"),
        ("unet", {"masks": "labels"}, "labels/0.png: .*0.png has no mask"),
        ("unet", {"void": [0, 1, 2, 3]}, "masks: no pixel of any mask counts: all are of data.void. Give masks"),
        ("unet", {"colours": {"grey": [1, 2, 3]}}, "data.colours: the class 'grey' is no class"),
        ("unet", {"colours": {"red": [255, 0, 0]}}, r"0.png: .* pixels have the colour \[0, 0, 0\], which is no class"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_built(here, name, data, told):
    own, task = changed(name, **data)
    with pytest.raises(UserError, match=told) as error:
        adopt(name, own, task)
    assert "\n" not in str(error.value)
    assert not (here / f"results/{name}/export/sample.json").exists()


def test_a_picture_that_a_coco_file_lacks_is_told(here, tmp_path):
    content = json.loads((here / "labels.json").read_text())
    content["images"], last = content["images"][:-1], content["images"][-1]["id"]
    content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"] != last]
    (tmp_path / "labels.json").write_text(json.dumps(content))
    own, task = changed("table8", labels=str(tmp_path / "labels.json"))
    with pytest.raises(UserError, match="the picture 7.png has no labels in it. Add them, or take it out"):
        adopt("table8", own, task)


def test_ids_of_a_coco_file_may_be_names(here, tmp_path):
    """Tools that go by the names of files write them; whole numbers as COCO's own are the others."""
    content = json.loads((here / "labels.json").read_text())
    numbered = read_objects(here / "pictures", here / "labels.json", CLASSES).annotations
    for entry in content["images"]:
        entry["id"] = f"image {entry['id']}"
    for entry in content["annotations"]:
        entry["image_id"] = f"image {entry['image_id']}"
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    named = read_objects(here / "pictures", path, CLASSES).annotations
    assert [entry.image_id for entry in named] == [entry.image_id for entry in numbered]
    for found, wanted in zip(named, numbered, strict=True):
        np.testing.assert_array_equal(found.boxes, wanted.boxes)
    content["images"][0]["id"] = 1.5
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"not COCO's annotations \(images\[0\] has the id 1.5\)"):
        read_objects(here / "pictures", path, CLASSES)
