"""Darknet's forward pass in PyTorch, written from its C sources and from nothing of ours.

It takes the sections' text and the floats of the `.weights` file as they come, so that a fault in our reading shows:
what layers read, their defaults, the order and shapes of their values (github.com/AlexeyAB/darknet and
github.com/pjreddie/darknet, src/parser.c and src/*_layer.c).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

HEADER_BYTES = 20  # of version 0.2
HEADS = ("yolo", "region", "Gaussian_yolo", "detection")
Options = dict[str, str]


def parse(path: Path) -> list[tuple[str, Options]]:
    """Return name and options of each section; the first of two values counts."""
    sections: list[tuple[str, Options]] = []
    for text in path.read_text(errors="replace").splitlines():
        line = "".join(text.split())
        if line.startswith("["):
            sections.append((line[1 : line.index("]")], {}))
        elif line and line[0] not in "#;":
            key, _, value = line.partition("=")
            sections[-1][1].setdefault(key, value.split("#")[0])
    return sections


def number(options: Options, key: str, default: float) -> float:
    return float(options.get(key, default))


def whole(options: Options, key: str, default: int) -> int:
    return int(float(options.get(key, default)))


def activate(x: Tensor, name: str) -> Tensor:
    """src/activations.h, line by line."""
    table = {
        "linear": lambda: x,
        "logistic": lambda: 1 / (1 + torch.exp(-x)),
        "loggy": lambda: 2 / (1 + torch.exp(-x)) - 1,
        "relu": lambda: x * (x > 0),
        "relu6": lambda: x.clamp(0, 6),
        "elu": lambda: torch.where(x >= 0, x, torch.exp(x) - 1),
        "selu": lambda: torch.where(x >= 0, 1.0507 * x, 1.0507 * 1.6732 * (torch.exp(x) - 1)),
        "relie": lambda: torch.where(x > 0, x, 0.01 * x),
        "ramp": lambda: x * (x > 0) + 0.1 * x,
        "leaky": lambda: torch.where(x > 0, x, 0.1 * x),
        "tanh": lambda: torch.tanh(x),
        "gelu": lambda: 0.5 * x * (1 + torch.tanh(0.797885 * x + 0.035677 * x**3)),
        "hardtan": lambda: x.clamp(-1, 1),
        "swish": lambda: x * torch.sigmoid(x),
        "silu": lambda: x * torch.sigmoid(x),
        "mish": lambda: x * torch.tanh(torch.log(torch.exp(x.clamp(max=20)) + 1).where(x <= 20, x)),
        "hard_mish": lambda: torch.where(x > 0, x, torch.where(x > -2, x * x / 2 + x, 0 * x)),
    }
    return table[name]()


class Network:
    """A network that is run once: what each layer gave is kept in `outputs`."""

    def __init__(self, cfg: Path, weights: Path) -> None:
        self.sections = parse(cfg)[1:]
        self.floats = torch.from_numpy(np.frombuffer(weights.read_bytes()[HEADER_BYTES:], np.float32).copy())
        self.place = 0
        self.outputs: list[Tensor] = []
        self.kept: dict[int, dict[str, Tensor]] = {}

    def take(self, *shape: int) -> Tensor:
        count = int(np.prod(shape))
        values = self.floats[self.place : self.place + count].reshape(shape)
        self.place += count
        return values

    def run(self, picture: np.ndarray) -> list[np.ndarray]:
        """Return what heads read, or what the last layer gives; all floats of the file must have been taken."""
        x, heads = torch.from_numpy(picture), []
        for index, (kind, options) in enumerate(self.sections):
            if kind in HEADS:
                heads.append(x)
            else:
                x = getattr(self, NAMES.get(kind, kind))(x, options, index)
            self.outputs.append(x)
        assert self.place == len(self.floats)
        return [output.numpy() for output in heads or [x]]

    def at(self, word: str, index: int) -> Tensor:
        place = int(word)
        return self.outputs[index + place if place < 0 else place]

    def normalise(self, x: Tensor, values: dict[str, Tensor]) -> Tensor:
        def wide(name: str) -> Tensor:
            return values[name].reshape(-1, 1, 1)

        return wide("scales") * (x - wide("means")) / torch.sqrt(wide("variances") + 1e-5) + wide("biases")

    def values(
        self, index: int, options: Options, count: int, kernel: tuple[int, ...], names: str
    ) -> dict[str, Tensor]:
        """Take a layer's values in the order of `names`."""
        norm = whole(options, "batch_normalize", 0)
        shared = whole(options, "share_index", -(10**9))
        if shared != -(10**9):
            return self.kept[shared if shared >= 0 else index + shared]
        found = {}
        for name in names.split():
            if name == "weights":
                found[name] = self.take(*kernel)
            elif name == "biases" or norm:
                found[name] = self.take(count)
        self.kept[index] = found
        return found

    def convolutional(self, x: Tensor, options: Options, index: int) -> Tensor:
        filters, size, groups = (whole(options, key, 1) for key in ("filters", "size", "groups"))
        stride = [whole(options, key, 0) or whole(options, "stride", 1) for key in ("stride_y", "stride_x")]
        dilation = 1 if size == 1 else whole(options, "dilation", 1)
        pad = size // 2 if whole(options, "pad", 0) else whole(options, "padding", 0)
        groups = 1 if whole(options, "xnor", 0) else groups
        kernel = (filters, x.shape[1] // groups, size, size)
        values = self.values(index, options, filters, kernel, "biases scales means variances weights")
        weights = values["weights"]
        if whole(options, "flipped", 0):
            weights = weights.reshape(-1, filters).T.reshape(kernel)
        if whole(options, "xnor", 0):  # binarize_weights and binarize_cpu of src/convolutional_layer.c
            means = torch.stack([kernel.abs().mean() for kernel in weights]).reshape(-1, 1, 1, 1)
            weights = torch.where(weights > 0, means, -means)
            x = 2.0 * (x > 0) - 1.0
        x = functional.conv2d(x, weights, None, stride, pad * dilation, dilation, groups)
        x = self.normalise(x, values) if "scales" in values else x + values["biases"].reshape(-1, 1, 1)
        return activate(x, options.get("activation", "logistic"))

    def connected(self, x: Tensor, options: Options, index: int) -> Tensor:
        flat, count = x.reshape(len(x), -1), whole(options, "output", 1)
        values = self.values(index, options, count, (count, flat.shape[1]), "biases weights scales means variances")
        x = (flat @ values["weights"].T).reshape(len(x), count, 1, 1)
        x = self.normalise(x, values) if "scales" in values else x + values["biases"].reshape(-1, 1, 1)
        return activate(x, options.get("activation", "logistic"))

    def local(self, x: Tensor, options: Options, index: int) -> Tensor:
        filters, size, stride = (whole(options, key, 1) for key in ("filters", "size", "stride"))
        pad = whole(options, "pad", 0)
        sides = [(side + 2 * pad - size) // stride + 1 for side in x.shape[2:]]
        columns = functional.unfold(x, size, padding=pad, stride=stride)
        biases = self.take(filters, *sides)
        weights = self.take(sides[0] * sides[1], filters, columns.shape[1])
        value = torch.einsum("lfk,nkl->nfl", weights, columns).reshape(len(x), filters, *sides) + biases
        return activate(value, options.get("activation", "logistic"))

    def batchnorm(self, x: Tensor, options: Options, index: int) -> Tensor:
        return self.normalise(x, {name: self.take(x.shape[1]) for name in ("biases", "scales", "means", "variances")})

    def activation(self, x: Tensor, options: Options, index: int) -> Tensor:
        return activate(x, options.get("activation", "linear"))

    def windows(self, x: Tensor, options: Options, outside: float) -> Tensor:
        size = whole(options, "size", whole(options, "stride", 1))
        stride = [whole(options, key, 0) or whole(options, "stride", 1) for key in ("stride_y", "stride_x")]
        padding = whole(options, "padding", size - 1)
        less = padding // 2
        padded = functional.pad(x, (less, padding, less, padding), value=outside)
        sides = [(side + padding - size) // step + 1 for side, step in zip(x.shape[2:], stride, strict=True)]
        found = padded.unfold(2, size, stride[0]).unfold(3, size, stride[1])
        return found[:, :, : sides[0], : sides[1]].flatten(4)

    def maxpool(self, x: Tensor, options: Options, index: int) -> Tensor:
        return self.windows(x, options, -torch.inf).amax(-1)

    def local_avgpool(self, x: Tensor, options: Options, index: int) -> Tensor:
        return self.windows(x, options, torch.nan).nanmean(-1)

    def avgpool(self, x: Tensor, options: Options, index: int) -> Tensor:
        return x.mean((2, 3), keepdim=True)

    def upsample(self, x: Tensor, options: Options, index: int) -> Tensor:
        factor = whole(options, "stride", 2)
        return x.repeat_interleave(factor, 2).repeat_interleave(factor, 3) * number(options, "scale", 1)

    def reorganised(self, x: Tensor, sides: tuple[int, int, int], stride: int, back: bool) -> Tensor:
        """reorg_cpu of src/blas.c: element by element, as its loops go; sides are its out_c, out_h, out_w."""
        channels, height, width = sides
        less = channels // stride**2
        k, j, i = np.meshgrid(*map(np.arange, sides), indexing="ij")
        w, h = i * stride + k // less % stride, j * stride + k // less // stride
        far = torch.from_numpy((w + width * stride * (h + height * stride * (k % less))).ravel())
        flat = x.reshape(len(x), -1)
        out = torch.empty_like(flat)
        if back:
            out[:, far] = flat
        else:
            out[:] = flat[:, far]
        return out

    def reorg(self, x: Tensor, options: Options, index: int) -> Tensor:
        stride, extra = whole(options, "stride", 1), whole(options, "extra", 0)
        n, channels, height, width = x.shape
        if extra:
            return functional.pad(x.reshape(n, -1), (0, extra)).reshape(n, -1, 1, 1)
        back = bool(whole(options, "reverse", 0))
        out = self.reorganised(x, (channels, height, width), stride, back)
        if back:
            return out.reshape(n, channels // stride**2, height * stride, width * stride)
        return out.reshape(n, channels * stride**2, height // stride, width // stride)

    def reorg3d(self, x: Tensor, options: Options, index: int) -> Tensor:
        stride = whole(options, "stride", 1)
        n, channels, height, width = x.shape
        sides = (channels * stride**2, height // stride, width // stride)
        return self.reorganised(x, sides, stride, False).reshape(n, *sides)

    def crop(self, x: Tensor, options: Options, index: int) -> Tensor:
        height, width = whole(options, "crop_height", 1), whole(options, "crop_width", 1)
        top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
        cut = x[:, :, top : top + height, left : left + width]
        return cut if whole(options, "noadjust", 0) else cut * 2 - 1

    def route(self, x: Tensor, options: Options, index: int) -> Tensor:
        groups, group = whole(options, "groups", 1), whole(options, "group_id", 0)
        sources = [self.at(word, index) for word in options["layers"].split(",") if word]
        return torch.cat([source.chunk(groups, 1)[group] for source in sources], 1)

    def route_lhalf(self, x: Tensor, options: Options, index: int) -> Tensor:
        return self.route(x, options | {"groups": "2", "group_id": "0"}, index)

    def shortcut(self, x: Tensor, options: Options, index: int) -> Tensor:
        sources = [self.at(word, index) for word in options["from"].split(",") if word]
        factors = self.factors(len(sources) + 1, x.shape[1], options)
        value = x * factors[0]
        for source, factor in zip(sources, factors[1:], strict=True):
            step = source.shape[2] // x.shape[2]
            channels = min(source.shape[1], x.shape[1])
            part = source[:, :channels, ::step, ::step]
            value[:, :channels] += part * (factor if factor.dim() == 0 else factor[:channels])
        return activate(value, options.get("activation", "linear"))

    def factors(self, count: int, channels: int, options: Options) -> list[Tensor]:
        kind = options.get("weights_type", "none")
        if kind == "none":
            pair = [torch.tensor(number(options, key, 1)) for key in ("alpha", "beta")]
            return [pair[0], *[pair[1]] * (count - 1)]
        weights = self.take(count, channels) if kind == "per_channel" else self.take(count, 1)
        how = options.get("weights_normalization", "none")
        if how in ("relu", "avg_relu"):
            weights = torch.where(weights > 0, weights, 0.001 * weights)
            weights = weights / (weights.sum(0) + 1e-4)
        elif how == "softmax":
            weights = torch.exp(weights - weights.amax(0))
            weights = weights / (weights.sum(0) + 1e-4)
        return [row.reshape(-1, 1, 1) if len(row) > 1 else row[0] for row in weights]

    def scale_channels(self, x: Tensor, options: Options, index: int) -> Tensor:
        return activate(x * self.at(options["from"], index), options.get("activation", "linear"))

    sam = scale_channels

    def softmax(self, x: Tensor, options: Options, index: int) -> Tensor:
        warm = x / number(options, "temperature", 1)
        if whole(options, "spatial", 0):
            return warm.softmax(1)
        return warm.reshape(len(x), whole(options, "groups", 1), -1).softmax(2).reshape(x.shape)

    def dropout(self, x: Tensor, options: Options, index: int) -> Tensor:
        return x

    cost = contrastive = empty = dropout


NAMES = {
    "conv": "convolutional",
    "conn": "connected",
    "max": "maxpool",
    "avg": "avgpool",
    "soft": "softmax",
    "silence": "empty",
    "local_avg": "local_avgpool",
}


@torch.inference_mode()
def torch_outputs(cfg: Path, weights: Path, picture: np.ndarray) -> list[np.ndarray]:
    """Return what heads read, or what the last layer gives."""
    return Network(cfg, weights).run(picture)
