"""The edit that TensorRT wants of py-faster-rcnn's prototxts: settings of the anchors, sizes of maps, dropout."""

import pytest
from google.protobuf import text_format

from trtflow.formats import UserError
from trtflow.formats.caffe import NetParameter, convert_faster_rcnn_prototxt
from trtflow.formats.caffe.maps import map_size

TRUNKS = {  # convolutions and poolings before the map, as (type, kernel, stride, pad), and the map of 375 x 500
    "VGG-16": ([("Pooling", 2, 2, 0)] * 4, (24, 32)),
    "ZF": ([("Convolution", 7, 2, 3), ("Pooling", 3, 2, 1), ("Convolution", 5, 2, 2), ("Pooling", 3, 2, 1)], (25, 32)),
    "VGG_CNN_M_1024": (
        [("Convolution", 7, 2, 0), ("Pooling", 3, 2, 0), ("Convolution", 5, 2, 1), ("Pooling", 3, 2, 0)],
        (22, 30),
    ),
}


def network(trunk="VGG-16", param_str="'feat_stride': 16"):
    """Return a network of py-faster-rcnn's form on a trunk."""
    text, last = 'input: "data" input_shape { dim: 1 dim: 3 dim: 224 dim: 224 } input: "im_info" ', "data"
    text += "input_shape { dim: 1 dim: 3 }"
    for index, (kind, kernel, stride, pad) in enumerate(TRUNKS[trunk][0]):
        name = "convolution_param" if kind == "Convolution" else "pooling_param"
        text += f'layer {{ name: "l{index}" type: "{kind}" bottom: "{last}" top: "l{index}" '
        text += f"{name} {{ kernel_size: {kernel} stride: {stride} pad: {pad} }} }}"
        last = f"l{index}"
    text += f"""
    layer {{ name: "score" type: "Convolution" bottom: "{last}" top: "score"
             convolution_param {{ num_output: 18 kernel_size: 1 }} }}
    layer {{ name: "fold" type: "Reshape" bottom: "score" top: "fold"
             reshape_param {{ shape {{ dim: 0 dim: 2 dim: -1 dim: 0 }} }} }}
    layer {{ name: "prob" type: "Softmax" bottom: "fold" top: "prob" }}
    layer {{ name: "unfold" type: "Reshape" bottom: "prob" top: "unfold"
             reshape_param {{ shape {{ dim: 0 dim: 18 dim: -1 dim: 0 }} }} }}
    layer {{ name: "proposal" type: "Python" bottom: "unfold" bottom: "delta" bottom: "im_info" top: "rois"
             python_param {{ module: "rpn.proposal_layer" layer: "ProposalLayer" }} }}
    layer {{ name: "pool5" type: "ROIPooling" bottom: "{last}" bottom: "rois" top: "pool5"
             roi_pooling_param {{ pooled_w: 6 pooled_h: 6 spatial_scale: 0.0625 }} }}
    layer {{ name: "drop6" type: "Dropout" bottom: "pool5" top: "pool5" dropout_param {{ dropout_ratio: 0.25 }} }}
    """
    net = text_format.Parse(text, NetParameter())
    next(layer for layer in net.layer if layer.type == "Python").python_param.param_str = param_str
    return net


def region(net, **sizes):
    """Return the proposals' settings of a converted network."""
    converted = convert_faster_rcnn_prototxt(net, **sizes)
    return next(layer for layer in converted.layer if layer.type == "RPROI").region_proposal_param


@pytest.mark.parametrize("trunk", TRUNKS)
def test_as_many_proposals_as_there_are_anchors(trunk):
    net, (rows, columns) = network(trunk), TRUNKS[trunk][1]
    assert map_size(net.layer, "unfold", {"data": (375, 500)}) == (rows, columns)
    assert region(net).prenms_top == min(6000, 9 * rows * columns)
    assert region(net).nms_max_out == 300


def test_small_picture_has_few():
    found = region(network("VGG-16"), height=40, width=50)
    assert (found.prenms_top, found.nms_max_out) == (9 * 3 * 4, 9 * 3 * 4)


@pytest.mark.parametrize(
    ("text", "stride", "scales", "ratios"),
    [
        ("'feat_stride': 16", 16, [8, 16, 32], [0.5, 1, 2]),
        ("", 16, [8, 16, 32], [0.5, 1, 2]),
        ("'feat_stride': 16 \n'scales': !!python/tuple [4, 8, 16, 32]", 16, [4, 8, 16, 32], [0.5, 1, 2]),
        ("'feat_stride': 8\n'scales': [2, 4]\n'ratios': [1.0]\n", 8, [2, 4], [1]),
        ("{'feat_stride': 16, 'scales': (4, 8)}", 16, [4, 8], [0.5, 1, 2]),
        ("feat_stride: 16", 16, [8, 16, 32], [0.5, 1, 2]),
    ],
)
def test_settings_of_the_anchors_are_read(text, stride, scales, ratios):
    found = region(network(param_str=text))
    assert (found.feature_stride, list(found.anchor_scale), list(found.anchor_ratio)) == (stride, scales, ratios)
    assert (found.anchor_scale_count, found.anchor_ratio_count) == (len(scales), len(ratios))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'scales': !!python/object [4]", "is not read"),
        ("'scales': [0]", "is not read"),
        ("'feat_stride': 'x'", "is not read"),
        ("'base_size': 16", "param_str has 'base_size', but feat_stride, scales and ratios are read"),
        ("[1, 2]", "is not read"),
    ],
)
def test_settings_that_are_not_understood_are_refused(text, message):
    with pytest.raises(UserError, match=f"(?s)layer 'proposal'.*{message}"):
        convert_faster_rcnn_prototxt(network(param_str=text))


def test_dropout_that_scales_at_inference_becomes_power():
    net = network()
    net.layer[-1].dropout_param.scale_train = False
    power = convert_faster_rcnn_prototxt(net).layer[-1]
    assert (power.name, power.type, power.power_param.scale) == ("drop6", "Power", 0.75)
    assert not power.HasField("dropout_param")
    assert convert_faster_rcnn_prototxt(network()).layer[-1].type == "Dropout"


def test_network_in_tensorrts_form_is_told_so():
    with pytest.raises(UserError, match="has an RPROI layer: it is in TensorRT's form already"):
        convert_faster_rcnn_prototxt(convert_faster_rcnn_prototxt(network()))


def test_picture_that_the_trunk_leaves_nothing_of_is_refused():
    with pytest.raises(UserError, match="nothing is left of the picture"):
        convert_faster_rcnn_prototxt(network("VGG_CNN_M_1024"), 8, 8)
