"""SSD300 on VGG-16, layer for layer the network of its authors' Caffe model.

Liu et al., SSD: Single Shot MultiBox Detector (arXiv:1512.02325), on the trunk of `trtflow.families.common.vgg16`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from trtflow.datasets.images import to_bgr_input
from trtflow.families.common.vgg16 import FIRST_BLOCKS, Layer, Trunk, block, initialise

SIZE = 300  # pixels of a side of the input
NORM_EPSILON = 1e-10
NORM_SCALE = 20.0  # of conv4_3_norm before training


class Source(NamedTuple):
    """A feature map that boxes are predicted from, and its default boxes; sizes in pixels of the input."""

    name: str
    step: int
    smallest: int
    largest: int
    ratios: tuple[int, ...]

    @property
    def boxes_per_cell(self) -> int:
        """A square of each of two sizes, and each ratio upright and lying."""
        return 2 + 2 * len(self.ratios)


TRUNK = (
    *FIRST_BLOCKS,
    *block(5, 3, 512, 3, 1, 1),
    Layer("fc6", 1024, 3, pad=6, dilation=6),
    Layer("fc7", 1024, 1),
    Layer("conv6_1", 256, 1),
    Layer("conv6_2", 512, 3, stride=2, pad=1),
    Layer("conv7_1", 128, 1),
    Layer("conv7_2", 256, 3, stride=2, pad=1),
    Layer("conv8_1", 128, 1),
    Layer("conv8_2", 256, 3),
    Layer("conv9_1", 128, 1),
    Layer("conv9_2", 256, 3),
)
SOURCES = (
    Source("conv4_3_norm", 8, 30, 60, (2,)),
    Source("fc7", 16, 60, 111, (2, 3)),
    Source("conv6_2", 32, 111, 162, (2, 3)),
    Source("conv7_2", 64, 162, 213, (2, 3)),
    Source("conv8_2", 100, 213, 264, (2,)),
    Source("conv9_2", 300, 264, 315, (2,)),
)


class SSD(Trunk):
    """The network; `priors`, float32 [8732, 4], are its default boxes as xmin, ymin, xmax, ymax from 0 to 1."""

    priors: Tensor
    network = "vgg16"  # its name in checkpoints
    scores = "softmax"
    to_input = staticmethod(to_bgr_input)

    def __init__(self, class_count: int, width: float = 1.0) -> None:
        """Create the network with random weights.

        Args:
            class_count: number of classes, the background included.
            width: factor on the channels of every layer of the trunk.
        """
        super().__init__(TRUNK, width)
        self.class_count, self.heads = class_count, nn.ModuleDict()
        of_source = {**self.channels, "conv4_3_norm": self.channels["conv4_3"]}
        for source in SOURCES:
            inputs, boxes = of_source[source.name], source.boxes_per_cell
            self.heads[f"{source.name}_mbox_loc"] = nn.Conv2d(inputs, boxes * 4, 3, padding=1)
            self.heads[f"{source.name}_mbox_conf"] = nn.Conv2d(inputs, boxes * class_count, 3, padding=1)
        self.trunk_channels = of_source["fc7"]
        self.norm_scale = nn.Parameter(torch.full((of_source["conv4_3_norm"],), NORM_SCALE))
        self.register_buffer("priors", prior_boxes(), persistent=False)
        self.apply(initialise)

    def features(self, images: Tensor, last: str = TRUNK[-1].name) -> dict[str, Tensor]:
        """Return the outputs of the layers of the trunk up to `last`, and of conv4_3_norm, by name."""
        outputs = self.outputs(images, last)
        first = outputs["conv4_3"]
        norm = torch.sqrt(first.square().sum(1, keepdim=True) + NORM_EPSILON)
        outputs["conv4_3_norm"] = first / norm * self.norm_scale[:, None, None]
        return outputs

    def trunk(self, images: Tensor) -> Tensor:
        """Return what the trunk up to fc7 makes of pictures of any size, float32 [N, trunk_channels, h, w]."""
        return self.features(images, last="fc7")["fc7"]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the encoded boxes and the class scores of all priors.

        Args:
            images: float32 [N, 3, 300, 300], blue, green, red from 0 to 255, minus the means 104, 117, 123.

        Returns:
            Offsets from the priors (`encode`), float32 [N, 8732, 4], and logits, float32 [N, 8732, classes].
        """
        features = self.features(images)
        offsets = [self._predict(features, source, "loc", 4) for source in SOURCES]
        logits = [self._predict(features, source, "conf", self.class_count) for source in SOURCES]
        return torch.cat(offsets, 1), torch.cat(logits, 1)

    def _predict(self, features: dict[str, Tensor], source: Source, kind: str, values: int) -> Tensor:
        head = self.heads[f"{source.name}_mbox_{kind}"](features[source.name])
        return head.permute(0, 2, 3, 1).reshape(len(head), -1, values)


def prior_boxes() -> Tensor:
    """Return the default boxes as Caffe's PriorBox layer makes them, float32 [8732, 4], corners from 0 to 1."""
    boxes = []
    for source in SOURCES:
        middle = (source.smallest * source.largest) ** 0.5
        shapes = [(source.smallest, source.smallest), (middle, middle)]
        for ratio in source.ratios:
            longer, shorter = source.smallest * ratio**0.5, source.smallest / ratio**0.5
            shapes += [(longer, shorter), (shorter, longer)]
        half = torch.tensor(shapes, dtype=torch.float64) / 2
        cells = _cells(source)
        centres = (torch.arange(cells, dtype=torch.float64) + 0.5) * source.step
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        centre = torch.stack([x, y], dim=-1)[:, :, None]
        boxes.append(torch.cat([centre - half, centre + half], dim=-1).reshape(-1, 4) / SIZE)
    return torch.cat(boxes).float()


def _cells(source: Source) -> int:
    """Return the side of a source's feature map for an input of 300 pixels: 38, 19, 10, 5, 3 or 1."""
    size = SIZE
    for layer in TRUNK:
        room = size + 2 * layer.pad - layer.dilation * (layer.kernel - 1) - 1
        size = (room if layer.channels else room + layer.stride - 1) // layer.stride + 1
        if layer.name == source.name.removesuffix("_norm"):
            break
    return size
