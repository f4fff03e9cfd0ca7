"""The operators of TensorRT 8.6's ONNX parser, and the check of a node against what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx

from trtflow.reference.record.enums import DataType
from trtflow.reference.record.layer import ILayer
from trtflow.reference.record.onnx.errors import ErrorCode, Refusal, UnsupportedForm
from trtflow.reference.record.onnx.inference import title
from trtflow.reference.record.onnx.registry import NO_PLUGIN, OPSET, REFUSALS
from trtflow.reference.record.tensor import ITensor

if TYPE_CHECKING:
    from trtflow.reference.record.onnx.parse import Parse

_SUPPORTED_NAMES = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil Celu Clip Concat
Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout Einsum Elu
Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool
GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity If ImageScaler
InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop
LpNormalization LpPool MatMul Max MaxPool Mean MeanVarianceNormalization Min Mod Mul Neg NonMaxSuppression NonZero
Not OneHot Or PRelu Pad ParametricSoftplus Pow QuantizeLinear RNN RandomNormal RandomNormalLike RandomUniform
RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign Round ScaledTanh Scan Scatter
ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth
Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
"""
SUPPORTED = frozenset(_SUPPORTED_NAMES.split())
# TensorRT's parser takes these and says that it does not, for the sizes of what they give depend on values; and of the
# plugins that it falls back to it says that it takes these
UNPROMISED = frozenset(("NonMaxSuppression", "NonZero", "RoiAlign"))
PROMISED = ("EfficientNMS_TRT", "PyramidROIAlign_TRT", "MultilevelCropAndResize_TRT", "DisentangledAttention_TRT")
OUTPUTS = {"TopK": 2, "Dropout": 2, "LSTM": 3, "GRU": 2, "RNN": 2}  # as many as TensorRT makes, where not one
ANY_OUTPUTS = ("Split", "If", "Loop", "Scan")
PASS_BYTES = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Dropout")
READ_BYTES = ("Cast", "Shape", "Size", "If", "Loop", "Scan")
VARIANTS = ("MaxPool",)  # has a check of its own, whose words say more


def is_beyond(node: onnx.NodeProto) -> bool:
    """Whether TensorRT's parser has no importer for a node, and looks for a plugin of its name."""
    return node.op_type not in SUPPORTED


def runs_beyond(node: onnx.NodeProto) -> bool:
    """Whether ONNX has an operator, so that ONNX Runtime may run it where TensorRT cannot."""
    return onnx.defs.has(node.op_type, OPSET, node.domain) and node.domain in ("", "ai.onnx")


def check_node(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    """Check a node of opset 17 as TensorRT does.

    Raises:
        Refusal: TensorRT does not take it, and the parse is not to go beyond.
    """
    try:
        _check(parse, node, operands)
    except Refusal as refusal:
        _go_beyond(parse, node, refusal)


def check_layers(parse: Parse, node: onnx.NodeProto, layers: list[ILayer]) -> None:
    """Check the types that the layers of a node read, of which TensorRT's parser is told as it adds them.

    INT8 is floats in steps to them, and it is the builder that asks for their ranges.

    Raises:
        Refusal: one of them does not take a type, and the parse is not to go beyond.
        UnsupportedForm: one does not, and the node goes beyond TensorRT.
    """
    for layer in layers:
        for _, tensor, types in layer.misfits():
            if tensor.native_dtype != DataType.INT8:
                names = ", ".join(dtype.name for dtype in types)
                fault = f"{layer.title} takes {names}, and {tensor.name!r} is {tensor.native_dtype.name}"
                words = f"Invalid Node - {title(node)}"
                _go_beyond(parse, node, Refusal(words, f"{fault}: cast before it.", ErrorCode.INVALID_NODE))
                raise UnsupportedForm


def _go_beyond(parse: Parse, node: onnx.NodeProto, refusal: Refusal) -> None:
    """Note that ONNX Runtime takes a node where the parse is to go beyond TensorRT; else raise."""
    if parse.beyond and runs_beyond(node) and not parse.can_keep(node):
        raise Refusal(str(refusal), "ONNX Runtime has no kernel for it either.", refusal.code)
    if not parse.beyond or not runs_beyond(node):
        raise refusal
    if node.op_type not in parse.used_beyond:
        parse.warn(f"{node.op_type} is beyond TensorRT 8.6: ONNX Runtime runs it here, TensorRT refuses it.")
    parse.used_beyond[node.op_type] = None


def _check(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    if is_beyond(node):
        raise Refusal(NO_PLUGIN, _way_out(node))
    for check in REFUSALS.get(node.op_type, []):
        check(parse, node, operands)
    if node.op_type not in (*ANY_OUTPUTS, *VARIANTS) and len(node.output) > OUTPUTS.get(node.op_type, 1):
        raise Refusal(
            "Node has more output tensors than TRT expected.",
            f"It gives {OUTPUTS.get(node.op_type, 1)} of {len(node.output)}; leave the others out of the node.",
            ErrorCode.INVALID_GRAPH,
        )
    _check_uint8(parse, node, operands)


def _way_out(node: onnx.NodeProto) -> str:
    if runs_beyond(node):
        return (
            f"TensorRT 8.6 has no {node.op_type}. Leave it out of the model, or let ONNX Runtime run it here with "
            "the parser's beyond_tensorrt."
        )
    place = f" of domain {node.domain!r}" if node.domain else ""
    return (
        f"There is no operator {node.op_type!r}{place} in opset {OPSET}, and no plugin of that name. Register the "
        "plugin, or write the node with operators of ONNX; functions of the model have to be inlined."
    )


def _check_uint8(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    """Raise Refusal where a node computes with UINT8, or makes some that is no output of the network."""
    to = next((item.i for item in node.attribute if item.name == "to"), 0)
    data = operands[0] if operands else None
    passes = node.op_type in PASS_BYTES
    if any(map(_is_uint8, operands)) and not passes and node.op_type not in READ_BYTES:
        words = f"Invalid Node - {title(node)}"
        raise Refusal(words, "UINT8 is for inputs and outputs only: cast to FLOAT.", ErrorCode.INVALID_NODE)
    made = to == onnx.TensorProto.UINT8 if node.op_type == "Cast" else passes and _is_uint8(data)
    if made and any(isinstance(item, ITensor) for item in operands) and not parse.is_output(node.output[0]):
        raise Refusal(
            "TensorRT does not support UINT8 types for intermediate tensors!", "Cast to FLOAT or INT32 at the inputs."
        )


def _is_uint8(operand: Any) -> bool:
    return isinstance(operand, ITensor) and operand.native_dtype == DataType.UINT8
