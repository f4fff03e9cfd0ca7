"""YOLOv3 in PyTorch: the authors' layers, which place answers for what, the loss, training that repeats itself."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from family_jobs import do, list_scenes

from trtflow.datasets.digit_scenes import write_split
from trtflow.datasets.voc import Annotation
from trtflow.families.common.pytorch import prepare_torch
from trtflow.families.common.schedule import Schedule
from trtflow.families.yolov3.detection import decode, detect, flatten, slots_of
from trtflow.families.yolov3.network import Darknet, load, save, yolov3_sections
from trtflow.families.yolov3.training import image_loss, match, train
from trtflow.formats import UserError
from trtflow.formats.darknet import read_cfg, read_layers, resolve

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "yolov3"
TRAINING = {"jitter", "ignore_thresh", "truth_thresh", "random"}


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = Darknet(yolov3_sections(0.0625, 10, 64))
    for norm in network.batch_norms.values():
        norm.momentum = None
    network.train()(torch.rand(8, 3, 64, 64))
    return network.eval()


@pytest.mark.skipif(not SHARED.exists(), reason="no shared/data/yolov3")
def test_layers_are_the_authors():
    def computed(layer):
        return dataclasses.replace(
            layer, options={key: value for key, value in layer.options.items() if key not in TRAINING}
        )

    real = read_layers(SHARED / "yolov3.cfg")
    assert list(map(computed, resolve(yolov3_sections(1, 80, 608), Path("x")))) == list(map(computed, real))


def test_files_give_the_same_network_and_the_same_bytes(model, tmp_path):
    for name in ("a", "b"):
        save(model, tmp_path / f"{name}.cfg", tmp_path / f"{name}.weights", seen=9)
        model = load(tmp_path / f"{name}.cfg", tmp_path / f"{name}.weights")
    assert (tmp_path / "a.weights").read_bytes() == (tmp_path / "b.weights").read_bytes()
    assert read_cfg(tmp_path / "a.cfg") == model.sections


def test_untrained_network_expects_nothing_and_gives_three_maps(model):
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        outputs = model(images)
    assert [tuple(output.shape) for output in outputs] == [(2, 45, 2, 2), (2, 45, 4, 4), (2, 45, 8, 8)]
    assert (detect(model, images)[:, :, 1] == -1).all()


def test_places_are_those_of_the_maps(model):
    slots = slots_of(model)
    assert len(slots.cells) == 3 * (4 + 16 + 64)
    outputs = [torch.zeros(1, 45, side, side) for side in (2, 4, 8)]
    outputs[1][0, 15:20, 2, 3] = torch.tensor([0.0, 0, 0, 0, 7])  # the second anchor of the map in the middle
    raw = flatten(model, outputs)[0]
    (place,) = (raw[:, 4] == 7).nonzero(as_tuple=True)[0].tolist()
    assert slots.cells[place].tolist() == [3, 2]
    assert (slots.strides[place].item(), slots.anchors[place].tolist()) == (16, [62, 45])
    torch.testing.assert_close(decode(raw, slots)[place], torch.tensor([25.0, 17.5, 87.0, 62.5]))


def test_object_goes_to_the_cell_of_its_centre_and_the_likest_anchors(model):
    slots = slots_of(model)
    places, objects = match(slots, torch.tensor([[2.0, 4, 32, 60], [50, 50, 60, 64]]))
    found = {(objects[i].item(), *slots.anchors[p].tolist(), *slots.cells[p].tolist()) for i, p in enumerate(places)}
    assert (0, 30, 61, 1, 2) in found
    assert (1, 10, 13, 6, 7) in found
    assert {row[0] for row in found} == {0, 1}
    assert all(row[1:3] != (373, 326) for row in found)
    assert [len(part) for part in match(slots, torch.zeros(0, 4))] == [0, 0]


def test_loss_of_a_perfect_answer_is_small_and_of_others_is_not(model):
    slots = slots_of(model)
    boxes, labels = torch.tensor([[2.0, 4, 32, 60]]), torch.tensor([3])
    places, _ = match(slots, boxes)
    raw = torch.full((len(slots.cells), 15), -20.0)
    raw[:, :4] = 0
    share = torch.tensor([17.0, 32]) / slots.strides[places] - slots.cells[places]
    raw[places, :2] = share.clamp(1e-6, 1 - 1e-6).logit()
    raw[places, 2:4] = (torch.tensor([30.0, 56]) / slots.anchors[places]).log()
    raw[places, 4], raw[places, 8] = 20.0, 20.0
    perfect = image_loss(raw, slots, boxes, labels, 64)
    least = torch.special.entr(share).sum(1) + torch.special.entr(1 - share).sum(1)
    weight = 2 - 30 * 56 / 64**2
    assert perfect == pytest.approx((least * weight).mean().item(), abs=1e-3)  # a place between cells costs its entropy
    for column, value in ((0, 4.0), (2, 1.0), (4, -25.0), (8, -25.0), (9, 25.0)):
        worse = raw.clone()
        worse[places, column] += value
        assert image_loss(worse, slots, boxes, labels, 64) > perfect + 0.1


def test_overlapping_box_that_answers_for_nothing_is_not_held_against_the_network(model):
    slots = slots_of(model)
    boxes, labels = torch.tensor([[2.0, 4, 32, 60]]), torch.tensor([3])
    places, _ = match(slots, boxes)
    other = next(
        place
        for place in (slots.strides[:, 0] == 16).nonzero()[:, 0].tolist()
        if slots.cells[place].tolist() == [0, 2] and slots.anchors[place].tolist() == [30, 61]
    )
    assert other not in places.tolist()
    raw = torch.zeros(len(slots.cells), 15)
    raw[:, 4] = -5
    raw[other, :2] = torch.tensor([8.0, -8.0])
    before = image_loss(raw, slots, boxes, labels, 64)
    raw[other, 4] = 9
    assert image_loss(raw, slots, boxes, labels, 64) == pytest.approx(before.item(), abs=1e-5)
    raw[other, 2:4] = 2.0
    assert image_loss(raw, slots, boxes, labels, 64) > before + 1


def test_picture_without_objects_has_a_finite_loss(model):
    slots = slots_of(model)
    empty = torch.zeros(0, dtype=torch.int64)
    loss = image_loss(torch.zeros(len(slots.cells), 15), slots, torch.zeros(0, 4), empty, 64)
    assert loss == pytest.approx(len(slots.cells) * math.log(2), rel=1e-4)


def test_training_repeats_itself_and_predicts(tmp_path):
    write_split(tmp_path / "train", "train", 4, seed=0)
    scenes = list_scenes(tmp_path / "train")
    short = {"pretraining_steps": 2, "steps": 2, "batch_size": 2, "threads": 1}
    settings = {"model": {"width": 0.0625, "size": 64}, "training": short}
    for name in ("a", "b"):
        endings = {"cfg": "cfg", "weights": "weights", "training": "json"}
        outputs = {key: tmp_path / f"{name}.{ending}" for key, ending in endings.items()}
        do("yolov3", "train", settings, {"train": scenes}, outputs)
    for ending in ("cfg", "weights", "json"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    losses = json.loads((tmp_path / "a.json").read_text())["loss"]
    assert {name: len(values) for name, values in losses.items()} == {"pretraining": 2, "training": 2}

    out = tmp_path / "predictions.npz"
    model = {"cfg": tmp_path / "a.cfg", "weights": tmp_path / "a.weights"}
    do("yolov3", "predict", {}, {**model, "val": scenes}, {"predictions": out})
    with np.load(out) as predictions:
        assert predictions["detections"].shape == (4, 100, 7)
        assert (predictions["detections"][:, :, 0] == np.arange(4)[:, None]).all()


def test_diverging_training_is_an_error():
    prepare_torch(seed=0, threads=1)
    model = Darknet(yolov3_sections(0.0625, 10, 64))
    truth = Annotation("0", (64, 64), np.array([[2, 4, 32, 60]], np.float32), np.array([3]), np.zeros(1, bool))
    images = np.random.default_rng(0).random((2, 3, 64, 64), np.float32)
    with pytest.raises(UserError, match="the training diverged in step [1-5]. Lower the learning rate"):
        train(model, images, [truth, truth], Schedule(5, 2, float("inf"), 0))
