"""What TensorRT 8.6 checks of the types of operands, in its words; see `refusals`.

Its parser asks some operators by name, below; of others its layers tell, which `operators.check_layers` asks.
"""

from __future__ import annotations

from typing import Any

import onnx

from trtflow.reference.record.enums import DataType
from trtflow.reference.record.layer import FLOATS, NUMBERS
from trtflow.reference.record.onnx.errors import ErrorCode
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.refusals import UNARY_WORDS, check, dtype_of, invalid
from trtflow.reference.record.onnx.registry import refuses

INT8 = DataType.INT8
ASSERTED = {  # the types that an importer asks for, its words, and the kind of error
    "MeanVarianceNormalization": (
        FLOATS,
        "Only float/half inputs/outputs supported in MeanVarianceNormalization.",
        ErrorCode.INVALID_NODE,
    ),
    "LpNormalization": (FLOATS, "Only float inputs/outputs supported in LpNormalization.", ErrorCode.INVALID_NODE),
    "LpPool": (FLOATS, "Only float inputs/outputs supported in LpPool.", ErrorCode.INVALID_NODE),
    "NonZero": (
        (*NUMBERS, INT8, DataType.BOOL),
        "Only FLOAT, HALF, INT32, INT8 or BOOL input is supported for the NonZero operator in this version of TensorRT",
        ErrorCode.UNSUPPORTED_NODE,
    ),
    "Shrink": (
        (*NUMBERS, INT8),
        "Only FLOAT, HALF, INT8 and INT32 are supported in Shrink.",
        ErrorCode.UNSUPPORTED_NODE,
    ),
    "HardSwish": (
        (*FLOATS, INT8),
        "Only FLOAT, HALF or INT8 input is supported for the HardSwish operator in this version of TensorRT",
        ErrorCode.UNSUPPORTED_NODE,
    ),
}


@refuses(*ASSERTED)
def _asserted(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    types, words, code = ASSERTED[node.op_type]
    found = dtype_of(operands[0])
    check(found in types, words, f"It is {found.name if found else 'unknown'}: cast before it.", code)


@refuses("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp")
def _reduced_by_functions(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    """These are made with magnitudes, roots, logarithms and powers of e, which TensorRT has of floats."""
    found = dtype_of(operands[0])
    whole = (DataType.INT32,) if node.op_type == "ReduceL1" else ()
    fits = found in (*FLOATS, INT8, *whole)
    check(fits, UNARY_WORDS, f"It is {found.name if found else 'unknown'}: cast before it.")


@refuses("Einsum", "GridSample", "Resize", "Upsample")
def _floats(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    """Their layers take floats; INT8 is floats in steps, of which the builder asks where their range is."""
    for operand in operands[:2] if node.op_type in ("Einsum", "GridSample") else operands[:1]:
        found = dtype_of(operand)
        if found is not None and found not in (*FLOATS, INT8):
            raise invalid(node, f"TensorRT's layer takes FLOAT and HALF, and it is {found.name}: cast before it.")
