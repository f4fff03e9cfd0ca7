"""From PyTorch's layers to Caffe's, batch normalisation folded away."""

from __future__ import annotations

import numpy as np
from torch import nn

from trtflow.families.common.vgg16 import Layer, Trunk
from trtflow.formats.caffe import LayerParameter, NetParameter, array_to_blob
from trtflow.formats.caffe.caffe_pb2 import PoolingParameter


def fold_batch_norm(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel [K, C, R, S] and bias [K] of a convolution that does both, float32, folded in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    tensors = (convolution.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
    kernel, gamma, beta, mean, variance = (tensor.detach().numpy().astype(np.float64) for tensor in tensors)
    scale = gamma / np.sqrt(variance + norm.eps)
    return (kernel * scale[:, None, None, None]).astype(np.float32), (beta - mean * scale).astype(np.float32)


def add_layer(net: NetParameter, name: str, kind: str, *bottoms: str) -> LayerParameter:
    """Add a layer whose top has its name."""
    return net.layer.add(name=name, type=kind, bottom=bottoms, top=[name])


def add_relu(net: NetParameter, name: str, bottom: str) -> None:
    """Add a ReLU that works in place."""
    net.layer.add(name=name, type="ReLU", bottom=[bottom], top=[bottom])


def add_convolution(net: NetParameter, bottom: str, shape: Layer, kernel: np.ndarray, bias: np.ndarray) -> None:
    """Add a convolution with its weights; what is Caffe's default is left out."""
    layer = add_layer(net, shape.name, "Convolution", bottom)
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


def add_trunk(net: NetParameter, model: Trunk) -> None:
    """Add a trunk behind `data`; a ReLU has the name that VGG's authors gave it, or its layer's with _relu."""
    bottom = "data"
    for layer in model.layers:
        if layer.channels:
            _trunk_convolution(net, model, layer, bottom)
        else:
            _pool(net, layer, bottom)
        bottom = layer.name


def _trunk_convolution(net: NetParameter, model: Trunk, layer: Layer, bottom: str) -> None:
    convolution, norm = model.convolutions[layer.name], model.batch_norms[layer.name]
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    add_convolution(net, bottom, layer, *fold_batch_norm(convolution, norm))
    relu = layer.name.replace("conv", "relu") if "conv" in layer.name and layer.name < "conv6" else f"{layer.name}_relu"
    add_relu(net, {"fc6": "relu6", "fc7": "relu7"}.get(layer.name, relu), layer.name)


def _pool(net: NetParameter, layer: Layer, bottom: str) -> None:
    parameter = add_layer(net, layer.name, "Pooling", bottom).pooling_param
    parameter.pool = PoolingParameter.MAX
    parameter.kernel_size, parameter.stride = layer.kernel, layer.stride
    if layer.pad:
        parameter.pad = layer.pad
