"""ResNet-50's published caffemodel in PyTorch; its batch normalisation is two layers in Caffe, BatchNorm and Scale."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from trtflow.families.classifiers.network import Classifier
from trtflow.families.common.caffe_import import CaffeWeights


@torch.no_grad()
def load_caffemodel(path: Path, class_count: int, width: float, size: int) -> Classifier:
    """Return a ResNet-50 with the weights of its authors' caffemodel, ready for inference.

    Args:
        path: the caffemodel.
        class_count: number of classes.
        width: factor on the channels; 1.0 is what was published.
        size: side of the input, pixels.
    """
    model, weights = Classifier("resnet50", class_count, width, size), CaffeWeights(path)
    for layer in model.layers:
        if layer.kind == "norm":  # of the convolution before it
            _fill_normalised(model, weights, layer.bottoms[0], layer.name)
        elif layer.kind == "dense":
            weights.fill(layer.name, *model.dense[layer.name].parameters())
    return model.eval()


def _fill_normalised(model: Classifier, weights: CaffeWeights, name: str, norm_name: str) -> None:
    """Fill a convolution and its normalisation; a bias, which conv1 has, comes off the mean.

    BatchNorm keeps sums of moments and a third blob, by which to divide them: none where it is 0.
    """
    convolution, norm = model.convolutions[name], model.norms[name]
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    bias, total = torch.zeros(convolution.out_channels), torch.zeros(1)
    weights.fill(name, *(convolution.weight, bias)[: max(weights.count(name), 1)])
    weights.fill(norm_name, norm.running_mean, norm.running_var, total)
    share = 1 / float(total) if float(total) else 0.0
    norm.running_mean.mul_(share).sub_(bias)
    norm.running_var.mul_(share)
    weights.fill(norm_name.replace("bn", "scale", 1), norm.weight, norm.bias)
