"""TensorRT's ONNX parser: from ONNX models to layers.

`parser` has what users call, `parse` the state of one parse, and each of the modules below the importers of a kind of
operators: one small function an operator, found by the name that `registry.parses` gives it.
"""

from trtflow.reference.record.onnx import (  # noqa: F401 - each registers its importers
    elements,
    plugins,
    quantisation,
    refusals,
    tensors,
    windows,
)
from trtflow.reference.record.onnx.errors import ErrorCode, ParserError
from trtflow.reference.record.onnx.parser import OnnxParser

__all__ = ["ErrorCode", "OnnxParser", "ParserError"]
