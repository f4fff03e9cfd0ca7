"""Matching, the loss, and training that repeats itself."""

import json

import numpy as np
import pytest
import torch
from family_jobs import do, list_scenes

from trtflow.datasets.digit_scenes import write_split
from trtflow.datasets.voc import Annotation
from trtflow.families.common.boxes import decode
from trtflow.families.common.multibox import (
    CROP_SIZE,
    cut_objects,
    match,
    multibox_loss,
    pretrain,
    sigmoid_loss,
)
from trtflow.families.common.pytorch import prepare_torch
from trtflow.families.common.schedule import Schedule
from trtflow.families.ssd.checkpoint import save_ssd
from trtflow.families.ssd.network import SSD, prior_boxes
from trtflow.families.ssd.training import train
from trtflow.families.ssd_inception.network import SSDInception
from trtflow.formats import UserError


def annotation(*boxes, labels):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Annotation("0", (300, 300), boxes, np.array(labels, np.int64), np.zeros(len(labels), bool))


def test_priors_that_overlap_by_half_answer_for_an_object():
    priors = torch.tensor([[0, 0, 0.5, 0.5], [0, 0, 0.4, 0.5], [0, 0, 0.1, 0.5], [0.5, 0.5, 1, 1]])
    offsets, labels = match(priors, annotation([0, 0, 150, 150], labels=[7]))
    assert labels.tolist() == [7, 7, 0, 0]
    torch.testing.assert_close(decode(offsets, priors)[:2], torch.tensor([[0, 0, 0.5, 0.5]] * 2))


def test_every_object_has_a_prior_however_small_the_overlap():
    offsets, labels = match(prior_boxes(), annotation([100, 100, 104, 180], [5, 5, 9, 9], labels=[3, 4]))
    assert sorted(labels[labels > 0].tolist()) == [3, 4]
    boxes = decode(offsets, prior_boxes())[labels == 3] * 300
    torch.testing.assert_close(boxes, torch.tensor([[100.0, 100.0, 104.0, 180.0]]), rtol=0, atol=1e-3)


def test_image_without_objects_is_background():
    offsets, labels = match(prior_boxes(), annotation(labels=[]))
    assert not labels.any()
    assert offsets.isfinite().all()


def test_loss_takes_the_three_hardest_of_the_background():
    labels = torch.tensor([[1, 0, 0, 0, 0, 0]])
    background = torch.tensor([0.0, 3.0, -1.0, 2.0, -2.0, 1.0])  # the lower, the harder
    logits = torch.stack([background, torch.zeros(6)], 1)[None]
    true_offsets = torch.zeros(1, 6, 4)
    offsets = torch.full((1, 6, 4), 9.0)  # those of the background do not count
    offsets[0, 0] = torch.tensor([0.5, 0, 0, 3])
    cross_entropy = np.log(2) + sum(np.log1p(np.exp(-value)) for value in (-1, -2, 1))
    boxes = 0.5**2 / 2 + 3 - 0.5  # smooth L1: a parabola, then a line
    loss = multibox_loss(offsets, logits, true_offsets, labels)
    assert loss.item() == pytest.approx(cross_entropy + boxes, rel=1e-6)


def test_loss_of_independent_classes():
    logits, labels = torch.tensor([[[2.0, -1.0, 0.5]]]), torch.tensor([[2]])
    expected = np.log1p(np.exp(2)) + np.log1p(np.exp(-1)) + np.log1p(np.exp(-0.5))
    assert sigmoid_loss(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_batches_hold_every_picture_once_an_epoch():
    batches = list(Schedule(steps=5, batch_size=4, learning_rate=1, seed=0).batches(10))
    assert [len(batch) for batch in batches] == [4] * 5
    assert sorted(np.concatenate(batches)) == sorted([*range(10), *range(10)])


def test_objects_are_cut_out_with_a_margin():
    image = np.zeros((1, 300, 300, 3), np.uint8)
    image[0, 100:180, 60:100] = 255
    crops, labels = cut_objects(image, [annotation([60, 100, 100, 180], labels=[5])])
    assert (crops.shape, labels.tolist()) == ((1, CROP_SIZE, CROP_SIZE, 3), [5])
    rows, columns = (np.flatnonzero((crops[0, ..., 0] > 127).any(axis)) for axis in (1, 0))
    assert (len(rows), len(columns)) == pytest.approx((CROP_SIZE / 1.25, CROP_SIZE / 2.5), abs=2)
    assert rows.mean() == pytest.approx((CROP_SIZE - 1) / 2, abs=1)


@pytest.fixture
def scene():
    image = np.full((1, 300, 300, 3), 128, np.uint8)
    image[0, 100:200, 100:150] = 255
    return image, [annotation([100, 100, 150, 200], labels=[2])]


def trained(path, scene):
    prepare_torch(seed=0, threads=1)
    model = SSD(11, width=0.03125)
    losses = pretrain(model, *scene, Schedule(1, 2, 0.003, 0)) + train(model, *scene, Schedule(2, 2, 0.003, 0))
    save_ssd(model, path)
    return losses, path.read_bytes()


def test_training_repeats_itself_to_the_byte(scene, tmp_path):
    assert trained(tmp_path / "a.pt", scene) == trained(tmp_path / "b.pt", scene)


def test_training_learns(scene):
    prepare_torch(seed=0, threads=1)
    losses = train(SSD(11, width=0.03125), *scene, Schedule(12, 2, 0.003, 0))
    assert losses[-1] < 0.5 * losses[0]


def test_inception_learns(scene):
    prepare_torch(seed=0, threads=1)
    model = SSDInception(11, width=0.0625)
    losses = pretrain(model, *scene, Schedule(1, 2, 0.003, 0)) + train(model, *scene, Schedule(10, 2, 0.003, 0))
    assert losses[-1] < 0.5 * losses[1]


def test_diverging_training_is_an_error(scene):
    prepare_torch(seed=0, threads=1)
    with pytest.raises(UserError, match="the training diverged in step [1-5]. Lower the learning rate"):
        train(SSD(11, width=0.03125), *scene, Schedule(5, 2, float("inf"), 0))


def test_steps_train_predict_and_export(tmp_path):
    model, log = tmp_path / "ssd.pt", tmp_path / "training.json"
    write_split(tmp_path / "train", "train", 2, seed=0)
    scenes = list_scenes(tmp_path / "train")
    short = {"pretraining_steps": 1, "steps": 2, "batch_size": 2, "threads": 1}
    settings = {"model": {"width": 0.03125}, "training": short}
    do("ssd", "train", settings, {"train": scenes}, {"model": model, "training": log})
    do("ssd", "predict", {}, {"model": model, "val": scenes}, {"predictions": tmp_path / "predictions.npz"})
    exports = [tmp_path / "export" / name for name in ("model.prototxt", "model.caffemodel", "SHA256SUMS")]
    stock = tmp_path / "export" / "deploy.prototxt"
    do("ssd", "export", {}, {"model": model}, {"stock": stock, "exports": exports})

    assert {name: len(losses) for name, losses in json.loads(log.read_text())["loss"].items()} == {
        "pretraining": 1,
        "training": 2,
    }
    with np.load(tmp_path / "predictions.npz") as predictions:
        assert predictions["detections"].shape == (2, 200, 7)
        assert predictions["images"].tolist() == ["000000", "000001"]
        assert (predictions["detections"][:, :, 0] == [[0], [1]]).all()
    names = ["SHA256SUMS", "deploy.prototxt", "model.caffemodel", "model.prototxt"]
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == names
