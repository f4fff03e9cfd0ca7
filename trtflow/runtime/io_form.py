"""Inputs and outputs in an engine's own form, so that copies are small and the first layer has nothing to convert."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.formats import UserError
from trtflow.formats.layouts import BOUND

FORMATS = ("linear", "chw2", "chw4", "chw16", "chw32", "hwc", "hwc8", "hwc16")
TYPES = {"fp32": "float32", "fp16": "float16", "int8": "int8"}  # TensorRT's and NumPy's names


def give_form(trt: ModuleType, network: Any, layout: str, kind: str) -> None:
    """Let the inputs of a network that hold floats have a format and type, and no other.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: with its inputs; for int8 they have dynamic ranges.
        layout: one of `FORMATS`.
        kind: one of `TYPES`.

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
    for tensor in floats:
        if kind == "int8" and tensor.dynamic_range is None:
            raise UserError(f"input {tensor.name!r} has no range and cannot be int8. Calibrate, or give io.type fp16.")
        tensor.dtype = getattr(trt, TYPES[kind])
        tensor.allowed_formats = 1 << int(getattr(trt.TensorFormat, layout.upper()))
