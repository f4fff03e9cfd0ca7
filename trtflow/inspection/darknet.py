"""A Darknet network: its layers with their shapes, and what its weights say of themselves."""

from __future__ import annotations

from math import prod
from pathlib import Path

from trtflow.formats.darknet import input_shape, read_cfg, read_weights, resolve, shapes_of
from trtflow.formats.darknet.weights import read_header
from trtflow.inspection.description import BATCH, FLOAT, Description, Layer, Tensor
from trtflow.inspection.forms import other_file

INPUT = "000_net"  # the name that the converter gives the picture


def describe_darknet(path: Path, beside: Path | None = None) -> Description:
    """Return what a cfg, with its weights where they are there, or weights alone hold.

    Raises:
        FormatError: a file is damaged, or the weights are not those of the cfg.
    """
    cfg, weights = other_file(path, beside, (".cfg", ".weights"))
    described = Description(str(path), "Darknet")
    if cfg is None:
        header = read_header(path)
        described.facts |= {"version": f"{header.major}.{header.minor}.{header.revision}", "pictures seen": header.seen}
        described.notes.append(f"layers stand in the cfg, and there is none beside {path}. Name it with --beside.")
        return described
    sections = read_cfg(cfg)
    layers = resolve(sections, cfg)
    if weights is not None:
        header, _ = read_weights(weights, layers)
        described.facts |= {"weights from": weights.name, "pictures seen": header.seen}
    names = {-1: INPUT} | {layer.index: layer.name for layer in layers}
    described.inputs = [Tensor(INPUT, FLOAT, [BATCH, *input_shape(sections, cfg)])]
    heads = [layer for layer in layers if layer.is_head] or layers[-1:]
    described.outputs = [Tensor(layer.name, FLOAT, [BATCH, *layer.shape]) for layer in heads]
    described.layers = [
        Layer(
            layer.name,
            layer.kind,
            [names[source] for source in layer.sources],
            [Tensor(layer.name, FLOAT, [BATCH, *layer.shape])],
            FLOAT,
            sum(prod(shape) for shape in shapes_of(layer).values()),
        )
        for layer in layers
    ]
    return described
