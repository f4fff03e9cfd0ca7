"""The export: layers by the authors' names, batch normalisation folded, nothing lost."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from trtflow.families.common.caffe_export import fold_batch_norm
from trtflow.families.ssd.caffe_export import to_caffe
from trtflow.families.ssd.network import SOURCES, SSD, TRUNK
from trtflow.formats.caffe import blob_to_array, without_weights

VGG = [
    "conv1_1 relu1_1 conv1_2 relu1_2 pool1",
    "conv2_1 relu2_1 conv2_2 relu2_2 pool2",
    "conv3_1 relu3_1 conv3_2 relu3_2 conv3_3 relu3_3 pool3",
    "conv4_1 relu4_1 conv4_2 relu4_2 conv4_3 relu4_3 pool4",
    "conv5_1 relu5_1 conv5_2 relu5_2 conv5_3 relu5_3 pool5",
    "fc6 relu6 fc7 relu7",
    *(f"conv{number}_{part} conv{number}_{part}_relu" for number in (6, 7, 8, 9) for part in (1, 2)),
    "conv4_3_norm",
]
HEAD = (
    "{0}_mbox_loc {0}_mbox_loc_perm {0}_mbox_loc_flat {0}_mbox_conf {0}_mbox_conf_perm {0}_mbox_conf_flat"
    " {0}_mbox_priorbox"
)
END = "mbox_loc mbox_conf mbox_priorbox mbox_conf_reshape mbox_conf_softmax mbox_conf_flatten detection_out"
HEADS = ("conv4_3_norm", "fc7", "conv6_2", "conv7_2", "conv8_2", "conv9_2")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = SSD(11, width=0.125).eval()
    for norm in model.batch_norms.values():
        for values, low, high in ((norm.weight, 0.5, 2), (norm.running_var, 0.1, 9)):
            torch.nn.init.uniform_(values, low, high)
        for values in (norm.bias, norm.running_mean):
            torch.nn.init.normal_(values)
    return model


@pytest.fixture(scope="module")
def layers(model):
    return {layer.name: layer for layer in to_caffe(model).layer}


def test_layers_are_the_authors(layers):
    names = ["data", *" ".join([*VGG, *map(HEAD.format, HEADS), END]).split()]
    assert list(layers) == names


def test_folded_trunk_computes_the_same(model, layers):
    x = images = torch.from_numpy(np.random.default_rng(0).uniform(-120, 130, (1, 3, 300, 300)).astype(np.float32))
    with torch.inference_mode():
        features = model.features(images)
        for layer in TRUNK:
            if layer.channels:
                kernel, bias = (torch.from_numpy(blob_to_array(blob)) for blob in layers[layer.name].blobs)
                x = functional.conv2d(x, kernel, bias, layer.stride, layer.pad, layer.dilation).relu()
            else:
                x = functional.max_pool2d(x, layer.kernel, layer.stride, layer.pad, ceil_mode=True)
            scale = features[layer.name].abs().max().item()
            torch.testing.assert_close(x, features[layer.name], rtol=0, atol=1e-4 * scale)


def test_folding_is_done_in_double_precision():
    convolution, norm = torch.nn.Conv2d(1, 1, 1, bias=False), torch.nn.BatchNorm2d(1, eps=0)
    for values, value in ((convolution.weight, 3), (norm.weight, 7), (norm.bias, 1), (norm.running_mean, 5)):
        torch.nn.init.constant_(values, value)
    torch.nn.init.constant_(norm.running_var, 2)
    kernel, bias = fold_batch_norm(convolution, norm)
    assert (kernel.shape, kernel.dtype, bias.shape, bias.dtype) == ((1, 1, 1, 1), np.float32, (1,), np.float32)
    assert kernel.item() == np.float32(3 * 7 / np.sqrt(2))
    assert bias.item() == np.float32(1 - 5 * 7 / np.sqrt(2))


def test_heads_and_norm_keep_their_weights(model, layers):
    for source in SOURCES:
        for kind in ("loc", "conf"):
            name = f"{source.name}_mbox_{kind}"
            kernel, bias = (blob_to_array(blob) for blob in layers[name].blobs)
            np.testing.assert_array_equal(kernel, model.heads[name].weight.detach().numpy())
            np.testing.assert_array_equal(bias, model.heads[name].bias.detach().numpy())
    np.testing.assert_array_equal(blob_to_array(layers["conv4_3_norm"].blobs[0]), np.full(64, 20, np.float32))


def test_parameters_of_priors_and_detections(layers):
    prior = layers["fc7_mbox_priorbox"].prior_box_param
    assert (list(prior.min_size), list(prior.max_size), list(prior.aspect_ratio)) == ([60], [111], [2, 3])
    assert (prior.flip, prior.clip, prior.step, prior.offset) == (True, False, 16, 0.5)
    assert list(prior.variance) == pytest.approx([0.1, 0.1, 0.2, 0.2])
    output = layers["detection_out"].detection_output_param
    assert (output.num_classes, output.share_location, output.background_label_id) == (11, True, 0)
    assert (output.nms_param.top_k, output.keep_top_k, output.code_type) == (400, 200, 2)  # CENTER_SIZE
    assert (output.nms_param.nms_threshold, output.confidence_threshold) == pytest.approx((0.45, 0.01))
    fc6 = layers["fc6"].convolution_param
    assert (fc6.num_output, list(fc6.pad), list(fc6.dilation)) == (128, [6], [6])


def test_prototxt_has_no_weights_and_the_network_keeps_its_own(model):
    net = to_caffe(model)
    assert not any(len(layer.blobs) for layer in without_weights(net).layer)
    assert sum(len(layer.blobs) for layer in net.layer) == 2 * (23 + 12) + 1
