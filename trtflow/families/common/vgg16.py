"""The layers of VGG-16 that detectors stand on (Simonyan and Zisserman, arXiv:1409.1556), by Caffe's names.

`width` scales the channels; 1.0 is the original. Each convolution is followed by batch normalisation, which the
original lacks: it replaces the start from a VGG-16 trained on ImageNet, and exports fold it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional


class Layer(NamedTuple):
    """A convolution, or where `channels` is 0 a maximum pooling."""

    name: str
    channels: int
    kernel: int
    stride: int = 1
    pad: int = 0
    dilation: int = 1


def block(number: int, convolutions: int, channels: int, *pool: int) -> list[Layer]:
    """Return the convolutions of 3x3 of a block and its pooling: kernel, stride and pad."""
    layers = [Layer(f"conv{number}_{index + 1}", channels, 3, pad=1) for index in range(convolutions)]
    return [*layers, Layer(f"pool{number}", 0, *pool)]


FIRST_BLOCKS = (
    *block(1, 2, 64, 2, 2),
    *block(2, 2, 128, 2, 2),
    *block(3, 3, 256, 2, 2),
    *block(4, 3, 512, 2, 2),
)


class Trunk(nn.Module):
    """Convolutions and poolings, one behind the other.

    Attributes:
        layers: what they are.
        channels: of each layer's output, by name.
    """

    def __init__(self, layers: Sequence[Layer], width: float) -> None:
        """Create the layers with PyTorch's own first weights; `width` is the factor on their channels."""
        super().__init__()
        self.layers, self.width = tuple(layers), width
        self.convolutions, self.batch_norms = nn.ModuleDict(), nn.ModuleDict()
        self.channels, channels = dict[str, int](), 3
        for layer in layers:
            if layer.channels:
                inputs, channels = channels, round(layer.channels * width)
                shape = (layer.kernel, layer.stride, layer.pad, layer.dilation)
                self.convolutions[layer.name] = nn.Conv2d(inputs, channels, *shape, bias=False)
                self.batch_norms[layer.name] = nn.BatchNorm2d(channels)
            self.channels[layer.name] = channels

    def outputs(self, images: Tensor, last: str) -> dict[str, Tensor]:
        """Return the outputs of the layers up to `last`, by name."""
        found, x = {}, images
        for layer in self.layers:
            if layer.channels:
                x = functional.relu(self.batch_norms[layer.name](self.convolutions[layer.name](x)), inplace=True)
            else:  # Caffe rounds the size of a pooled map up: 75 becomes 38
                x = functional.max_pool2d(x, layer.kernel, layer.stride, layer.pad, ceil_mode=True)
            found[layer.name] = x
            if layer.name == last:
                break
        return found


def initialise(module: nn.Module) -> None:
    """Give a convolution or a dense layer Xavier's weights and no bias, as the authors' fillers do."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
