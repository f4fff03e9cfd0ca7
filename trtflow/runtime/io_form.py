"""Inputs and outputs in an engine's own form, so that copies are small and the first layer has nothing to convert."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.formats import UserError
from trtflow.formats.calibration_table import read_table
from trtflow.formats.layouts import BOUND

FORMATS = ("linear", "chw2", "chw4", "chw16", "chw32", "hwc", "hwc8", "hwc16")
TYPES = {"fp32": "float32", "fp16": "float16", "int8": "int8"}  # TensorRT's and NumPy's names

# precisions whose engines can have inputs of a type
FITTING = {"fp32": ("fp32", "fp16", "int8", "best"), "fp16": ("fp16", "best"), "int8": ("int8", "best")}


def scales_of_table(network: Any, table: Path) -> None:
    """Give the inputs of a network the ranges that a calibration table has for them; int8 inputs need them."""
    scales = read_table(table).scales
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if tensor.name in scales:
            largest = 127 * float(scales[tensor.name])
            tensor.set_dynamic_range(-largest, largest)


def give_form(trt: ModuleType, network: Any, layout: str, kind: str) -> dict[str, float]:
    """Let the inputs of a network that hold floats have a format and type, and no other.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: with its inputs; for int8 they have dynamic ranges.
        layout: one of `FORMATS`.
        kind: one of `TYPES`.

    Returns:
        the scale of each input that is int8, by name.

    Raises:
        UserError: there is no such input, TensorRT has no such form, or an input lacks the range that int8 needs.
    """
    types = BOUND.get(layout.upper(), tuple(TYPES.values()))
    if TYPES[kind] not in types:
        fitting = " or ".join(name for name, value in TYPES.items() if value in types)
        raise UserError(f"TensorRT has no {layout} of {kind}. Give io.type {fitting}, or another io.format.")
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    floats = [tensor for tensor in inputs if tensor.dtype == trt.float32 and not tensor.is_shape_tensor]
    if not floats:
        names = ", ".join(f"{tensor.name} ({tensor.dtype.name})" for tensor in inputs)
        raise UserError(f"no input holds floats that could be {layout} {kind}; the network has {names}. Leave io out.")
    scales: dict[str, float] = {}
    for tensor in floats:
        if kind == "int8" and tensor.dynamic_range is None:
            raise UserError(f"input {tensor.name!r} has no range and cannot be int8. Calibrate, or give io.type fp16.")
        if kind == "int8":
            scales[tensor.name] = max(map(abs, tensor.dynamic_range)) / 127
        tensor.dtype = getattr(trt, TYPES[kind])
        tensor.allowed_formats = 1 << int(getattr(trt.TensorFormat, layout.upper()))
    return scales


def has_form(options: argparse.Namespace) -> bool:
    """Whether a build gets the form that `--io-format` and `--io-type` name: the type is one of its precision."""
    return options.io_type is not None and options.precision in FITTING[options.io_type]


def form_of(options: argparse.Namespace) -> Callable[[ModuleType, Any], dict[str, float]]:
    """Return what gives a network's inputs the form that `--io-format` and `--io-type` name, after its definition.

    Precisions that cannot have such inputs keep their own.
    """
    if not has_form(options):
        return lambda trt, network: {}

    def give(trt: ModuleType, network: Any) -> dict[str, float]:
        if options.io_type == "int8" and options.calibration_table:
            scales_of_table(network, options.calibration_table)
        return give_form(trt, network, options.io_format, options.io_type)

    return give
