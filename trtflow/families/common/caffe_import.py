"""From Caffe to PyTorch: published caffemodels in this repository's networks, to compare engines with.

The original detectors have no batch normalisation: here it passes the convolution on and adds its bias.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from trtflow.families.common.vgg16 import Trunk
from trtflow.formats import FormatError
from trtflow.formats.caffe import blob_to_array, read_caffemodel


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


def fill_trunk(model: Trunk, weights: CaffeWeights) -> None:
    """Give a trunk the weights of Caffe's, which has no batch normalisation: here it passes the convolution on."""
    for name, convolution in model.convolutions.items():
        norm = model.batch_norms[name]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_var is not None
        weights.fill(name, convolution.weight, norm.bias)
        norm.running_var.fill_(1 - norm.eps)  # so that it divides by 1
