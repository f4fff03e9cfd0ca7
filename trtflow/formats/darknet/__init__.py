"""Darknet's files: `.cfg`, the network as text, and `.weights`, its values."""

from trtflow.formats.darknet.cfg import Section, format_cfg, read_cfg, write_cfg
from trtflow.formats.darknet.layers import Layer, convolutions, input_shape, read_layers, resolve
from trtflow.formats.darknet.weights import Header, Values, read_weights, write_weights

__all__ = [
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
    "write_cfg",
    "write_weights",
]
