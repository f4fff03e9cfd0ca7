"""A Caffe network: layers as the prototxt has them, weights as the caffemodel has them, shapes as Caffe means them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.caffe import (
    LayerParameter,
    NetParameter,
    convert_ssd_prototxt,
    inference_layers,
    network_inputs,
    read_caffemodel,
    read_prototxt,
)
from trtflow.formats.caffe.binary import blob_shape
from trtflow.inspection.description import FLOAT, Description, Layer, Shape, Tensor
from trtflow.inspection.forms import other_file
from trtflow.inspection.outline import empty_network
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.enums import DataType


class _Outline(Net):
    """A parse for the sake of shapes, which need the number of weights and not the weights; `counts` notes that."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.counts: Counter[str] = Counter()

    def weights(self, layer: LayerParameter, index: int, count: int | None = None) -> np.ndarray:
        """Return that many ones, which take no memory."""
        self.counts[layer.name] += count or 0
        return np.broadcast_to(np.float32(1), 1 if count is None else count)


def describe_caffe(path: Path, beside: Path | None = None) -> Description:
    """Return what a prototxt, with its caffemodel where that is there, or a caffemodel alone holds.

    Raises:
        FormatError: a file is damaged.
    """
    deploy, model = other_file(path, beside, (".prototxt", ".caffemodel"))
    stored = None if model is None else read_caffemodel(model, may_be_empty=True)
    counts = {} if stored is None else _stored(stored)
    described = Description(str(path), "Caffe")
    if deploy is None:
        assert stored is not None
        described.facts["name"] = stored.name
        described.notes.append(f"shapes stand in the prototxt, and there is none beside {path}. Name it with --beside.")
        described.layers = [_layer(layer, counts, {}) for layer in stored.layer]
        return described
    net = read_prototxt(deploy)
    described.facts["name"] = net.name
    if model is not None:
        described.facts["weights from"] = model.name
    described.inputs = _inputs(net, described.notes)
    shapes, needed = _outline(net, deploy, described)
    counts = counts if model is not None else needed
    layers = inference_layers(net)
    described.layers = [_layer(layer, counts, shapes) for layer in layers if layer.type != "Input"]
    read = {name for layer in layers for name in layer.bottom if name not in layer.top}
    tops = dict.fromkeys(name for layer in layers if layer.type != "Input" for name in layer.top)
    described.outputs = [Tensor(name, FLOAT, shapes.get(name)) for name in tops if name not in read]
    return described


def _stored(model: NetParameter) -> dict[str, int]:
    """Return how many weights a caffemodel has for each layer."""
    return {layer.name: sum(prod(blob_shape(blob)) for blob in layer.blobs) for layer in reversed(model.layer)}


def _layer(layer: LayerParameter, counts: Mapping[str, int], shapes: Mapping[str, Shape]) -> Layer:
    outputs = [Tensor(name, FLOAT, shapes.get(name)) for name in layer.top]
    return Layer(layer.name, layer.type, list(layer.bottom), outputs, FLOAT, counts.get(layer.name, 0))


def _inputs(net: NetParameter, notes: list[str]) -> list[Tensor]:
    try:
        return [Tensor(name, FLOAT, list(shape)) for name, shape in network_inputs(net).items()]
    except UserError as error:
        notes.append(str(error))
        return []


def _outline(net: NetParameter, deploy: Path, described: Description) -> tuple[dict[str, Shape], dict[str, int]]:
    """Return shapes, batch first, by blob, and how many weights each layer needs; a refusal becomes a note."""
    known = _known_form(net, described.notes)
    outline = _Outline(str(deploy), str(deploy), known, {}, empty_network(), DataType.FLOAT, True)
    try:
        outline.parse()
    except UserError as error:
        described.notes.append(f"no shapes from here on: {error}")
    batches = [tensor.shape[0] for tensor in described.inputs if tensor.shape]
    shapes = {name: [*batches[:1], *outline.shape(tensor)] for name, tensor in outline.tensors.items()}
    return shapes, dict(outline.counts)


def _known_form(net: NetParameter, notes: list[str]) -> NetParameter:
    """Return a network with the SSD authors' detection layers in TensorRT's form, which alone have shapes."""
    if not any(layer.type == "DetectionOutput" and len(layer.top) == 1 for layer in net.layer):
        return net
    try:
        return convert_ssd_prototxt(net)
    except UserError as error:
        notes.append(str(error))
        return net
