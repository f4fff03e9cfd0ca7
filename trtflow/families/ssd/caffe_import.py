"""A published caffemodel of SSD300 in PyTorch, to compare engines with."""

from __future__ import annotations

from pathlib import Path

import torch

from trtflow.families.common.caffe_import import CaffeWeights, fill_trunk
from trtflow.families.ssd.network import SSD


@torch.no_grad()
def load_caffemodel(path: Path, class_count: int, width: float = 1.0) -> SSD:
    """Return an SSD300 with the weights of a caffemodel, ready for inference.

    Args:
        path: as its authors' Caffe writes it; layers of the training alone are passed over.
        class_count: number of classes, the background included.
        width: factor on the channels; 1.0 is what was published.
    """
    model, weights = SSD(class_count, width), CaffeWeights(path)
    fill_trunk(model, weights)
    weights.fill("conv4_3_norm", model.norm_scale)
    for name, head in model.heads.items():
        weights.fill(name, *head.parameters())
    return model.eval()
