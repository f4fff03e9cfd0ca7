"""Inputs and outputs in an engine's own form, so that copies are small and the first layer has nothing to convert."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.formats import UserError

FORMATS = ("linear", "chw2", "chw4", "chw16", "chw32", "hwc", "hwc8")
TYPES = ("fp32", "fp16", "int8")
NAMES = {"fp32": "float32", "fp16": "float16", "int8": "int8"}  # TensorRT's


def give_form(trt: ModuleType, network: Any, layout: str, kind: str) -> None:
    """Let the inputs of a network that hold floats have a format and type, and no other.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: with its inputs; for int8 they have dynamic ranges, or a calibrator gives them.
        layout: one of `FORMATS`.
        kind: one of `TYPES`.

    Raises:
        UserError: there is no such input.
    """
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    floats = [tensor for tensor in inputs if tensor.dtype == trt.float32 and not tensor.is_shape_tensor]
    if not floats:
        names = ", ".join(f"{tensor.name} ({tensor.dtype.name})" for tensor in inputs)
        raise UserError(f"no input holds floats that could be {layout} {kind}; the network has {names}. Leave io out.")
    for tensor in floats:
        tensor.dtype = getattr(trt, NAMES[kind])
        tensor.allowed_formats = 1 << int(getattr(trt.TensorFormat, layout.upper()))
