"""Darknet's files: `.cfg`, the network as text, and `.weights`, its values."""

from trtflow.formats.darknet.cfg import Section, format_cfg, read_cfg, write_cfg
from trtflow.formats.darknet.layers import HEADS, Layer, convolutions, input_shape, read_layers, resolve
from trtflow.formats.darknet.weights import Header, Values, read_weights, shapes_of, write_weights

__all__ = [
    "HEADS",
    "Header",
    "Layer",
    "Section",
    "Values",
    "convolutions",
    "format_cfg",
    "input_shape",
    "read_cfg",
    "read_layers",
    "read_weights",
    "resolve",
    "shapes_of",
    "write_cfg",
    "write_weights",
]
