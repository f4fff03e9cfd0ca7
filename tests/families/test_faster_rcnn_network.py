"""Faster R-CNN in PyTorch: pooling and anchors against TensorRT's definitions, checkpoints, one step of training."""

import numpy as np
import pytest
import torch

import trtflow.reference as trt
from trtflow.datasets.voc import Annotation
from trtflow.families.faster_rcnn.network import FasterRCNN, load_faster_rcnn, roi_pool, save_faster_rcnn
from trtflow.families.faster_rcnn.training import batch_loss
from trtflow.formats import FormatError
from trtflow.formats.caffe.faster_rcnn import RATIOS

SCALES = (2.0, 4.0)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return FasterRCNN(4, width=0.0625, scales=SCALES)


def cells(first, last, count, end):
    """Return where cells begin and end, in float32 as TensorRT's kernel does."""
    step = np.float32(max(last - first + 1, 1)) * (np.float32(1) / np.float32(count))
    numbers = np.arange(count + 1, dtype=np.float32)
    return [
        (int(first + np.floor(a)), int(min(first + np.ceil(b), end)))
        for a, b in zip(numbers[:-1] * step, numbers[1:] * step, strict=True)
    ]


def test_pooling_takes_the_largest_of_each_cell():
    features = torch.randn(2, 3, 12, 10)
    corners = torch.tensor([[0.0, 0, 47, 31], [16, 32, 130, 190], [100, 100, 100, 100], [0, 0, 159, 191]])
    rois = torch.stack([corners, corners + 8])
    found = roi_pool(features, rois, 7)
    for picture, roi in np.ndindex(2, 4):
        left, top, right, bottom = (int(np.floor(value / 16 + 0.5)) for value in rois[picture, roi].tolist())
        for row, (low, high) in enumerate(cells(top, bottom, 7, 12)):
            for column, (begin, end) in enumerate(cells(left, right, 7, 10)):
                part = features[picture, :, low:high, begin:end]
                wanted = part.amax((1, 2)) if part[0].numel() else torch.zeros(3)
                torch.testing.assert_close(found[picture, roi, :, row, column], wanted, rtol=0, atol=0)


def test_anchors_are_the_plugins(network):
    trt.init_libnvinfer_plugins(trt.Logger(), "")
    creator = trt.get_plugin_registry().get_plugin_creator("RPROI_TRT", "1", "")
    fields = {"anchorsRatioCount": 3, "anchorsScaleCount": 2, "anchorsRatios": RATIOS, "anchorsScales": SCALES}
    collection = trt.PluginFieldCollection([trt.PluginField(*item) for item in fields.items()])
    first = creator.create_plugin("rproi", collection).anchors()
    corners = network.anchors((2, 3)).reshape(6, 2, 3, 4).numpy()
    sides = corners[..., 2:] - corners[..., :2]
    np.testing.assert_array_equal(sides[:, 0, 0], first[:, 2:])
    np.testing.assert_array_equal((corners[:, 0, 0, :2] + corners[:, 0, 0, 2:]) / 2, first[:, :2])
    np.testing.assert_array_equal(corners[:, 1, 2] - corners[:, 0, 0], [[32, 16, 32, 16]] * 6)


def test_checkpoints_come_back_and_others_are_refused(network, tmp_path):
    path = tmp_path / "network.pt"
    save_faster_rcnn(network, path)
    again = load_faster_rcnn(path)
    assert again.scales == SCALES
    for name, weights in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], weights, rtol=0, atol=0)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FormatError, match=r"network\.pt: not a checkpoint of Faster R-CNN"):
        load_faster_rcnn(path)


def test_a_step_of_training_lowers_the_loss(network):
    torch.manual_seed(1)
    images = torch.randn(2, 3, 96, 96)
    boxes, labels = np.float32([[10, 10, 48, 58], [48, 38, 86, 86]]), np.array([2, 3])
    annotations = [
        Annotation(str(count), (96, 96), boxes[:count], labels[:count], np.zeros(count, bool)) for count in (1, 2)
    ]
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        loss = batch_loss(network, images, annotations)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert network.rpn["rpn_cls_score"].weight.grad.abs().sum() > 0
