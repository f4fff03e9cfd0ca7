"""Published caffemodels in PyTorch: they compute what they computed, and another network's is named."""

import numpy as np
import pytest
import torch

from trtflow.families.classifiers import caffe_import as classifiers_import
from trtflow.families.classifiers import exporters
from trtflow.families.classifiers.network import Classifier, probabilities, randomise
from trtflow.families.faster_rcnn import caffe_import as faster_rcnn_import
from trtflow.families.faster_rcnn.caffe_export import to_caffe
from trtflow.families.faster_rcnn.network import FasterRCNN
from trtflow.families.ssd import caffe_export as ssd_export
from trtflow.families.ssd import caffe_import as ssd_import
from trtflow.families.ssd.network import SSD
from trtflow.formats import FormatError
from trtflow.formats.caffe import (
    NetParameter,
    array_to_blob,
    blob_to_array,
    read_caffemodel,
    without_weights,
    write_caffemodel,
    write_prototxt,
)

WIDTH, SCALES = 0.0625, (8.0, 16.0, 32.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    models = {"ssd": SSD(21, WIDTH).eval(), "faster": FasterRCNN(21, WIDTH, SCALES).eval()}
    for model in models.values():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # biases too, which are noughts at first
                torch.nn.init.uniform_(parameter.data, 0.5, 1.5)
    write_caffemodel(ssd_export.to_caffe(models["ssd"]), folder / "ssd.caffemodel")
    write_caffemodel(to_caffe(models["faster"]), folder / "faster.caffemodel")
    torch.save(models, folder / "models.pt")
    return folder


@pytest.fixture(scope="module")
def models(folder):
    return torch.load(folder / "models.pt", weights_only=False)


def load_faster_rcnn(path, width=WIDTH, classes=21):
    return faster_rcnn_import.load_caffemodel(path, classes, width, SCALES)


def assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_ssd_says_what_it_said_before_the_export(folder, models):
    images = torch.from_numpy(np.random.default_rng(0).uniform(-120, 130, (1, 3, 300, 300)).astype(np.float32))
    with torch.inference_mode():
        assert_close(ssd_import.load_caffemodel(folder / "ssd.caffemodel", 21, WIDTH)(images), models["ssd"](images))


def test_faster_rcnn_says_what_it_said_before_the_export(folder, models):
    images = torch.from_numpy(np.random.default_rng(0).uniform(-120, 130, (1, 3, 96, 128)).astype(np.float32))
    rois = torch.tensor([[[0.0, 0, 95, 63], [32, 16, 127, 95]]])
    with torch.inference_mode():
        answers = []
        for model in (load_faster_rcnn(folder / "faster.caffemodel"), models["faster"]):
            features = model.trunk(images)
            answers.append([features, *model.propose(features), *model.classify(features, rois)])
        assert_close(*answers)


def test_offsets_of_another_variance_would_be_seen(folder, models):
    model = load_faster_rcnn(folder / "faster.caffemodel")
    for layers, name in (("rpn", "rpn_bbox_pred"), ("dense", "bbox_pred")):
        torch.testing.assert_close(
            getattr(model, layers)[name].weight, getattr(models["faster"], layers)[name].weight, rtol=1e-6, atol=1e-7
        )


def test_blobs_of_2014_have_ones_in_front(folder, tmp_path):
    net = read_caffemodel(folder / "ssd.caffemodel")
    for layer in net.layer:
        if len(layer.blobs) == 2:
            bias = layer.blobs[1]
            count = bias.shape.dim[0]
            bias.ClearField("shape")
            bias.num, bias.channels, bias.height, bias.width = 1, 1, 1, count
    write_caffemodel(net, tmp_path / "old.caffemodel")
    old, new = (
        ssd_import.load_caffemodel(path, 21, WIDTH) for path in (tmp_path / "old.caffemodel", folder / "ssd.caffemodel")
    )
    assert all(torch.equal(one, other) for one, other in zip(old.parameters(), new.parameters(), strict=True))


def test_caffemodel_of_another_network_is_one_error(folder, tmp_path):
    with pytest.raises(FormatError, match=r"faster\.caffemodel: no layer 'fc6' in it|the blobs of layer 'fc6'"):
        ssd_import.load_caffemodel(folder / "faster.caffemodel", 21, WIDTH)
    with pytest.raises(FormatError, match=r"ssd\.caffemodel: no layer 'rpn_conv/3x3' in it, but conv1_1, conv1_2"):
        load_faster_rcnn(folder / "ssd.caffemodel")
    message = r"the blobs of layer 'conv1_1' have the shapes \[\(4, 3, 3, 3\), \(4,\)\], the network's \[\(8, 3, 3, 3\)"
    with pytest.raises(FormatError, match=message):
        ssd_import.load_caffemodel(folder / "ssd.caffemodel", 21, 0.125)
    with pytest.raises(FormatError, match="the blobs of layer 'conv4_3_norm_mbox_conf' have the shapes"):
        ssd_import.load_caffemodel(folder / "ssd.caffemodel", 11, WIDTH)
    net = NetParameter()
    net.layer.add(name="conv1_1", type="Convolution").blobs.append(array_to_blob(np.zeros((4, 3, 3, 3), np.float32)))
    write_caffemodel(net, tmp_path / "biasless.caffemodel")
    with pytest.raises(FormatError, match=r"biasless\.caffemodel: the blobs of layer 'conv1_1'"):
        ssd_import.load_caffemodel(tmp_path / "biasless.caffemodel", 21, WIDTH)


def test_file_that_is_cut_off_is_one_error(folder, tmp_path):
    (tmp_path / "cut.caffemodel").write_bytes((folder / "ssd.caffemodel").read_bytes()[:-1000])
    with pytest.raises(FormatError, match=r"cut\.caffemodel: cut off or damaged"):
        ssd_import.load_caffemodel(tmp_path / "cut.caffemodel", 21, WIDTH)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    """A small ResNet-50 as its authors keep theirs: sums of moments with a divisor, and a bias in conv1."""
    folder, rng = tmp_path_factory.mktemp("resnet"), np.random.default_rng(3)
    torch.manual_seed(3)
    model = Classifier("resnet50", 10, WIDTH, 64)
    randomise(model, 3)
    net = exporters.to_caffe(model.eval())
    for layer in net.layer:
        if layer.type == "BatchNorm":
            moments = [blob_to_array(blob) * np.float32(999.98) for blob in layer.blobs]
            layer.ClearField("blobs")
            layer.blobs.extend(array_to_blob(moment) for moment in moments)
        if layer.name == "conv1":
            layer.convolution_param.bias_term = True
            layer.blobs.append(array_to_blob(rng.normal(size=layer.convolution_param.num_output).astype(np.float32)))
    write_prototxt(without_weights(net), folder / "model.prototxt")
    write_caffemodel(net, folder / "model.caffemodel")
    return folder, net


def test_resnet50_says_what_opencv_makes_of_the_caffemodel(resnet):
    folder, _ = resnet
    cv2 = pytest.importorskip("cv2")
    images = np.random.default_rng(4).normal(size=(2, 3, 64, 64)).astype(np.float32)
    reader = cv2.dnn.readNetFromCaffe(str(folder / "model.prototxt"), str(folder / "model.caffemodel"))
    reader.setInput(images)
    model = classifiers_import.load_caffemodel(folder / "model.caffemodel", 10, WIDTH, 64)
    expected = reader.forward("prob").reshape(2, 10)
    assert expected.std() > 0.01
    np.testing.assert_allclose(probabilities(model, images), expected, atol=1e-5)


def test_moments_without_a_divisor_are_noughts_as_in_caffe(resnet, tmp_path):
    _, original = resnet
    net = NetParameter()
    net.CopyFrom(original)
    for layer in net.layer:
        if layer.name == "bn2a_branch1":
            layer.blobs[2].CopyFrom(array_to_blob(np.zeros(1, np.float32)))
    write_caffemodel(net, tmp_path / "model.caffemodel")
    norm = classifiers_import.load_caffemodel(tmp_path / "model.caffemodel", 10, WIDTH, 64).norms["res2a_branch1"]
    assert norm.running_mean.abs().max() == norm.running_var.abs().max() == 0


def test_resnet50_of_another_width_or_without_a_layer_is_named(resnet, tmp_path):
    folder, original = resnet
    with pytest.raises(FormatError, match="conv1"):
        classifiers_import.load_caffemodel(folder / "model.caffemodel", 10, 2 * WIDTH, 64)
    net = NetParameter()
    net.CopyFrom(original)
    del net.layer[[layer.name for layer in net.layer].index("scale3a_branch1")]
    write_caffemodel(net, tmp_path / "model.caffemodel")
    with pytest.raises(FormatError, match="no layer 'scale3a_branch1'"):
        classifiers_import.load_caffemodel(tmp_path / "model.caffemodel", 10, WIDTH, 64)
