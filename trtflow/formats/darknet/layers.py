"""From the sections of a `.cfg` to layers: their options with Darknet's defaults, what they read, what they give.

Known are the layers of the YOLOv3 family. Any other section is an error that names its line, and so is an option of a
layer that is not known: it could change what the layer computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtflow.formats.darknet.cfg import Section, read_cfg
from trtflow.formats.errors import FormatError

Shape = tuple[int, int, int]
ACTIVATIONS = ("linear", "leaky", "relu", "logistic")
NAMES = {"conv": "convolutional", "max": "maxpool"}  # Darknet's own short ones
YOLO_TRAINING = ("jitter", "ignore_thresh", "truth_thresh", "random", "max")


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(",") if word)


def _activation(text: str) -> str:
    if text not in ACTIVATIONS:
        raise ValueError(f"known are {', '.join(ACTIVATIONS)}")
    return text


# option: how to read it, and its value where it is not given; None where it must be
OPTIONS: dict[str, dict[str, tuple[Callable[[str], Any], Any]]] = {
    "convolutional": {
        "batch_normalize": (int, 0),
        "filters": (int, 1),
        "size": (int, 1),
        "stride": (int, 1),
        "pad": (int, 0),
        "padding": (int, 0),
        "groups": (int, 1),
        "activation": (_activation, "logistic"),
    },
    "maxpool": {"size": (int, 0), "stride": (int, 1), "padding": (int, -1)},
    "upsample": {"stride": (int, 2)},
    "shortcut": {"from": (int, None), "activation": (_activation, "linear")},
    "route": {"layers": (_integers, None)},
    "yolo": {
        "mask": (_integers, None),
        "anchors": (_integers, None),
        "classes": (int, 20),
        "num": (int, 1),
        **dict.fromkeys(YOLO_TRAINING, (float, 0.0)),
    },
}


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        index: Darknet's number of it, from 0; [net] has none.
        kind: convolutional, maxpool, upsample, shortcut, route or yolo.
        options: values by option, as numbers, with Darknet's defaults. `pad` of convolutional and `padding` of maxpool
            are in pixels: on each side of a convolution's input, on both sides together of a pooling's.
        sources: indices of the layers that it reads; -1 is the picture.
        inputs: channels that it reads; a route has those of all its sources.
        shape: (channels, height, width) of what it gives.
    """

    index: int
    kind: str
    options: dict[str, Any]
    sources: tuple[int, ...]
    inputs: int
    shape: Shape

    @property
    def name(self) -> str:
        """The sample's name of it, such as 082_convolutional: numbers begin with 0 at [net]."""
        return f"{self.index + 1:03d}_{self.kind}"

    @property
    def anchors(self) -> list[tuple[int, int]]:
        """Width and height in pixels of the network's input of the boxes that a yolo layer starts from."""
        pairs = self.options["anchors"]
        return [(pairs[2 * place], pairs[2 * place + 1]) for place in self.options["mask"]]


def read_layers(path: Path) -> list[Layer]:
    """Return the layers of a `.cfg` file."""
    return resolve(read_cfg(path), path)


def convolutions(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers that have weights, in the order of the `.weights` file."""
    return [layer for layer in layers if layer.kind == "convolutional"]


def input_shape(sections: Sequence[Section], path: Path) -> Shape:
    """Return channels, height and width of the network's input."""
    net = sections[0]
    values = []
    for key in ("channels", "height", "width"):
        text = net.options.get(key, "0")
        if not text.isdigit() or int(text) < 1:
            raise FormatError(path, f"line {net.line}, [net]: {key} is {text}", f"Give {key} as a positive number.")
        values.append(int(text))
    return values[0], values[1], values[2]


def resolve(sections: Sequence[Section], path: Path) -> list[Layer]:
    """Return the layers of sections.

    Args:
        sections: [net] and one a layer.
        path: file that they came from, for errors.

    Raises:
        FormatError: a section or an option is unknown, a value is wrong, or layers do not fit each other.
    """
    shapes: dict[int, Shape] = {-1: input_shape(sections, path)}
    layers: list[Layer] = []
    for index, section in enumerate(sections[1:]):
        try:
            layer = _layer(index, section, shapes)
        except ValueError as error:
            fault = f"line {section.line}, [{section.kind}], layer {index}: {error}"
            raise FormatError(path, fault, "Correct the section, or take another network.") from error
        shapes[index] = layer.shape
        layers.append(layer)
    if not layers:
        raise FormatError(path, "there is no layer in it", "Take a network's .cfg.")
    return layers


def _layer(index: int, section: Section, shapes: dict[int, Shape]) -> Layer:
    kind = NAMES.get(section.kind, section.kind)
    if kind not in OPTIONS:
        raise ValueError(f"unknown section; known are {', '.join(OPTIONS)}")
    options = _values(kind, section.options)
    sources = _sources(index, kind, options)
    for source in sources:
        if source not in shapes or source >= index:
            raise ValueError(f"it reads layer {source}, which is not before it")
    given = [shapes[source] for source in sources]
    shape = SHAPES[kind](options, given)
    if min(shape) < 1:
        raise ValueError(f"nothing is left of its input {given[0]}")
    return Layer(index, kind, options, sources, sum(channels for channels, _, _ in given), shape)


def _values(kind: str, options: dict[str, str]) -> dict[str, Any]:
    """Return options as numbers, with defaults."""
    known = OPTIONS[kind]
    if unknown := [key for key in options if key not in known]:
        raise ValueError(f"unknown option {unknown[0]}; known are {', '.join(known)}")
    values = {}
    for key, (read, default) in known.items():
        if key not in options and default is None:
            raise ValueError(f"option {key} is missing")
        try:
            values[key] = read(options[key]) if key in options else default
        except ValueError as error:
            raise ValueError(f"{key} is {options[key]!r} ({error})") from error
    for key in ("filters", "size", "stride", "groups", "classes"):
        if key in options and values[key] < 1:
            raise ValueError(f"{key} is {values[key]}, not a positive number")
    if kind == "convolutional":
        values["pad"] = values["size"] // 2 if values["pad"] else values["padding"]
        del values["padding"]
    if kind == "maxpool":
        values["size"] = values["size"] or values["stride"]
        values["padding"] = values["size"] - 1 if values["padding"] < 0 else values["padding"]
    return values


def _sources(index: int, kind: str, options: dict[str, Any]) -> tuple[int, ...]:
    """Return the layers that one reads; negative numbers count back from it."""

    def place(number: int) -> int:
        return index + number if number < 0 else number

    if kind == "route":
        if not options["layers"]:
            raise ValueError("layers names no layer")
        return tuple(map(place, options["layers"]))
    return (index - 1, place(options["from"])) if kind == "shortcut" else (index - 1,)


def _convolutional(options: dict[str, Any], given: list[Shape]) -> Shape:
    (channels, *sides) = given[0]
    if channels % options["groups"] or options["filters"] % options["groups"]:
        raise ValueError(
            f"{options['groups']} groups do not divide {channels} channels and {options['filters']} filters"
        )
    height, width = ((side + 2 * options["pad"] - options["size"]) // options["stride"] + 1 for side in sides)
    return options["filters"], height, width


def _maxpool(options: dict[str, Any], given: list[Shape]) -> Shape:
    (channels, *sides) = given[0]
    height, width = ((side + options["padding"] - options["size"]) // options["stride"] + 1 for side in sides)
    return channels, height, width


def _upsample(options: dict[str, Any], given: list[Shape]) -> Shape:
    channels, height, width = given[0]
    return channels, height * options["stride"], width * options["stride"]


def _shortcut(options: dict[str, Any], given: list[Shape]) -> Shape:
    if given[0] != given[1]:
        raise ValueError(f"it adds maps of {given[0]} and {given[1]}, channels, height and width")
    return given[0]


def _route(options: dict[str, Any], given: list[Shape]) -> Shape:
    if len({shape[1:] for shape in given}) > 1:
        sides = " and ".join(f"{height}x{width}" for _, height, width in given)
        raise ValueError(f"it joins maps of {sides}. The input's sides must be multiples of the largest stride")
    return sum(shape[0] for shape in given), given[0][1], given[0][2]


def _yolo(options: dict[str, Any], given: list[Shape]) -> Shape:
    pairs, wanted = len(options["anchors"]), len(options["mask"]) * (5 + options["classes"])
    if pairs != 2 * options["num"] or not all(0 <= place < options["num"] for place in options["mask"]):
        raise ValueError(f"{pairs} numbers in anchors and mask {options['mask']} do not fit num {options['num']}")
    if given[0][0] != wanted:
        raise ValueError(f"it reads {given[0][0]} channels, but {len(options['mask'])} x (5 + classes) are {wanted}")
    return given[0]


SHAPES: dict[str, Callable[[dict[str, Any], list[Shape]], Shape]] = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "upsample": _upsample,
    "shortcut": _shortcut,
    "route": _route,
    "yolo": _yolo,
}
