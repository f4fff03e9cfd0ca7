"""From PyTorch to Caffe: SSD as its authors' deploy.prototxt and caffemodel, batch normalisation folded away."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from trtflow.formats.caffe import LayerParameter, NetParameter, array_to_blob
from trtflow.formats.caffe.caffe_pb2 import PoolingParameter, PriorBoxParameter
from trtflow.models.ssd import NORM_EPSILON, SIZE, SOURCES, SSD, TRUNK, VARIANCES, Layer, Source
from trtflow.models.ssd_detection import CONFIDENCE, KEEP_TOP_K, NMS_THRESHOLD, TOP_K


def fold_batch_norm(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel [K, C, R, S] and bias [K] of a convolution that does both, float32, folded in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    tensors = (convolution.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
    kernel, gamma, beta, mean, variance = (tensor.detach().numpy().astype(np.float64) for tensor in tensors)
    scale = gamma / np.sqrt(variance + norm.eps)
    return (kernel * scale[:, None, None, None]).astype(np.float32), (beta - mean * scale).astype(np.float32)


def to_caffe(model: SSD) -> NetParameter:
    """Return the network with its weights; without them it is the authors' deploy.prototxt."""
    net = NetParameter(name="VGG_SSD_300x300_deploy")
    _add(net, "data", "Input").input_param.shape.add(dim=[1, 3, SIZE, SIZE])
    top = "data"
    for layer in TRUNK:
        top = _pool(net, layer, top) if layer.channels == 0 else _trunk_convolution(net, model, layer, top)
    _normalize(net, model)
    for source in SOURCES:
        _heads(net, model, source)
    for part, axis in (("mbox_loc", 1), ("mbox_conf", 1), ("mbox_priorbox", 2)):
        suffix = part if part == "mbox_priorbox" else f"{part}_flat"
        bottoms = [f"{source.name}_{suffix}" for source in SOURCES]
        _add(net, part, "Concat", *bottoms).concat_param.axis = axis
    _detect(net, model.class_count)
    return net


def _add(net: NetParameter, name: str, kind: str, *bottoms: str) -> LayerParameter:
    return net.layer.add(name=name, type=kind, bottom=bottoms, top=[name])


def _convolution(net: NetParameter, name: str, bottom: str, shape: Layer, kernel: np.ndarray, bias: np.ndarray) -> None:
    layer = _add(net, name, "Convolution", bottom)
    parameter = layer.convolution_param
    parameter.num_output = len(kernel)
    parameter.kernel_size.append(shape.kernel)
    if shape.pad:
        parameter.pad.append(shape.pad)
    if shape.stride > 1:
        parameter.stride.append(shape.stride)
    if shape.dilation > 1:
        parameter.dilation.append(shape.dilation)
    layer.blobs.extend([array_to_blob(kernel), array_to_blob(bias)])


def _trunk_convolution(net: NetParameter, model: SSD, layer: Layer, bottom: str) -> str:
    convolution, norm = model.convolutions[layer.name], model.batch_norms[layer.name]
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    _convolution(net, layer.name, bottom, layer, *fold_batch_norm(convolution, norm))
    relu = layer.name.replace("conv", "relu") if "conv" in layer.name and layer.name < "conv6" else f"{layer.name}_relu"
    relu = {"fc6": "relu6", "fc7": "relu7"}.get(layer.name, relu)
    net.layer.add(name=relu, type="ReLU", bottom=[layer.name], top=[layer.name])
    return layer.name


def _pool(net: NetParameter, layer: Layer, bottom: str) -> str:
    parameter = _add(net, layer.name, "Pooling", bottom).pooling_param
    parameter.pool = PoolingParameter.MAX
    parameter.kernel_size, parameter.stride = layer.kernel, layer.stride
    if layer.pad:
        parameter.pad = layer.pad
    return layer.name


def _normalize(net: NetParameter, model: SSD) -> None:
    layer = _add(net, "conv4_3_norm", "Normalize", "conv4_3")
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
        _convolution(net, name, source.name, Layer(name, len(kernel), 3, pad=1), kernel, bias)
        _add(net, f"{name}_perm", "Permute", name).permute_param.order.extend([0, 2, 3, 1])
        _add(net, f"{name}_flat", "Flatten", f"{name}_perm").flatten_param.axis = 1
    prior = _add(net, f"{source.name}_mbox_priorbox", "PriorBox", source.name, "data").prior_box_param
    prior.min_size.append(source.smallest)
    prior.max_size.append(source.largest)
    prior.aspect_ratio.extend(source.ratios)
    prior.flip, prior.clip, prior.step, prior.offset = True, False, source.step, 0.5
    prior.variance.extend(VARIANCES)


def _detect(net: NetParameter, class_count: int) -> None:
    reshape = _add(net, "mbox_conf_reshape", "Reshape", "mbox_conf")
    reshape.reshape_param.shape.dim.extend([0, -1, class_count])
    _add(net, "mbox_conf_softmax", "Softmax", "mbox_conf_reshape").softmax_param.axis = 2
    _add(net, "mbox_conf_flatten", "Flatten", "mbox_conf_softmax").flatten_param.axis = 1
    output = _add(net, "detection_out", "DetectionOutput", "mbox_loc", "mbox_conf_flatten", "mbox_priorbox")
    parameter = output.detection_output_param
    parameter.num_classes, parameter.share_location, parameter.background_label_id = class_count, True, 0
    parameter.nms_param.nms_threshold, parameter.nms_param.top_k = NMS_THRESHOLD, TOP_K
    parameter.code_type = PriorBoxParameter.CENTER_SIZE
    parameter.keep_top_k, parameter.confidence_threshold = KEEP_TOP_K, CONFIDENCE


def export(model: SSD) -> NetParameter:
    """Return `to_caffe` of a model without recording gradients."""
    with torch.no_grad():
        return to_caffe(model)
