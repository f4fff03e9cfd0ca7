"""SSD on InceptionV2, layer for layer TensorFlow's ssd_inception_v2_coco, in PyTorch to train it.

Huang et al., Speed/accuracy trade-offs for modern convolutional object detectors (arXiv:1611.10012); Ioffe and Szegedy,
Batch Normalization (arXiv:1502.03167), for InceptionV2. Names are those of TensorFlow's scopes, by which `graph`
finds the weights. `width` is slim's depth_multiplier: 1.0 is the original, and no layer has fewer than 16 channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trtflow.datasets.images import to_signed_unit_input

SIZE = 300  # pixels of a side of the input
LEAST_CHANNELS = 16
EPSILON = 0.001  # of batch normalisation
MOST_DEPTHWISE = 8  # channels that the first layer makes of each of the picture's
FEATURE_SIZES = (19, 10, 5, 3, 2, 1)
SMALLEST, LARGEST = 0.2, 0.95  # default boxes of the first and the last feature map, over the picture's side
RATIOS = (1.0, 2.0, 0.5, 3.0, 0.33)
FIRST_SCALE = 0.1  # of the one square on the first feature map


class Unit(NamedTuple):
    """A convolution or pooling with TensorFlow's padding SAME; `channels` is 0 for a pooling."""

    scope: str
    channels: int
    kernel: int
    stride: int = 1

    @property
    def pooling(self) -> str:
        """AvgPool or MaxPool."""
        return self.scope.rpartition("/")[2].partition("_")[0]


class Block(NamedTuple):
    """Branches that read one map and are joined along the channels."""

    scope: str
    branches: tuple[tuple[Unit, ...], ...]


def _mixed(name: str, first: int, second: tuple[int, int], third: tuple[int, int], pool: str, last: int) -> Block:
    """Return a block that keeps the size; the third branch has two convolutions of its second number of channels."""
    branches = (
        (Unit("Conv2d_0a_1x1", first, 1),),
        (Unit("Conv2d_0a_1x1", second[0], 1), Unit("Conv2d_0b_3x3", second[1], 3)),
        (Unit("Conv2d_0a_1x1", third[0], 1), Unit("Conv2d_0b_3x3", third[1], 3), Unit("Conv2d_0c_3x3", third[1], 3)),
        (Unit(f"{pool}_0a_3x3", 0, 3), Unit("Conv2d_0b_1x1", last, 1)),
    )
    return _scoped(name, branches)


def _halving(name: str, first: tuple[int, int], second: tuple[int, int]) -> Block:
    """Return a block that halves the size."""
    branches = (
        (Unit("Conv2d_0a_1x1", first[0], 1), Unit("Conv2d_1a_3x3", first[1], 3, 2)),
        (
            Unit("Conv2d_0a_1x1", second[0], 1),
            Unit("Conv2d_0b_3x3", second[1], 3),
            Unit("Conv2d_1a_3x3", second[1], 3, 2),
        ),
        (Unit("MaxPool_1a_3x3", 0, 3, 2),),
    )
    return _scoped(name, branches)


def _scoped(name: str, branches: tuple[tuple[Unit, ...], ...]) -> Block:
    return Block(
        name,
        tuple(
            tuple(unit._replace(scope=f"{name}/Branch_{index}/{unit.scope}") for unit in branch)
            for index, branch in enumerate(branches)
        ),
    )


FIRST = Unit("Conv2d_1a_7x7", 64, 7, 2)  # a separable convolution
STEM = (
    Unit("MaxPool_2a_3x3", 0, 3, 2),
    Unit("Conv2d_2b_1x1", 64, 1),
    Unit("Conv2d_2c_3x3", 192, 3),
    Unit("MaxPool_3a_3x3", 0, 3, 2),
)
BLOCKS = (
    _mixed("Mixed_3b", 64, (64, 64), (64, 96), "AvgPool", 32),
    _mixed("Mixed_3c", 64, (64, 96), (64, 96), "AvgPool", 64),
    _halving("Mixed_4a", (128, 160), (64, 96)),
    _mixed("Mixed_4b", 224, (64, 96), (96, 128), "AvgPool", 128),
    _mixed("Mixed_4c", 192, (96, 128), (96, 128), "AvgPool", 128),
    _mixed("Mixed_4d", 160, (128, 160), (128, 160), "AvgPool", 96),
    _mixed("Mixed_4e", 96, (128, 192), (160, 192), "AvgPool", 96),
    _halving("Mixed_5a", (128, 192), (192, 256)),
    _mixed("Mixed_5b", 352, (192, 320), (160, 224), "AvgPool", 128),
    _mixed("Mixed_5c", 352, (192, 320), (192, 224), "MaxPool", 128),
)
EXTRAS = tuple(
    unit
    for index, (narrow, wide) in enumerate(((256, 512), (128, 256), (128, 256), (64, 128)), start=2)
    for unit in (
        Unit(f"Mixed_5c_1_Conv2d_{index}_1x1_{narrow}", narrow, 1),
        Unit(f"Mixed_5c_2_Conv2d_{index}_3x3_s2_{wide}", wide, 3, 2),
    )
)
SOURCES = ("Mixed_4c", "Mixed_5c", *(unit.scope for unit in EXTRAS if unit.stride == 2))
BOXES_PER_CELL = (3, *[len(RATIOS) + 1] * (len(SOURCES) - 1))


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's padding SAME of one axis, before and after; the rest of an odd amount goes behind."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SSDInception(nn.Module):
    """The network; `priors`, float32 [1917, 4], are its default boxes as xmin, ymin, xmax, ymax from 0 to 1.

    Attributes:
        convolutions: by scope; the first layer's two are at its scope with /depthwise and /pointwise.
        batch_norms: by scope.
        heads: two a feature map, BoxPredictor_<i>/BoxEncodingPredictor and BoxPredictor_<i>/ClassPredictor.
    """

    priors: Tensor
    network = "inception_v2"  # its name in checkpoints
    scores = "sigmoid"
    trunk_source = "Mixed_5c"
    to_input = staticmethod(to_signed_unit_input)

    def __init__(self, class_count: int, width: float = 1.0) -> None:
        """Create the network with random weights.

        Args:
            class_count: number of classes, the background included.
            width: factor on the channels of every layer of the trunk.
        """
        super().__init__()
        self.class_count, self.width = class_count, width
        self.convolutions, self.batch_norms, self.heads = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        channels = self._add_first()
        for unit in STEM:
            channels = self._add(unit, channels)
        of_source = {}
        for block in BLOCKS:
            channels = of_source[block.scope] = sum(self._add_branch(branch, channels) for branch in block.branches)
        for unit in EXTRAS:
            channels = of_source[unit.scope] = self._add(unit, channels)
        self.trunk_channels = of_source[self.trunk_source]
        for index, (source, boxes) in enumerate(zip(SOURCES, BOXES_PER_CELL, strict=True)):
            for name, values in (("BoxEncodingPredictor", 4), ("ClassPredictor", class_count)):
                head = nn.Conv2d(of_source[source], boxes * values, 3, padding=1)
                self.heads[f"BoxPredictor_{index}/{name}"] = head
        self.register_buffer("priors", torch.from_numpy(default_boxes()), persistent=False)
        self.apply(_initialise)

    def depth(self, channels: int) -> int:
        """Return how many channels a layer has that has this many in the original."""
        return max(int(channels * self.width), LEAST_CHANNELS)

    def _add_first(self) -> int:
        channels = self.depth(FIRST.channels)
        each = min(channels // 3, MOST_DEPTHWISE)
        depthwise = nn.Conv2d(3, 3 * each, FIRST.kernel, FIRST.stride, groups=3, bias=False)
        self.convolutions[f"{FIRST.scope}/depthwise"] = depthwise
        self.convolutions[f"{FIRST.scope}/pointwise"] = nn.Conv2d(3 * each, channels, 1, bias=False)
        self.batch_norms[FIRST.scope] = nn.BatchNorm2d(channels, EPSILON)
        return channels

    def _add(self, unit: Unit, channels: int) -> int:
        """Add a unit behind a map of so many channels; return how many it makes."""
        if unit.channels == 0:
            return channels
        outputs = self.depth(unit.channels)
        self.convolutions[unit.scope] = nn.Conv2d(channels, outputs, unit.kernel, unit.stride, bias=False)
        self.batch_norms[unit.scope] = nn.BatchNorm2d(outputs, EPSILON)
        return outputs

    def _add_branch(self, branch: tuple[Unit, ...], channels: int) -> int:
        for unit in branch:
            channels = self._add(unit, channels)
        return channels

    def features(self, images: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield the feature maps with their names as far as they are asked for, first the blocks, then the extras."""
        x = _padded(images, FIRST)
        x = self.convolutions[f"{FIRST.scope}/pointwise"](self.convolutions[f"{FIRST.scope}/depthwise"](x))
        x = functional.relu6(self.batch_norms[FIRST.scope](x), inplace=True)
        x = self._run(STEM, x)
        for block in BLOCKS:
            x = torch.cat([self._run(branch, x) for branch in block.branches], 1)
            yield block.scope, x
        for unit in EXTRAS:
            x = self._run((unit,), x)
            yield unit.scope, x

    def _run(self, units: tuple[Unit, ...], x: Tensor) -> Tensor:
        for unit in units:
            if unit.channels:
                x = self.convolutions[unit.scope](_padded(x, unit))
                x = functional.relu6(self.batch_norms[unit.scope](x), inplace=True)
            elif unit.pooling == "MaxPool":  # noughts are as good as nothing: no value is less
                x = functional.max_pool2d(_padded(x, unit), unit.kernel, unit.stride)
            else:
                x = functional.avg_pool2d(x, unit.kernel, 1, unit.kernel // 2, count_include_pad=False)
        return x

    def trunk(self, images: Tensor) -> Tensor:
        """Return what the trunk makes of pictures of any size, float32 [N, trunk_channels, h, w]."""
        return next(x for name, x in self.features(images) if name == self.trunk_source)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the encoded boxes and the class scores of all default boxes.

        Args:
            images: float32 [N, 3, 300, 300], red, green, blue from -1 to 1.

        Returns:
            Offsets from the default boxes (`trtflow.families.common.boxes.encode`), float32 [N, 1917, 4], and logits of
            independent classes, of which the first is the background, float32 [N, 1917, classes].
        """
        maps = [x for name, x in self.features(images) if name in SOURCES]
        offsets = [self._predict(x, index, "BoxEncodingPredictor", 4) for index, x in enumerate(maps)]
        logits = [self._predict(x, index, "ClassPredictor", self.class_count) for index, x in enumerate(maps)]
        return torch.cat(offsets, 1), torch.cat(logits, 1)

    def _predict(self, x: Tensor, index: int, kind: str, values: int) -> Tensor:
        head = self.heads[f"BoxPredictor_{index}/{kind}"](x)
        return head.permute(0, 2, 3, 1).reshape(len(head), -1, values)


def _padded(x: Tensor, unit: Unit) -> Tensor:
    top, bottom = same_padding(x.shape[2], unit.kernel, unit.stride)
    left, right = same_padding(x.shape[3], unit.kernel, unit.stride)
    return functional.pad(x, (left, right, top, bottom)) if unit.kernel > 1 else x


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def default_shapes() -> list[np.ndarray]:
    """Return width and height of the default boxes of a cell, over the picture's side, float64 [boxes, 2] a map.

    A map has each ratio at its own scale, and a square between its scale and the next; the first map has three only.
    """
    scales = [*np.linspace(SMALLEST, LARGEST, len(FEATURE_SIZES)), 1.0]
    shapes = []
    for index in range(len(FEATURE_SIZES)):
        pairs = [(ratio, scales[index]) for ratio in RATIOS] + [(1.0, (scales[index] * scales[index + 1]) ** 0.5)]
        if index == 0:
            pairs = [(RATIOS[0], FIRST_SCALE), (RATIOS[1], scales[0]), (RATIOS[2], scales[0])]
        shapes.append(np.array([(scale * ratio**0.5, scale / ratio**0.5) for ratio, scale in pairs]))
    return shapes


def default_boxes() -> np.ndarray:
    """Return the default boxes as TensorFlow's MultipleGridAnchorGenerator makes them, float32 [1917, 4]."""
    boxes = []
    for size, shapes in zip(FEATURE_SIZES, default_shapes(), strict=True):
        centres = (np.arange(size) + 0.5) / size
        y, x = np.meshgrid(centres, centres, indexing="ij")
        centre = np.stack([x, y], axis=-1)[:, :, None]
        boxes.append(np.concatenate([centre - shapes / 2, centre + shapes / 2], axis=-1).reshape(-1, 4))
    return np.concatenate(boxes).astype(np.float32)
