"""From Caffe to PyTorch: published caffemodels in this repository's networks, to compare engines with.

The original detectors have no batch normalisation: here it passes the convolution on and adds its bias. That of
ResNet-50 is two layers in Caffe, BatchNorm and Scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from trtflow.formats import FormatError
from trtflow.formats.caffe import blob_to_array, read_caffemodel
from trtflow.families.classifiers.network import Classifier
from trtflow.families.faster_rcnn.network import FasterRCNN
from trtflow.families.ssd.network import SSD, VARIANCES
from trtflow.families.common.vgg16 import Trunk


class CaffeWeights:
    """The blobs of a caffemodel, by layer.

    Raises:
        FormatError: the file is no caffemodel; a layer is missing, or its blobs have other shapes than the network's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blobs = {layer.name: layer.blobs for layer in read_caffemodel(path).layer if len(layer.blobs)}

    def fill(self, layer: str, *targets: Tensor) -> None:
        """Copy the blobs of a layer, in Caffe's order kernel and bias, into tensors of their shapes."""
        if layer not in self.blobs:
            known = ", ".join(list(self.blobs)[:3])
            raise FormatError(
                self.path, f"no layer {layer!r} in it, but {known}, ...", "Give the network's caffemodel."
            )
        arrays = [blob_to_array(blob) for blob in self.blobs[layer]]
        found, wanted = ([_shape(array) for array in arrays], [_shape(target) for target in targets])
        if found != wanted:
            fault = f"the blobs of layer {layer!r} have the shapes {found}, the network's {wanted}"
            raise FormatError(self.path, fault, "Give the network's caffemodel, or correct model.width.")
        for array, target in zip(arrays, targets, strict=True):
            target.copy_(torch.from_numpy(array).reshape(target.shape))

    def count(self, layer: str) -> int:
        """Return how many blobs a layer has; none where there is no such layer."""
        return len(self.blobs.get(layer, ()))


def _shape(array: object) -> tuple[int, ...]:
    """Return a shape without the ones that Caffe of 2014 filled it up to four axes with."""
    shape = tuple(getattr(array, "shape", ()))
    return shape[next((axis for axis, side in enumerate(shape) if side != 1), len(shape) - 1) :]


@torch.no_grad()
def load_ssd(path: Path, class_count: int, width: float = 1.0) -> SSD:
    """Return an SSD300 with the weights of a caffemodel, ready for inference.

    Args:
        path: as its authors' Caffe writes it; layers of the training alone are passed over.
        class_count: number of classes, the background included.
        width: factor on the channels; 1.0 is what was published.
    """
    model, weights = SSD(class_count, width), CaffeWeights(path)
    _fill_trunk(model, weights)
    weights.fill("conv4_3_norm", model.norm_scale)
    for name, head in model.heads.items():
        weights.fill(name, *head.parameters())
    return model.eval()


@torch.no_grad()
def load_faster_rcnn(path: Path, class_count: int, width: float, scales: tuple[float, ...]) -> FasterRCNN:
    """Return a Faster R-CNN with the weights of py-faster-rcnn's caffemodel; arguments as of the network.

    Theirs says plain offsets; the network here says them in units of variances.
    """
    model, weights = FasterRCNN(class_count, width, scales), CaffeWeights(path)
    _fill_trunk(model, weights)
    for name, layer in _behind_the_trunk(model):
        parameters = list(layer.parameters())
        weights.fill(name, *parameters)
        if name.endswith("bbox_pred"):
            for parameter in parameters:
                by_box = parameter.view(-1, 4, *parameter.shape[1:])
                by_box /= torch.tensor(VARIANCES).view(4, *[1] * (parameter.ndim - 1))
    return model.eval()


@torch.no_grad()
def load_resnet50(path: Path, class_count: int, width: float, size: int) -> Classifier:
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


def _behind_the_trunk(model: FasterRCNN) -> Iterator[tuple[str, nn.Module]]:
    yield from model.rpn.items()
    yield from model.dense.items()


def _fill_trunk(model: Trunk, weights: CaffeWeights) -> None:
    for name, convolution in model.convolutions.items():
        norm = model.batch_norms[name]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_var is not None
        weights.fill(name, convolution.weight, norm.bias)
        norm.running_var.fill_(1 - norm.eps)  # so that it divides by 1
