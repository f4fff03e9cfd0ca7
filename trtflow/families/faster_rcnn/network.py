"""Faster R-CNN on VGG-16, layer for layer the network of its authors' Caffe model.

Ren et al., Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks (arXiv:1506.01497), on the
trunk of `trtflow.families.common.vgg16`; `width` scales its channels and those of the layers behind it.

Boxes of proposals are numbers of first and last pixels, as the authors have them: a side is last - first + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from trtflow.datasets.images import to_faster_rcnn_input
from trtflow.families.common.checkpoint import read_checkpoint, write_checkpoint
from trtflow.families.common.vgg16 import FIRST_BLOCKS, Trunk, block, initialise
from trtflow.formats.caffe.faster_rcnn import RATIOS, SCALES, STRIDE

POOLED = 7  # cells of a side of what is pooled below a proposal
TRUNK = (*FIRST_BLOCKS, *block(5, 3, 512, 2, 2)[:-1])  # no pool5: proposals are pooled
LAST = TRUNK[-1].name
SETTINGS = ("class_count", "width", "scales")


class FasterRCNN(Trunk):
    """The network."""

    to_input = staticmethod(to_faster_rcnn_input)

    def __init__(self, class_count: int, width: float = 1.0, scales: Sequence[float] = SCALES) -> None:
        """Create the network with random weights.

        Args:
            class_count: number of classes, the background included.
            width: factor on the channels of every layer but the outputs.
            scales: sides of the square anchors over the stride of 16 pixels.
        """
        super().__init__(TRUNK, width)
        self.class_count, self.scales = class_count, tuple(scales)
        self.trunk_channels, hidden = self.channels[LAST], round(4096 * width)
        boxes = len(RATIOS) * len(scales)
        self.rpn = nn.ModuleDict(
            {
                "rpn_conv/3x3": nn.Conv2d(self.trunk_channels, round(512 * width), 3, padding=1),
                "rpn_cls_score": nn.Conv2d(round(512 * width), 2 * boxes, 1),
                "rpn_bbox_pred": nn.Conv2d(round(512 * width), 4 * boxes, 1),
            }
        )
        self.dense = nn.ModuleDict(
            {
                "fc6": nn.Linear(self.trunk_channels * POOLED**2, hidden),
                "fc7": nn.Linear(hidden, hidden),
                "cls_score": nn.Linear(hidden, class_count),
                "bbox_pred": nn.Linear(hidden, 4 * class_count),
            }
        )
        self.apply(initialise)

    def trunk(self, images: Tensor) -> Tensor:
        """Return conv5_3 of pictures of any size, float32 [N, trunk_channels, ceil(H / 16), ceil(W / 16)]."""
        return self.outputs(images, LAST)[LAST]

    def propose(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the region proposal network says of all anchors, in the order of `anchors`.

        Args:
            features: of `trunk`.

        Returns:
            Offsets from the anchors, in units of SSD's variances (`trtflow.families.common.boxes.encode`), float32
            [N, P, 4], and logits of ground and object, float32 [N, P, 2].
        """
        hidden = functional.relu(self.rpn["rpn_conv/3x3"](features))
        offsets, logits = self.rpn["rpn_bbox_pred"](hidden), self.rpn["rpn_cls_score"](hidden)
        by_anchor = offsets.reshape(len(offsets), -1, 4, *features.shape[2:]).permute(0, 1, 3, 4, 2)
        return by_anchor.reshape(len(offsets), -1, 4), logits.reshape(len(logits), 2, -1).transpose(1, 2)

    def classify(self, features: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the layers behind the pooling say of proposals.

        Args:
            features: of `trunk`.
            rois: float32 [N, R, 4], first and last pixels.

        Returns:
            Offsets from the proposals for each class, in units of the variances, float32 [N, R, classes, 4], and
            logits, float32 [N, R, classes].
        """
        x = roi_pool(features, rois).flatten(2)
        for name in ("fc6", "fc7"):
            x = functional.relu(self.dense[name](x))  # without dropout: after so few steps it keeps them from learning
        offsets, logits = self.dense["bbox_pred"](x), self.dense["cls_score"](x)
        return offsets.reshape(*offsets.shape[:2], -1, 4), logits

    def anchors(self, cells: Sequence[int]) -> Tensor:
        """Return the anchors of a map of so many rows and columns of cells, float32 [P, 4], corners in pixels.

        Anchor by anchor, within it cell by cell. Sides are rounded before they are scaled, as py-faster-rcnn does; the
        middle of the first cell is 7.5, the mean of its pixels' numbers.
        """
        widths = torch.tensor([(STRIDE**2 / ratio) ** 0.5 for ratio in RATIOS], dtype=torch.float64).add(0.5).floor()
        heights = (widths * torch.tensor(RATIOS)).add(0.5).floor()
        scales = torch.tensor(self.scales, dtype=torch.float64)
        half = (torch.stack([widths, heights], 1)[:, None] * scales[:, None]).reshape(-1, 1, 1, 2) / 2
        y, x = torch.meshgrid(*(torch.arange(count) * STRIDE for count in cells), indexing="ij")
        centre = torch.stack([x, y], -1) + (STRIDE - 1) / 2
        return torch.cat([centre - half, centre + half], -1).reshape(-1, 4).float()


def roi_pool(features: Tensor, rois: Tensor, size: int = POOLED) -> Tensor:
    """Return the largest values in each of the cells that proposals are cut into, as TensorRT's plugin does.

    Caffe's ROIPooling differs in one place: it divides by `size`, TensorRT multiplies by its reciprocal, so that of
    some proposals the last cells reach a row or column further (docs/faster_rcnn.md).

    The largest of a range of rows and columns is that of four windows, overlapping and with powers of two as sides,
    that cover it.

    Args:
        features: float32 [N, C, H, W].
        rois: float32 [N, R, 4], first and last pixels of the picture.
        size: cells of a side.

    Returns:
        float32 [N, R, C, size, size]; 0 where a cell is empty.
    """
    count, _, *shape = features.shape
    corners = torch.floor(rois / STRIDE + 0.5)
    (left, right), (top, bottom) = (
        _ranges(corners[..., axis], corners[..., axis + 2], shape[1 - axis], size) for axis in (0, 1)
    )
    powers = [_power(top, bottom)[..., :, None], _power(left, right)[..., None, :]]
    levels = int(max(power.max() for power in powers)) + 1
    sides = [1 << level for level in range(levels)]
    windows = [
        functional.max_pool2d(functional.pad(features, (0, width - 1, 0, height - 1)), (height, width), 1)
        for height in sides
        for width in sides
    ]
    table = torch.stack(windows).permute(0, 1, 3, 4, 2)  # windows, pictures, rows, columns, channels
    window = (powers[0] * levels + powers[1]) * count + torch.arange(count)[:, None, None, None]
    rows = (top[..., None], bottom[..., None] - (1 << powers[0]))
    columns = (left[..., None, :], right[..., None, :] - (1 << powers[1]))
    places = torch.stack([(window * shape[0] + row) * shape[1] + column for row in rows for column in columns])
    empty = ((bottom <= top)[..., None] | (right <= left)[..., None, :])[..., None]
    found = functional.embedding(places.masked_fill(empty[..., 0], 0), table.flatten(0, 3)).amax(0)
    return torch.where(empty, 0.0, found).permute(0, 1, 4, 2, 3)


def _ranges(first: Tensor, last: Tensor, end: int, size: int) -> tuple[Tensor, Tensor]:
    """Return where cells begin and end along an axis, int64 [N, R, size] each."""
    step = ((last - first + 1).clamp(min=1) * torch.tensor(1 / size))[..., None]  # not the same as / size, in float32
    number = torch.arange(float(size))
    bounds = (torch.floor(number * step), torch.ceil((number + 1) * step))
    begin, stop = ((first[..., None] + bound).clamp(0, end).long() for bound in bounds)
    return begin, stop


def _power(begin: Tensor, stop: Tensor) -> Tensor:
    """Return the largest power of two, as an exponent, that a range holds."""
    return torch.log2((stop - begin).clamp(min=1).float()).floor().long()


def save_faster_rcnn(model: FasterRCNN, path: Path) -> None:
    """Write a model; the same weights give the same bytes."""
    write_checkpoint(path, model, {name: getattr(model, name) for name in SETTINGS})


def load_faster_rcnn(path: Path) -> FasterRCNN:
    """Read a network that `save_faster_rcnn` wrote, ready for inference."""
    return read_checkpoint(
        path,
        lambda content: FasterRCNN(**{name: content[name] for name in SETTINGS}),
        "Faster R-CNN",
    )
