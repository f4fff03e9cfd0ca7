"""TensorRT's ONNX parser: from ONNX models to layers.

`parser` has what users call, `parse` one parse of a model. A node is brought to what it says in opset 17 (`opsets`,
`earlier_opsets`, `later_opsets`), held against what TensorRT 8.6 takes (`operators`, `refusals`, `refusals_types`,
`refusals_windows`, and for the graphs of If, Loop and Scan `bodies` and `loops`), inferred (`inference`,
`known_values`, `sizes`), folded where it is constant (`folding`), and else becomes layers: the modules below hold the
importers of a kind of operators, one small function an operator, found by the name that `registry.parses` gives it.
`catalogue` tells of it all. `brought_down` writes a model of a later opset in opset 17, and with it what TensorRT
`misread`s.
"""

from trtflow.reference.record.onnx import (  # noqa: F401 - each registers its functions
    bodies,
    earlier_opsets,
    elements,
    later_opsets,
    misread,
    plugins,
    quantisation,
    refusals,
    refusals_types,
    refusals_windows,
    tensors,
    windows,
)
from trtflow.reference.record.onnx.errors import ErrorCode, ParserError
from trtflow.reference.record.onnx.parser import NodeIndices, OnnxParser, SubGraphCollection

__all__ = ["ErrorCode", "NodeIndices", "OnnxParser", "ParserError", "SubGraphCollection"]
