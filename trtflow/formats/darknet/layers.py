"""From the sections of a `.cfg` to layers: their options with Darknet's defaults, what they read, what they give.

Any section or option that is not known (`options.py`) is an error that names its line: it could change what the layer
computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtflow.formats.darknet.cfg import Section, read_cfg
from trtflow.formats.darknet.options import KINDS, NAMES, NET, WHY_NOT, read_options
from trtflow.formats.darknet.shapes import SHAPES, Shape
from trtflow.formats.errors import FormatError

HEADS = ("yolo", "Gaussian_yolo", "region", "detection")  # what they read is an output of the network
POSITIVE = ("filters", "size", "stride", "stride_x", "stride_y", "dilation", "groups", "classes", "num", "output")


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        index: Darknet's number of it, from 0; [net] has none.
        kind: one of `KINDS`; the short names of sections are written out.
        options: values by option, as numbers, with Darknet's defaults. `pad` of convolutional and `padding` of maxpool
            are in pixels: on each side of a convolution's input, on both sides together of a pooling's. `stride_x` and
            `stride_y` are always there where `stride` is one of a kind that knows them. `share_index` is the layer
            whose values a convolution takes, or None. `mask` names all anchors where the section has none.
        sources: indices of the layers that it reads; -1 is the picture.
        inputs: channels that it reads; a route has those of all its sources.
        shape: (channels, height, width) of what it gives.
        source_shapes: those of what it reads.
    """

    index: int
    kind: str
    options: dict[str, Any]
    sources: tuple[int, ...]
    inputs: int
    shape: Shape
    source_shapes: tuple[Shape, ...] = ()

    @property
    def name(self) -> str:
        """The sample's name of it, such as 082_convolutional: numbers begin with 0 at [net]."""
        return f"{self.index + 1:03d}_{self.kind}"

    @property
    def is_head(self) -> bool:
        """Whether what it reads is an output of the network, to be decoded on the host."""
        return self.kind in HEADS

    @property
    def anchors(self) -> list[tuple[float, float]]:
        """Width and height of the boxes that a yolo or region layer starts from.

        In pixels of the network's input for yolo, in cells for region.
        """
        pairs = self.options["anchors"]
        return [(pairs[2 * place], pairs[2 * place + 1]) for place in self.options["mask"]]


def read_layers(path: Path) -> list[Layer]:
    """Return the layers of a `.cfg` file."""
    return resolve(read_cfg(path), path)


def convolutions(layers: Sequence[Layer]) -> list[Layer]:
    """Return the convolutions among layers."""
    return [layer for layer in layers if layer.kind == "convolutional"]


def input_shape(sections: Sequence[Section], path: Path) -> Shape:
    """Return channels, height and width of the network's input."""
    net = sections[0]
    try:
        values = read_options(NET, net)
        for key in ("channels", "height", "width"):
            if values[key] < 1:
                raise ValueError(f"{key} is {net.options.get(key, '0')}")
    except ValueError as error:
        fault, key = f"line {net.line}, [net]: {error}", str(error).split()[0]
        if values_are_flat(net):
            fault += f". It has {net.options['inputs']} inputs and no picture, as recurrent networks do"
        remedy = f"Give {key} as a positive number." if key in NET.options else "Correct [net]."
        raise FormatError(path, fault, remedy) from error
    return values["channels"], values["height"], values["width"]


def values_are_flat(net: Section) -> bool:
    """Return whether a [net] reads plain values and no picture."""
    return "inputs" in net.options and not {"channels", "height", "width"} & set(net.options)


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
            _check_shared(layer, layers)
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
    if kind in WHY_NOT:
        raise ValueError(f"not converted: {WHY_NOT[kind]}")
    if kind not in KINDS:
        raise ValueError(f"unknown section; known are {', '.join(KINDS)}")
    options = read_options(KINDS[kind], section)
    _check_positive(section, options)
    kind = _complete(index, kind, options)
    sources = _sources(index, kind, options)
    for source in sources:
        if source not in shapes or source >= index:
            raise ValueError(f"it reads layer {source}, which is not before it")
    given = [shapes[source] for source in sources]
    shape = SHAPES[kind](options, given)
    if min(shape) < 1:
        raise ValueError(f"nothing is left of its input {given[0]}")
    return Layer(index, kind, options, sources, sum(channels for channels, _, _ in given), shape, tuple(given))


def _check_positive(section: Section, options: dict[str, Any]) -> None:
    for key in POSITIVE:
        if key in section.options and key in options and options[key] < 1:
            raise ValueError(f"{key} is {options[key]}, not a positive number")


def _complete(index: int, kind: str, options: dict[str, Any]) -> str:
    """Bring options to what `Layer` says of them; return the kind, which a fork may call by another name."""
    if "stride_x" in options:
        for key in ("stride_x", "stride_y"):
            options[key] = options[key] or options["stride"]
    if kind == "convolutional":
        _complete_convolution(index, options)
    elif kind in ("maxpool", "local_avgpool"):
        options["size"] = options["size"] or options["stride"]
        options["padding"] = options["size"] - 1 if options["padding"] < 0 else options["padding"]
    elif kind == "route_lhalf":
        options.update(groups=2, group_id=0)
        return "route"
    elif kind == "region" or options.get("mask", ()) is None:
        # one more than there are shows that there are too few, however many num says
        options["mask"] = tuple(range(min(options["num"], len(options["anchors"]) // 2 + 1)))
    return kind


def _complete_convolution(index: int, options: dict[str, Any]) -> None:
    cross_batch = options.pop("cbn")  # batch normalisation over several batches: the same at inference
    options["batch_normalize"] = int(bool(options["batch_normalize"] or cross_batch))
    if options["xnor"]:
        options["groups"] = 1  # Darknet's binary convolutions have none
    options["dilation"] = 1 if options["size"] == 1 else options["dilation"]
    padding = options.pop("padding")
    options["pad"] = (options["size"] // 2 if options["pad"] else padding) * options["dilation"]
    shared = options["share_index"]
    options["share_index"] = index + shared if shared is not None and shared < 0 else shared


def _check_shared(layer: Layer, layers: Sequence[Layer]) -> None:
    """Raise unless the layer whose values a convolution takes is a convolution before it, of the same shape."""
    place = layer.options.get("share_index")
    if place is None:
        return
    if not 0 <= place < len(layers) or layers[place].kind != "convolutional":
        raise ValueError(f"share_index is layer {place}, no convolution before it")
    mine, theirs = ((item.inputs, *(item.options[key] for key in SHARED)) for item in (layer, layers[place]))
    if mine != theirs or layers[place].options["share_index"] is not None:
        raise ValueError(f"layer {place}, whose values it takes, is another convolution")


SHARED = ("filters", "size", "groups", "batch_normalize")


def _sources(index: int, kind: str, options: dict[str, Any]) -> tuple[int, ...]:
    """Return the layers that one reads; negative numbers count back from it."""

    def place(number: int) -> int:
        return index + number if number < 0 else number

    if kind == "route":
        if not options["layers"]:
            raise ValueError("layers names no layer")
        return tuple(map(place, options["layers"]))
    if kind == "shortcut":
        if not options["from"]:
            raise ValueError("from names no layer")
        return (index - 1, *map(place, options["from"]))
    return (index - 1, place(options["from"])) if "from" in options else (index - 1,)
