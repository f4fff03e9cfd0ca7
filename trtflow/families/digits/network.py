"""The PyTorch networks of the MNIST samples: LeNet, as Caffe has it, and the one of ONNX's model zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trtflow.families.common.checkpoint import read_checkpoint, write_checkpoint
from trtflow.formats import UserError


class LeNet(nn.Module):
    """Caffe's LeNet: 20 and 50 maps of 5x5, 500 and 10 neurons, over (x - mean) * scale.

    Args:
        mean: picture to subtract, float32 [1, 28, 28].
        scale: factor on what is left.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: float) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", torch.tensor(scale))
        self.conv1, self.conv2 = nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5)
        self.fc1, self.fc2 = nn.Linear(800, 500), nn.Linear(500, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, 10] of pictures [N, 1, 28, 28]."""
        value = (images - self.mean) * self.scale
        value = functional.max_pool2d(self.conv1(value), 2)
        value = functional.max_pool2d(self.conv2(value), 2)
        return self.fc2(functional.relu(self.fc1(value.flatten(1))))


class ZooNet(nn.Module):
    """The network that sampleOnnxMNIST reads (mnist-8 of ONNX's model zoo): biases a map, "same" padding."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 5, padding=2), nn.Conv2d(8, 16, 5, padding=2)
        self.fc = nn.Linear(256, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, 10] of pictures [N, 1, 28, 28]."""
        value = functional.max_pool2d(functional.relu(self.conv1(images)), 2)
        value = functional.max_pool2d(functional.relu(self.conv2(value)), 3)
        return self.fc(value.flatten(1))


def make_network(name: str, images: np.ndarray, *, subtract_mean: bool, scale: float) -> nn.Module:
    """Return an untrained network.

    Args:
        name: lenet or zoo.
        images: training pictures float32 [n, 1, 28, 28], for their mean.
        subtract_mean: whether the network (LeNet) subtracts it.
        scale: factor of LeNet's first layer.
    """
    if name == "zoo":
        return ZooNet()
    mean = torch.from_numpy(images.mean(0) if subtract_mean else np.zeros_like(images[0]))
    return LeNet(mean, scale)


def probabilities(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Return the probabilities of the ten digits, float32 [N, 10], of pictures float32 [N, 1, 28, 28]."""
    with torch.inference_mode():
        return torch.softmax(model(torch.from_numpy(images)), 1).numpy()


def save_network(name: str, model: nn.Module, path: Path) -> None:
    """Write a network; the same weights give the same bytes."""
    write_checkpoint(path, model, {"network": name})


def load_network(path: Path, kind: type[nn.Module] | None = None) -> nn.Module:
    """Read a network that `save_network` wrote, ready for inference.

    Args:
        path: the checkpoint.
        kind: LeNet or ZooNet, where it must be that one.
    """

    def make(content: dict[str, Any]) -> nn.Module:
        weights = content["weights"]
        return ZooNet() if content["network"] == "zoo" else LeNet(weights["mean"], float(weights["scale"]))

    model = read_checkpoint(path, make, "a digit network")
    if kind is not None and not isinstance(model, kind):
        raise UserError(f"{path}: a {type(model).__name__}, but a {kind.__name__} is needed.")
    return model
