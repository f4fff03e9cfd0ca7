"""Faster R-CNN from PyTorch through Caffe to an engine of the reference runtime, and the host's part of the sample."""

import numpy as np
import pytest
import torch
from PIL import Image

import trtflow.reference as trt
from trtflow.families.common.input_size import write_input_size
from trtflow.families.faster_rcnn.caffe_export import to_caffe
from trtflow.families.faster_rcnn.detection import detect
from trtflow.families.faster_rcnn.network import FasterRCNN
from trtflow.formats import FormatError
from trtflow.formats.caffe import convert_faster_rcnn_prototxt, without_weights, write_caffemodel, write_prototxt
from trtflow.metrics.detections import max_difference
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session
from trtflow.samples import batches_of
from trtflow.samples import faster_rcnn as sample

SIDES = (96, 128)


@pytest.fixture(scope="module")
def network():
    """A narrow network whose random weights see objects."""
    torch.manual_seed(0)
    model = FasterRCNN(4, width=0.0625, scales=(2.0, 4.0))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the statistics of the pictures below
    model.train().trunk(torch.rand(4, 3, *SIDES) * 255 - 120)
    for layer in (model.rpn["rpn_cls_score"], model.dense["cls_score"]):
        torch.nn.init.normal_(layer.weight, std=0.3)
    return model.eval()


@pytest.fixture(scope="module")
def export(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    net = to_caffe(network)
    write_prototxt(convert_faster_rcnn_prototxt(without_weights(net), *SIDES), folder / "model.prototxt")
    write_caffemodel(net, folder / "model.caffemodel")
    write_input_size(folder, *SIDES)
    return folder


def test_the_engines_detections_are_pytorchs(network, export):
    pictures = [np.random.default_rng(number).integers(0, 256, (*SIDES, 3), np.uint8) for number in range(3)]
    values = network.to_input(pictures)
    plan = build_plan(trt, lambda _, layers: sample.define_network(trt, layers, export), "fp32", 2)
    session = Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))
    batches = batches_of(sample, {sample.INPUT: values}, 2)
    answers = [sample.postprocess({**batch, **session.run(batch)}) for batch in batches]
    mine = np.concatenate([answer["detections"] for answer in answers])
    mine[..., 0] = np.arange(3)[:, None]
    theirs = detect(network, torch.from_numpy(values)).numpy()
    assert (theirs[..., 1] > 0).sum() > 10
    assert max_difference(mine, theirs, sample.SCORE_THRESHOLD + 1e-4) < 1e-4


def test_boxes_are_moved_grown_and_clipped():
    rois = np.float32([[10, 20, 29, 59]])
    offsets = np.float32([[[0.5, 0, np.log(2), 0], [9, 9, 0, 0]]])
    boxes = sample.decode(rois, offsets, np.array([100, 80] * 2))
    np.testing.assert_allclose(boxes[0, 0], [10, 20, 50, 60], atol=1e-4)
    np.testing.assert_allclose(boxes[0, 1], [99, 79, 99, 79], atol=1e-4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("growth", [17.0, 88.0, 1e4, 3e38])
def test_boxes_that_grow_beyond_all_bounds_are_the_picture(growth):
    rois, sides = np.float32([[10, 20, 29, 59]]), np.array([100, 80] * 2)
    boxes = sample.decode(rois, np.float32([[[0, 0, growth, growth]]]), sides)
    np.testing.assert_array_equal(boxes[0, 0], [0, 0, 99, 79])


def test_of_boxes_of_a_class_that_overlap_by_more_than_three_tenths_the_best_remains():
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 2.9], [20, 20, 30, 30], [50, 50, 60, 60]])
    scores = np.float32([0.5, 0.9, 0.7, 0.3, 0.04])  # the last is below what is kept at all
    found = sample.detect(np.stack([boxes, boxes], 1), np.stack([1 - scores, scores], 1))
    np.testing.assert_array_equal(found, [[1, scores[place], *boxes[place]] for place in (1, 3)])
    rest = sample.suppress(boxes[[1, 2, 3]], np.float32([0.9, 0.7, 0.3]), sample.NMS_THRESHOLD)
    assert rest.tolist() == [0, 2]
    thin = np.float32([[0, 0, 10, 10], [0, 0, 10, 2.9]])
    assert sample.suppress(thin, np.float32([0.9, 0.7]), sample.NMS_THRESHOLD).tolist() == [0, 1]


def test_scaled_pictures_give_boxes_of_the_whole_picture():
    """im_info's third value says how much larger the network's picture is."""
    outputs = {
        "rois": np.float32([[[[0, 0, 39, 39]]]]),
        "cls_prob": np.float32([0.1, 0.9]).reshape(1, 1, 2, 1, 1),
        "bbox_pred": np.zeros((1, 1, 8, 1, 1), np.float32),
        "im_info": np.float32([[[[80, 80, 2]]]]),
    }
    (row, *others) = sample.postprocess(outputs)["detections"][0]
    np.testing.assert_allclose(row[1:3], [1, 0.9])
    np.testing.assert_allclose(row[3:], [0, 0, 20.5 / 40, 20.5 / 40], atol=1e-6)
    assert all(other[1] == -1 for other in others)


def test_a_picture_of_another_size_is_refused(export, tmp_path):
    Image.new("RGB", (50, 40)).save(tmp_path / "small.png")
    with pytest.raises(FormatError, match=r"small\.png: the picture is 50x40, but the network takes 128x96"):
        sample.preprocess([tmp_path / "small.png"], export)
