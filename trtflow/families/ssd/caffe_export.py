"""From PyTorch to Caffe: SSD as its authors' deploy.prototxt and caffemodel, batch normalisation folded away."""

from __future__ import annotations

import torch
from torch import nn

from trtflow.families.common.boxes import VARIANCES
from trtflow.families.common.caffe_export import add_convolution, add_layer, add_trunk
from trtflow.families.common.vgg16 import Layer
from trtflow.families.ssd.detection import CONFIDENCE, KEEP_TOP_K, NMS_THRESHOLD, TOP_K
from trtflow.families.ssd.network import NORM_EPSILON, SIZE, SOURCES, SSD, Source
from trtflow.formats.caffe import NetParameter, array_to_blob
from trtflow.formats.caffe.caffe_pb2 import PriorBoxParameter


@torch.no_grad()
def to_caffe(model: SSD) -> NetParameter:
    """Return the network with its weights; without them it is the authors' deploy.prototxt."""
    net = NetParameter(name="VGG_SSD_300x300_deploy")
    add_layer(net, "data", "Input").input_param.shape.add(dim=[1, 3, SIZE, SIZE])
    add_trunk(net, model)
    _normalize(net, model)
    for source in SOURCES:
        _heads(net, model, source)
    for part, axis in (("mbox_loc", 1), ("mbox_conf", 1), ("mbox_priorbox", 2)):
        suffix = part if part == "mbox_priorbox" else f"{part}_flat"
        bottoms = [f"{source.name}_{suffix}" for source in SOURCES]
        add_layer(net, part, "Concat", *bottoms).concat_param.axis = axis
    _detect(net, model.class_count)
    return net


def _normalize(net: NetParameter, model: SSD) -> None:
    layer = add_layer(net, "conv4_3_norm", "Normalize", "conv4_3")
    layer.norm_param.across_spatial = layer.norm_param.channel_shared = False
    layer.norm_param.scale_filler.type, layer.norm_param.scale_filler.value = "constant", 20
    layer.norm_param.eps = NORM_EPSILON
    layer.blobs.append(array_to_blob(model.norm_scale.detach().numpy()))


def _heads(net: NetParameter, model: SSD, source: Source) -> None:
    """Add what predicts boxes from one feature map, in the authors' order."""
    for kind in ("loc", "conf"):
        name = f"{source.name}_mbox_{kind}"
        head = model.heads[name]
        assert isinstance(head, nn.Conv2d)
        assert head.bias is not None
        kernel, bias = (tensor.detach().numpy() for tensor in (head.weight, head.bias))
        add_convolution(net, source.name, Layer(name, len(kernel), 3, pad=1), kernel, bias)
        add_layer(net, f"{name}_perm", "Permute", name).permute_param.order.extend([0, 2, 3, 1])
        add_layer(net, f"{name}_flat", "Flatten", f"{name}_perm").flatten_param.axis = 1
    prior = add_layer(net, f"{source.name}_mbox_priorbox", "PriorBox", source.name, "data").prior_box_param
    prior.min_size.append(source.smallest)
    prior.max_size.append(source.largest)
    prior.aspect_ratio.extend(source.ratios)
    prior.flip, prior.clip, prior.step, prior.offset = True, False, source.step, 0.5
    prior.variance.extend(VARIANCES)


def _detect(net: NetParameter, class_count: int) -> None:
    reshape = add_layer(net, "mbox_conf_reshape", "Reshape", "mbox_conf")
    reshape.reshape_param.shape.dim.extend([0, -1, class_count])
    add_layer(net, "mbox_conf_softmax", "Softmax", "mbox_conf_reshape").softmax_param.axis = 2
    add_layer(net, "mbox_conf_flatten", "Flatten", "mbox_conf_softmax").flatten_param.axis = 1
    output = add_layer(net, "detection_out", "DetectionOutput", "mbox_loc", "mbox_conf_flatten", "mbox_priorbox")
    parameter = output.detection_output_param
    parameter.num_classes, parameter.share_location, parameter.background_label_id = class_count, True, 0
    parameter.nms_param.nms_threshold, parameter.nms_param.top_k = NMS_THRESHOLD, TOP_K
    parameter.code_type = PriorBoxParameter.CENTER_SIZE
    parameter.keep_top_k, parameter.confidence_threshold = KEEP_TOP_K, CONFIDENCE
