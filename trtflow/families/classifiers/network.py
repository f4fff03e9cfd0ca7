"""GoogLeNet and ResNet-50 in PyTorch, from their lists of layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trtflow.families.classifiers.layers import Layer, layers_of
from trtflow.families.common.checkpoint import read_checkpoint, write_checkpoint
from trtflow.families.common.pytorch import minimise
from trtflow.families.common.schedule import Schedule

LRN_SIZE, LRN_ALPHA, LRN_BETA = 5, 1e-4, 0.75
SMOOTHING = 0.1  # of the labels (arXiv:1512.00567): keeps the probabilities behind the first apart
PREDICTED = 50  # pictures of a batch outside training


def local_response_norm(value: Tensor) -> Tensor:
    """Divide maps [N, C, H, W] by (1 + alpha * mean of squares over five neighbouring maps) ** beta.

    The sum is a convolution with a band of ones: PyTorch's own pools in three dimensions, a quarter of a step.
    """
    places = torch.arange(value.shape[1])
    band = ((places[:, None] - places).abs() <= LRN_SIZE // 2).to(value.dtype)
    total = functional.conv2d(value.square(), band[:, :, None, None])
    return value / (1 + LRN_ALPHA / LRN_SIZE * total) ** LRN_BETA


COMPUTE: dict[str, Callable[[Layer, list[Tensor]], Tensor]] = {  # layers without weights
    "relu": lambda layer, values: functional.relu(values[0]),
    # Caffe rounds the size of a pooled map up
    "max": lambda layer, values: functional.max_pool2d(
        values[0], layer.kernel, layer.stride, layer.pad, ceil_mode=True
    ),
    "average": lambda layer, values: functional.avg_pool2d(values[0], layer.kernel, layer.stride),
    "lrn": lambda layer, values: local_response_norm(values[0]),
    "concat": lambda layer, values: torch.cat(values, 1),
    "sum": lambda layer, values: values[0] + values[1],
    "dropout": lambda layer, values: values[0],
    "softmax": lambda layer, values: values[0],
}


class Classifier(nn.Module):
    """A network; its convolutions have a batch normalisation each, which exports of GoogLeNet fold away.

    Args:
        network: googlenet or resnet50.
        class_count: number of classes.
        width: factor on the channels of every layer.
        size: side of the input, pixels.
    """

    def __init__(self, network: str, class_count: int, width: float, size: int) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {"network": network, "class_count": class_count, "width": width, "size": size}
        self.layers = layers_of(network, class_count, width, size)
        self.convolutions, self.norms, self.dense = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        channels = {"data": 3}
        for layer in self.layers:
            inputs = sum(channels[name] for name in layer.bottoms)
            channels[layer.top] = layer.channels or (channels[layer.bottoms[0]] if layer.kind == "sum" else inputs)
            if layer.kind == "convolution":
                window = (layer.kernel, layer.stride, layer.pad)
                self.convolutions[layer.name] = nn.Conv2d(inputs, layer.channels, *window, bias=False)
                self.norms[layer.name] = nn.BatchNorm2d(layer.channels)
            elif layer.kind == "dense":
                self.dense[layer.name] = nn.Linear(inputs, layer.channels)
        self.apply(_initialise)
        for layer in self.layers:
            if layer.kind == "sum":  # a block begins as its shortcut (arXiv:1706.02677)
                norm = self.norms[layer.bottoms[1]]
                assert isinstance(norm, nn.BatchNorm2d)
                nn.init.zeros_(norm.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, classes] of pictures [N, 3, size, size]."""
        blobs = {"data": images}
        for layer in self.layers:
            values = [blobs[name] for name in layer.bottoms]
            if layer.kind == "convolution":
                value = self.norms[layer.name](self.convolutions[layer.name](values[0]))
            elif layer.kind == "dense":
                value = self.dense[layer.name](values[0].flatten(1))
            elif layer.kind == "norm":  # computed with the convolution before it
                value = values[0]
            else:
                value = COMPUTE[layer.kind](layer, values)
            blobs[layer.top] = value
        return value


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)


def train(model: Classifier, images: np.ndarray, labels: np.ndarray, schedule: Schedule) -> list[float]:
    """Train a model; return the loss of each step.

    Args:
        model: the network.
        images: float32 [n, 3, size, size].
        labels: int64 [n].
        schedule: how long, how fast and in which order.
    """
    pictures, digits = torch.from_numpy(images), torch.from_numpy(labels)

    def loss_of(batch: np.ndarray) -> Tensor:
        shown = pictures[batch].contiguous(memory_format=torch.channels_last)
        return functional.cross_entropy(model(shown), digits[batch], label_smoothing=SMOOTHING)

    return minimise(model, loss_of, len(images), schedule)


def randomise(model: Classifier, seed: int) -> None:
    """Give the normalisations of an untrained network factors and moments other than noughts and ones."""
    generator = torch.Generator().manual_seed(seed)
    for norm in model.norms.values():
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        nn.init.uniform_(norm.weight, 0.5, 1.0, generator=generator)
        norm.running_mean.normal_(0, 0.1, generator=generator)
        norm.running_var.uniform_(0.5, 1.5, generator=generator)


def probabilities(model: Classifier, images: np.ndarray) -> np.ndarray:
    """Return the probabilities of the classes, float32 [N, classes], of pictures float32 [N, 3, size, size]."""
    with torch.inference_mode():
        parts = torch.from_numpy(images).split(PREDICTED)
        return torch.cat([torch.softmax(model(part), 1) for part in parts]).numpy()


def save_classifier(model: Classifier, path: Path) -> None:
    """Write a network; the same weights give the same bytes."""
    write_checkpoint(path, model, model.settings)


def load_classifier(path: Path) -> Classifier:
    """Read a network that `save_classifier` wrote, ready for inference."""
    return read_checkpoint(
        path,
        lambda content: Classifier(**{name: value for name, value in content.items() if name != "weights"}),
        "GoogLeNet or ResNet-50",
    )
