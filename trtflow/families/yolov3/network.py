"""YOLOv3: its `.cfg` at any width, and a PyTorch module of any `.cfg` of that family.

Redmon and Farhadi, YOLOv3: An Incremental Improvement (arXiv:1804.02767). With width 1, 80 classes and 608 pixels the
sections are those of the authors' yolov3.cfg.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trtflow.formats import FormatError
from trtflow.formats.darknet import (
    Header,
    Layer,
    Section,
    Values,
    convolutions,
    read_cfg,
    read_weights,
    resolve,
    write_cfg,
    write_weights,
)

ANCHORS = (10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326)
BLOCKS = (1, 2, 8, 8, 4)  # residual blocks of Darknet-53 after each halving of the picture
TRUNK = 74  # the last of Darknet-53's layers, 75 in all with number 0
SLOPE, EPSILON = 0.1, 1e-5  # of leaky below 0, of batch normalisation
KINDS = ("convolutional", "maxpool", "upsample", "shortcut", "route", "yolo")
ACTIVATIONS = ("leaky", "linear", "relu", "logistic")
PLAIN: dict[str, Any] = {
    "dilation": 1,
    "xnor": 0,
    "share_index": None,
    "group_id": 0,
    "scale": 1,
    "alpha": 1,
    "beta": 1,
}
PLAIN |= {"weights_type": "none", "flipped": 0, "scale_x_y": 1, "new_coords": 0}
RARE = -6.5  # logit of an object before training: about one place in 600 has one


def yolov3_sections(width: float, class_count: int, size: int) -> list[Section]:
    """Return the sections of YOLOv3.

    Args:
        width: factor on the filters of every layer but the three that predict; 1 is the original.
        class_count: number of classes; there is no background among them.
        size: pixels of a side of the input, a multiple of 32.
    """

    def layer(kind: str, **options: object) -> Section:
        return Section(kind, {key.rstrip("_"): str(value) for key, value in options.items()})

    def conv(filters: int, side: int, stride: int = 1) -> Section:
        shape = {"filters": round(filters * width), "size": side, "stride": stride, "pad": 1}
        return layer("convolutional", batch_normalize=1, **shape, activation="leaky")

    def head(filters: int, mask: str) -> list[Section]:
        outputs = 3 * (5 + class_count)
        body = [conv(filters, 1), conv(2 * filters, 3)] * 3
        last = layer("convolutional", size=1, stride=1, pad=1, filters=outputs, activation="linear")
        boxes = {"anchors": ",".join(map(str, ANCHORS)), "classes": class_count, "num": len(ANCHORS) // 2}
        return [*body, last, layer("yolo", mask=mask, **boxes)]

    def up(filters: int, skip: int) -> list[Section]:
        back, joined = layer("route", layers="-4"), layer("route", layers=f"-1,{skip}")
        return [back, conv(filters, 1), layer("upsample", stride=2), joined]

    sections = [layer("net", batch=1, width=size, height=size, channels=3), conv(32, 3)]
    for step, count in enumerate(BLOCKS):
        filters = 32 << step
        residual = [conv(filters, 1), conv(2 * filters, 3), layer("shortcut", from_=-3, activation="linear")]
        sections += [conv(2 * filters, 3, 2), *residual * count]
    sections += [*head(512, "6,7,8"), *up(256, 61), *head(256, "3,4,5"), *up(128, 36), *head(128, "0,1,2")]
    return sections


class Darknet(nn.Module):
    """A network as its `.cfg` says, with random weights.

    Args:
        sections: of the `.cfg`.
        path: where they came from, for errors.
    """

    def __init__(self, sections: Sequence[Section], path: Path = Path("yolov3.cfg")) -> None:
        super().__init__()
        self.sections, self.layers = list(sections), resolve(sections, path)
        _check_kinds(self.layers, path)
        self.convolutions, self.batch_norms = nn.ModuleDict(), nn.ModuleDict()
        for layer in convolutions(self.layers):
            options, norm = layer.options, layer.options["batch_normalize"]
            shape = (options["size"], options["stride_x"], options["pad"], 1, options["groups"])
            module = nn.Conv2d(layer.inputs, options["filters"], *shape, bias=not norm)
            nn.init.kaiming_normal_(module.weight, SLOPE)
            self.convolutions[str(layer.index)] = module
            if norm:
                self.batch_norms[str(layer.index)] = nn.BatchNorm2d(options["filters"], EPSILON)
        for layer in self.yolo_layers:
            _expect_nothing(self.convolutions[str(layer.sources[0])], layer)

    @property
    def yolo_layers(self) -> list[Layer]:
        """The layers whose inputs are the network's outputs."""
        return [layer for layer in self.layers if layer.kind == "yolo"]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return what each yolo layer reads, float32 [N, boxes x (5 + classes), h, w].

        Args:
            images: float32 [N, 3, H, W], red, green, blue from 0 to 1.
        """
        values = self.values(images, len(self.layers) - 1)
        return [values[layer.index] for layer in self.yolo_layers]

    def values(self, images: Tensor, last: int) -> dict[int, Tensor]:
        """Return the outputs of the layers up to `last` by their indices; -1 is the picture."""
        values = {-1: images}
        for layer in self.layers[: last + 1]:
            values[layer.index] = self._run(layer, [values[source] for source in layer.sources])
        return values

    def _run(self, layer: Layer, inputs: list[Tensor]) -> Tensor:
        options = layer.options
        if layer.kind == "convolutional":
            key = str(layer.index)
            value = self.convolutions[key](inputs[0])
            value = self.batch_norms[key](value) if key in self.batch_norms else value
            return _activate(value, options["activation"])
        if layer.kind == "maxpool":
            less = options["padding"] // 2
            more = options["padding"] - less
            padded = functional.pad(inputs[0], (less, more, less, more), value=-torch.inf)
            return functional.max_pool2d(padded, options["size"], options["stride_x"])
        if layer.kind == "upsample":
            return functional.interpolate(inputs[0], scale_factor=float(options["stride"]))
        if layer.kind == "shortcut":
            return _activate(inputs[0] + inputs[1], options["activation"])
        return torch.cat(inputs, 1) if layer.kind == "route" else inputs[0]


def _check_kinds(layers: Sequence[Layer], path: Path) -> None:
    """Refuse what the format knows and this module does not compute: layers of YOLOv2, v4, v7 and of classifiers."""
    for layer in layers:
        if not _is_usual(layer):
            fault = f"{layer.name} is none of YOLOv3's layers"
            raise FormatError(path, fault, "Convert it with scripts/convert_darknet.py, which knows them all.")


def _is_usual(layer: Layer) -> bool:
    options = layer.options
    plain = PLAIN | ({"groups": 1} if layer.kind == "route" else {})
    pair = len(layer.sources) == 2 and len(set(layer.source_shapes)) == 1
    return (
        layer.kind in KINDS
        and options.get("activation", "linear") in ACTIVATIONS
        and all(options.get(key, value) == value for key, value in plain.items())
        and options.get("stride_x") == options.get("stride_y")
        and (pair or layer.kind != "shortcut")
    )


def _activate(value: Tensor, name: str) -> Tensor:
    if name == "leaky":
        return functional.leaky_relu(value, SLOPE, inplace=True)
    return {"linear": lambda x: x, "relu": torch.relu, "logistic": torch.sigmoid}[name](value)


def _expect_nothing(module: nn.Module, layer: Layer) -> None:
    """Set the biases of a predicting convolution to how often there is an object, and which.

    Else the first steps are all about that, and Adam, which remembers their slopes, takes small steps ever after.
    """
    assert isinstance(module, nn.Conv2d)
    assert module.bias is not None
    nn.init.normal_(module.weight, std=0.01)
    nn.init.zeros_(module.bias)
    with torch.no_grad():
        biases = module.bias.view(len(layer.anchors), -1)
        biases[:, 4], biases[:, 5:] = RARE, math.log(1 / max(layer.options["classes"] - 1, 1))


def parameters_of(model: Darknet) -> dict[int, dict[str, Tensor]]:
    """Return the tensors behind Darknet's values, by the layer's index and in Darknet's names."""
    found: dict[int, dict[str, Tensor]] = {}
    for key, module in model.convolutions.items():
        norm = model.batch_norms[key] if key in model.batch_norms else None  # noqa: SIM401 - it has no get
        tensors = {"biases": module.bias, "weights": module.weight}
        if norm is not None:
            names = {"biases": "bias", "scales": "weight", "means": "running_mean", "variances": "running_var"}
            tensors |= {name: getattr(norm, attribute) for name, attribute in names.items()}
        found[int(key)] = {name: tensor for name, tensor in tensors.items() if isinstance(tensor, Tensor)}
    return found


def save(model: Darknet, cfg: Path, weights: Path, seen: int = 0) -> None:
    """Write a model as Darknet does; `seen` is the number of pictures it was trained on."""
    values: dict[int, Values] = {
        index: {name: tensor.detach().contiguous().numpy() for name, tensor in tensors.items()}
        for index, tensors in parameters_of(model).items()
    }
    write_cfg(cfg, model.sections)
    write_weights(weights, Header(seen=seen), model.layers, values)


def load(cfg: Path, weights: Path) -> Darknet:
    """Read a model from Darknet's files, ready for inference."""
    model = Darknet(read_cfg(cfg), cfg)
    _, values = read_weights(weights, model.layers)
    with torch.no_grad():
        for index, tensors in parameters_of(model).items():
            for name, tensor in tensors.items():
                tensor.copy_(torch.from_numpy(values[index][name].copy()))
    return model.eval()
