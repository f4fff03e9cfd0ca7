"""Models of the user's own that say where something is, and pictures for them: squares of three colours on black.

The networks are those of their kinds in small, written in PyTorch, with weights set so that they are right: the first
convolution asks how much of each colour there is in each square of the grid.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

SIZE, STRIDE, SIDE = 64, 8, 16  # pixels of a picture, a cell, a square
CLASSES = ("red", "green", "blue")
CELLS = SIZE // STRIDE
SURE = 16.0  # how fast a score grows with the share of its colour


class Trunk(nn.Module):
    """Scores of the colours, logits [N, 3, 8, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = nn.Conv2d(3, 3, SIDE, STRIDE, padding=(SIDE - STRIDE) // 2)
        self.logits = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.shares.weight.zero_()
            for colour in range(3):
                self.shares.weight[colour, colour] = 1 / SIDE**2
            self.shares.bias.zero_()
            self.logits.weight.copy_(SURE * torch.eye(3)[:, :, None, None])
            self.logits.bias.fill_(-0.8 * SURE)

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(self.shares(images).relu())


def centres() -> Tensor:
    """Return the middles of the cells in pixels, [64, 2], x and y, row by row."""
    along = torch.arange(CELLS) * STRIDE + STRIDE / 2
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


class Raw5(nn.Module):
    """YOLOv5's raw map, one anchor of 16x16: [N, 8, 8, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()

    def forward(self, images: Tensor) -> Tensor:
        logits = self.trunk(images)
        place = torch.zeros_like(logits[:, :1])
        return torch.cat([place, place, place, place, place + 9, logits], 1)


class Table8(nn.Module):
    """YOLOv8's table [N, 7, 64]: middle and sides in pixels, scores."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        boxes = torch.cat([centres(), torch.full((CELLS**2, 2), float(SIDE))], 1)
        self.register_buffer("boxes", boxes.T[None].contiguous())

    def forward(self, images: Tensor) -> Tensor:
        scores = self.trunk(images).flatten(2).sigmoid()
        return torch.cat([self.boxes.expand(scores.shape[0], -1, -1), scores], 1)


class Prior(nn.Module):
    """SSD's offsets [N, 64, 4] and scores with a background [N, 64, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.offsets = nn.Conv2d(3, 4, 1)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.trunk(images)
        table = torch.cat([torch.zeros_like(logits[:, :1]), logits], 1).flatten(2).transpose(1, 2)
        return self.offsets(logits).flatten(2).transpose(1, 2), table.softmax(-1)


class UNet(nn.Module):
    """A U-Net of two levels: logits [N, 4, 64, 64], the ground first."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.down = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU())
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.last = nn.Conv2d(16, 4, 1)
        with torch.no_grad():  # the colours come through, and what is below adds a little
            self.first[0].weight[:3] = 0
            for colour in range(3):
                self.first[0].weight[colour, colour, 1, 1] = 1
                self.first[0].bias[colour] = 0
            self.last.weight *= 0.1
            self.last.weight[1:, :3, 0, 0] = SURE * torch.eye(3)
            self.last.bias.copy_(torch.tensor([SURE / 2, 0, 0, 0]))

    def forward(self, images: Tensor) -> Tensor:
        first = self.first(images)
        return self.last(torch.cat([first, self.up(self.down(first))], 1))


def priors() -> np.ndarray:
    """Return the default boxes of `Prior`, float32 [64, 4]."""
    middle = centres().numpy()
    return (np.concatenate([middle - SIDE / 2, middle + SIDE / 2], 1) / SIZE).astype(np.float32)


def write_pictures(folder: Path, count: int, seed: int = 0) -> None:
    """Write pictures, their masks of class numbers (0 the ground), and their boxes as COCO's file and YOLO's."""
    rng, images, annotations = np.random.default_rng(seed), [], []
    for name in ("pictures", "masks", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture, mask = np.zeros((SIZE, SIZE, 3), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
        lines = []
        places = rng.permutation([(x, y) for x in (1, 5) for y in (1, 5)])[: rng.integers(2, 5)]  # none touch
        for column, row in places.tolist():
            label = int(rng.integers(3))
            left, top = column * STRIDE - 4, row * STRIDE - 4
            picture[top : top + SIDE, left : left + SIDE, label] = rng.integers(245, 256)
            mask[top : top + SIDE, left : left + SIDE] = label + 1
            lines.append(f"{label} {(left + 8) / SIZE} {(top + 8) / SIZE} {SIDE / SIZE} {SIDE / SIZE}\n")
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "iscrowd": 0}
            annotations.append({**entry, "bbox": [left, top, SIDE, SIDE], "area": SIDE**2})
        Image.fromarray(picture).save(folder / f"pictures/{number}.png")
        Image.fromarray(mask).save(folder / f"masks/{number}.png")
        (folder / f"labels/{number}.txt").write_text("".join(lines))
        images.append({"id": number, "file_name": f"{number}.png", "height": SIZE, "width": SIZE})
    categories = [{"id": place, "name": name} for place, name in enumerate(CLASSES, 1)]
    content = {"images": images, "categories": categories, "annotations": annotations}
    (folder / "labels.json").write_text(json.dumps(content))
    np.save(folder / "priors.npy", priors())


def export(model: nn.Module, path: Path, outputs: list[str]) -> None:
    """Export a model to ONNX with a batch that is open."""
    example = torch.zeros(2, 3, SIZE, SIZE)
    names = ["image", *outputs]
    torch.onnx.export(
        model.eval(),
        (example,),
        str(path),
        input_names=["image"],
        output_names=outputs,
        dynamic_axes={name: {0: "N"} for name in names},
        opset_version=17,
        dynamo=False,
    )
