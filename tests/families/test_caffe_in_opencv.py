"""The detectors' Caffe exports in OpenCV's DNN, a reader that is not ours, against PyTorch.

OpenCV knows neither RPROI_TRT nor Caffe's Python layer, so Faster R-CNN is cut before it; of SSD, what ends in PriorBox
is left out.
"""

import numpy as np
import pytest
import torch

from trtflow.families.common.boxes import VARIANCES
from trtflow.families.faster_rcnn.caffe_export import to_caffe
from trtflow.families.faster_rcnn.network import FasterRCNN
from trtflow.families.ssd import caffe_export as ssd_export
from trtflow.families.ssd.network import SIZE, SSD
from trtflow.formats.caffe import (
    NetParameter,
    convert_faster_rcnn_prototxt,
    without_weights,
    write_caffemodel,
    write_prototxt,
)
from trtflow.formats.caffe.faster_rcnn import FUSED

CLASSES = 11
HEIGHT, WIDTH = 150, 200  # pooled maps of odd sizes, which Caffe rounds up


def randomise(model):
    """Give what starts as 0 or 1 other values, so that a forgotten bias or moment shows."""
    for norm in model.batch_norms.values():
        for values, low, high in ((norm.weight, 0.5, 2), (norm.running_var, 0.5, 2)):
            torch.nn.init.uniform_(values, low, high)
        for values in (norm.bias, norm.running_mean):
            torch.nn.init.normal_(values, 0, 0.3)
    for name, values in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(values, 0, 0.3)
    return model.eval()


def picture(height, width):
    return np.random.default_rng(0).uniform(-120, 130, (1, 3, height, width)).astype(np.float32)


def outputs_of(net, layers, folder, images, names):
    """Return what OpenCV makes of the caffemodel of a network beside the prototxt of some of its layers."""
    cv2 = pytest.importorskip("cv2")
    write_prototxt(NetParameter(name=net.name, layer=layers), folder / "cut.prototxt")
    write_caffemodel(net, folder / "model.caffemodel")
    reader = cv2.dnn.readNetFromCaffe(str(folder / "cut.prototxt"), str(folder / "model.caffemodel"))
    reader.setInput(images)
    return dict(zip(names, reader.forward(names), strict=True))


def assert_close(found, expected):
    expected = expected.numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=1e-4 * np.abs(expected).max())


def test_faster_rcnn_before_its_proposals(tmp_path):
    torch.manual_seed(0)
    model = randomise(FasterRCNN(CLASSES, width=0.0625))
    net = to_caffe(model)
    converted = convert_faster_rcnn_prototxt(without_weights(net), HEIGHT, WIDTH)
    places = [layer.name for layer in converted.layer]
    kept = [layer for layer in converted.layer[: places.index(FUSED)] if layer.name != "im_info"]  # RPROI's alone
    images = picture(HEIGHT, WIDTH)
    names = ["relu5_3", "rpn_bbox_pred", "rpn_cls_prob_reshape"]
    found = outputs_of(net, kept, tmp_path, images, names)
    with torch.inference_mode():
        features = model.trunk(torch.from_numpy(images))
        offsets, logits = model.propose(features)
    assert_close(found["relu5_3"], features)
    rows, columns = features.shape[2:]
    plain = (offsets * torch.tensor(VARIANCES)).reshape(-1, rows, columns, 4).permute(0, 3, 1, 2)
    assert_close(found["rpn_bbox_pred"], plain.reshape(1, -1, rows, columns))
    assert_close(found["rpn_cls_prob_reshape"], logits.softmax(2).transpose(1, 2).reshape(1, -1, rows, columns))


def test_ssd_up_to_its_offsets_and_confidences(tmp_path):
    torch.manual_seed(0)
    model = randomise(SSD(CLASSES, width=0.0625))
    net = ssd_export.to_caffe(model)
    kept = [layer for layer in without_weights(net).layer if layer.type not in ("PriorBox", "DetectionOutput")]
    kept = [layer for layer in kept if layer.name != "mbox_priorbox"]
    images = picture(SIZE, SIZE)
    names = ["mbox_loc", "mbox_conf_flatten"]
    found = outputs_of(net, kept, tmp_path, images, names)
    with torch.inference_mode():
        offsets, logits = model(torch.from_numpy(images))
    assert_close(found["mbox_loc"], offsets)
    assert_close(found["mbox_conf_flatten"], logits.softmax(2))
