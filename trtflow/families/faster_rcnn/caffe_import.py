"""The published caffemodel of Faster R-CNN in PyTorch, to compare engines with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from trtflow.families.common.boxes import VARIANCES
from trtflow.families.common.caffe_import import CaffeWeights, fill_trunk
from trtflow.families.faster_rcnn.network import FasterRCNN


@torch.no_grad()
def load_caffemodel(path: Path, class_count: int, width: float, scales: tuple[float, ...]) -> FasterRCNN:
    """Return a Faster R-CNN with the weights of py-faster-rcnn's caffemodel; arguments as of the network.

    Theirs says plain offsets; the network here says them in units of variances.
    """
    model, weights = FasterRCNN(class_count, width, scales), CaffeWeights(path)
    fill_trunk(model, weights)
    for name, layer in _behind_the_trunk(model):
        parameters = list(layer.parameters())
        weights.fill(name, *parameters)
        if name.endswith("bbox_pred"):
            for parameter in parameters:
                by_box = parameter.view(-1, 4, *parameter.shape[1:])
                by_box /= torch.tensor(VARIANCES).view(4, *[1] * (parameter.ndim - 1))
    return model.eval()


def _behind_the_trunk(model: FasterRCNN) -> Iterator[tuple[str, nn.Module]]:
    yield from model.rpn.items()
    yield from model.dense.items()
