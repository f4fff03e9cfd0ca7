"""Networks that people have of their own, in small, and scenes of shapes that those for pictures are trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

SIZE, STRIDE, ANCHOR, BINS = 64, 8, 16, 8  # pixels of a scene, a cell, an anchor; bins of a side's distribution
SHAPES = ("disc", "square", "triangle")
CELLS = SIZE // STRIDE


def scene(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[tuple[int, float, float, float]]]:
    """Return a picture uint8 [64, 64, 3] of shapes before a ground with stains, its mask and its objects.

    Returns:
        The picture; class numbers of pixels, uint8 [64, 64], 0 the ground; of each object its place in `SHAPES`, the
        middle x and y, and the side, in pixels.
    """
    stains = random.normal(110, 35, (8, 8, 3)).repeat(8, 0).repeat(8, 1)
    picture, mask, objects = stains + random.normal(0, 12, (SIZE, SIZE, 3)), np.zeros((SIZE, SIZE), np.uint8), []
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    for place in random.permutation(4)[: random.integers(1, 5)].tolist():
        side, kind = random.uniform(12, 24), int(random.integers(len(SHAPES)))
        left, top = (32 * corner + random.uniform(1, 31 - side) for corner in divmod(place, 2))
        middle_x, middle_y = left + side / 2, top + side / 2
        across, down = np.abs(x - middle_x) / side, (y - top) / side
        inside = [
            np.hypot(x - middle_x, y - middle_y) <= side / 2,
            np.maximum(across, np.abs(down - 0.5)) <= 0.5,
            (down >= 2 * across) & (down <= 1),
        ][kind]
        picture[inside] = random.choice([random.uniform(0, 50, 3), random.uniform(190, 255, 3)])
        mask[inside] = kind + 1
        objects.append((kind, middle_x, middle_y, side))
    return picture.clip(0, 255).astype(np.uint8), mask, objects


def conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution 3x3 with batch normalisation and SiLU, as YOLO's."""
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.SiLU())


def trunk() -> nn.Sequential:
    """Return a map of features [N, 48, 8, 8] of a picture."""
    return nn.Sequential(conv(3, 12, 2), conv(12, 24, 2), conv(24, 48, 2), conv(48, 48), conv(48, 48))


def corners_of_cells() -> Tensor:
    """Return the corners of cells, in cells, float32 [2, 8, 8], x and y."""
    y, x = torch.meshgrid(torch.arange(CELLS), torch.arange(CELLS), indexing="ij")
    return torch.stack([x, y]).float()


class Yolo5(nn.Module):
    """YOLOv5's table [N, 64, 5 + 3] of one map and one anchor: middle and sides in pixels, objectness, scores."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.head = trunk(), nn.Conv2d(48, 5 + len(SHAPES), 1)
        self.register_buffer("corners", corners_of_cells()[None])

    def raw(self, images: Tensor) -> Tensor:
        """Return logits [N, 8, 8, 8]."""
        return self.head(self.trunk(images))

    def forward(self, images: Tensor) -> Tensor:
        values = self.raw(images).sigmoid()
        middle = (values[:, :2] * 2 - 0.5 + self.corners) * STRIDE
        sides = (values[:, 2:4] * 2) ** 2 * ANCHOR
        return torch.cat([middle, sides, values[:, 4:]], 1).flatten(2).transpose(1, 2)


class Yolo8(nn.Module):
    """YOLOv8's table [N, 4 + 3, 64]: distances to the sides are means of distributions, scores have no objectness."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = trunk()
        self.sides, self.scores = nn.Conv2d(48, 4 * BINS, 1), nn.Conv2d(48, len(SHAPES), 1)
        self.register_buffer("middles", corners_of_cells()[None] + 0.5)
        self.register_buffer("bins", torch.arange(BINS).float()[None, :, None, None] / 3)

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return left, top, right, bottom of the middles of cells in pixels [N, 4, 64], and logits [N, 3, 64]."""
        features = self.trunk(images)
        shares = self.sides(features).unflatten(1, (4, BINS)).softmax(2)
        left, top, right, bottom = (shares * self.bins[:, None]).sum(2).split(1, 1)
        x, y = self.middles.split(1, 1)
        boxes = torch.cat([x - left, y - top, x + right, y + bottom], 1) * STRIDE
        return boxes.flatten(2), self.scores(features).flatten(2)

    def forward(self, images: Tensor) -> Tensor:
        boxes, scores = self.raw(images)
        first, last = boxes.split(2, 1)
        return torch.cat([(first + last) / 2, last - first, scores.sigmoid()], 1)


class UNet(nn.Module):
    """A U-Net of three levels: logits [N, 4, 64, 64], the ground first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = conv(3, 8), conv(8, 16), conv(16, 32)
        self.pool = nn.MaxPool2d(2)
        self.up_second, self.up_first = nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.join_second, self.join_first = conv(32, 16), conv(16, 8)
        self.last = nn.Conv2d(8, 1 + len(SHAPES), 1)

    def forward(self, images: Tensor) -> Tensor:
        first = self.first(images)
        second = self.second(self.pool(first))
        third = self.third(self.pool(second))
        second = self.join_second(torch.cat([second, self.up_second(third)], 1))
        return self.last(self.join_first(torch.cat([first, self.up_first(second)], 1)))


class Forecast(nn.Module):
    """Two LSTM layers: the next two values of a series [N, 24, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 32, 2, batch_first=True), nn.Linear(32, 2)

    def forward(self, series: Tensor) -> Tensor:
        return self.head(self.lstm(series)[0][:, -1])


class Encoder(nn.Module):
    """A text encoder: tokens int64 [N, 32] to an embedding [N, 32] of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(500, 32), nn.Parameter(torch.randn(32, 32) / 4)
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return nn.functional.normalize(self.layers(self.words(tokens) + self.places).mean(1), dim=-1)
