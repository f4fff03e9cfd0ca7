"""Parsing with a useful message: what an ONNX model's parser objects to, node by node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.formats import UserError


def parse_onnx(trt: ModuleType, network: Any, model: Path) -> None:
    """Add an ONNX model's layers to a network with an explicit batch.

    Raises:
        UserError: the parser cannot read it; the message has each node and the reason.
    """
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.WARNING))
    if not parser.parse_from_file(str(model)):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        reasons = "; ".join(f"node {error.node()}: {error.desc()}" for error in errors)
        raise UserError(f"{model}: the ONNX parser could not read it: {reasons}")
