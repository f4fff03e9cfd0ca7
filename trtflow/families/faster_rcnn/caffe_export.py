"""From PyTorch to Caffe: Faster R-CNN as its authors' test.prototxt and caffemodel, batch normalisation folded away."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from trtflow.families.common.boxes import VARIANCES
from trtflow.families.common.caffe_export import add_convolution, add_layer, add_relu, add_trunk
from trtflow.families.common.vgg16 import Layer
from trtflow.families.faster_rcnn.network import LAST, POOLED, FasterRCNN
from trtflow.formats.caffe import NetParameter, array_to_blob
from trtflow.formats.caffe.faster_rcnn import RATIOS, SCALES, STRIDE

DROPOUT = 0.5  # the authors' share; parsers pass over these layers
RPN = "rpn/output"  # the top of rpn_conv/3x3
ORIGINAL_SHAPE = (224, 224)  # of the pictures, in the authors' file; they reshape it to each picture


@torch.no_grad()
def to_caffe(model: FasterRCNN) -> NetParameter:
    """Return the network with its weights; without them it is the authors' test.prototxt.

    The network learns offsets in units of variances. As theirs does when a snapshot is taken, the export multiplies
    weights by these, so that what the layers say are plain offsets.
    """
    net = NetParameter(name="VGG_ILSVRC_16_layers", input=["data", "im_info"])
    net.input_shape.add(dim=[1, 3, *ORIGINAL_SHAPE])
    net.input_shape.add(dim=[1, 3])
    add_trunk(net, model)
    _propose(net, model)
    _pool(net, model)
    for name, bottom in (("fc6", "pool5"), ("fc7", "fc6")):
        _dense(net, model, name, bottom)
        add_relu(net, name.replace("fc", "relu"), name)
        dropout = net.layer.add(name=name.replace("fc", "drop"), type="Dropout", bottom=[name], top=[name])
        dropout.dropout_param.dropout_ratio = DROPOUT
    for name in ("cls_score", "bbox_pred"):
        _dense(net, model, name, "fc7")
    add_layer(net, "cls_prob", "Softmax", "cls_score")
    return net


def _propose(net: NetParameter, model: FasterRCNN) -> None:
    """Add the region proposal network, whose first layer's top has a name of its own."""
    for name, bottom, shape in (
        ("rpn_conv/3x3", LAST, Layer("rpn_conv/3x3", 0, 3, pad=1)),
        ("rpn_cls_score", RPN, Layer("rpn_cls_score", 0, 1)),
        ("rpn_bbox_pred", RPN, Layer("rpn_bbox_pred", 0, 1)),
    ):
        add_convolution(net, bottom, shape, *_weights(model.rpn[name], in_variances=name == "rpn_bbox_pred"))
        if name == "rpn_conv/3x3":
            net.layer[-1].top[0] = RPN
            add_relu(net, "rpn_relu/3x3", RPN)
    _reshape(net, "rpn_cls_score_reshape", "rpn_cls_score", 2)
    add_layer(net, "rpn_cls_prob", "Softmax", "rpn_cls_score_reshape")
    _reshape(net, "rpn_cls_prob_reshape", "rpn_cls_prob", 2 * len(RATIOS) * len(model.scales))


def _reshape(net: NetParameter, name: str, bottom: str, channels: int) -> None:
    """Add a layer that makes so many channels of a map, of its rows what is left over."""
    add_layer(net, name, "Reshape", bottom).reshape_param.shape.dim.extend([0, channels, -1, 0])


def _pool(net: NetParameter, model: FasterRCNN) -> None:
    """Add proposals and what is pooled below them, the two layers that TensorRT has as one."""
    bottoms = ["rpn_cls_prob_reshape", "rpn_bbox_pred", "im_info"]
    python = net.layer.add(name="proposal", type="Python", bottom=bottoms, top=["rois"]).python_param
    python.module, python.layer = "rpn.proposal_layer", "ProposalLayer"
    scales = "" if model.scales == SCALES else f"\n'scales': {list(model.scales)}"
    python.param_str = f"'feat_stride': {STRIDE}{scales}"
    pooling = net.layer.add(name="roi_pool5", type="ROIPooling", bottom=[LAST, "rois"], top=["pool5"])
    parameter = pooling.roi_pooling_param
    parameter.pooled_w = parameter.pooled_h = POOLED
    parameter.spatial_scale = 1 / STRIDE


def _dense(net: NetParameter, model: FasterRCNN, name: str, bottom: str) -> None:
    weights = _weights(model.dense[name], in_variances=name == "bbox_pred")
    layer = add_layer(net, name, "InnerProduct", bottom)
    layer.inner_product_param.num_output = len(weights[0])
    layer.blobs.extend(map(array_to_blob, weights))


def _weights(layer: nn.Module, *, in_variances: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias, float32; of a layer that says offsets in variances, for plain ones."""
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    assert layer.bias is not None
    kernel, bias = layer.weight.numpy(), layer.bias.numpy()
    if in_variances:
        factors = np.resize(np.array(VARIANCES, np.float32), len(bias))
        kernel, bias = kernel * factors.reshape(-1, *[1] * (kernel.ndim - 1)), bias * factors
    return kernel, bias
