"""What TensorRT 8.6's importers check of nodes, in its words (onnx/onnx-tensorrt, branch 8.6-GA), with the way out.

Each function takes what an importer takes, a node as opset 17 has it, and raises `Refusal`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx

from trtflow.reference.record.enums import DataType, LayerType
from trtflow.reference.record.layer import FLOATS
from trtflow.reference.record.onnx.errors import ErrorCode, Refusal
from trtflow.reference.record.onnx.inference import title
from trtflow.reference.record.onnx.loops import SHAPE_OPERANDS
from trtflow.reference.record.onnx.opsets import BRING_DOWN
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import attribute, graphs_of, refuses
from trtflow.reference.record.onnx.types import OTHERS, TYPES
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.tensor_layers import LARGEST_K

UNARY_WORDS = "This version of TensorRT does not support the given operator with the given input data type."
LETTERS = "abcdefghijklmnopqrstuvwxyz->., "
FOLD = "Make them constant, or fold the constants of the model first."
_ACTIVATIONS_NAMES = """
Relu Sigmoid Tanh Softsign LeakyRelu Elu ThresholdedRelu HardSigmoid Selu Softplus ParametricSoftplus ScaledTanh
"""
ACTIVATIONS = _ACTIVATIONS_NAMES.split()
_GATES_NAMES = """
Relu Tanh Sigmoid LeakyRelu ThresholdedRelu ScaledTanh HardSigmoid Elu Softsign Softplus
"""
GATES = _GATES_NAMES.split()
GATES_ALPHA = {"LeakyRelu": 0.01, "HardSigmoid": 0.2, "Elu": 1.0, "ThresholdedRelu": 1.0, "ScaledTanh": 1.0}
GATES_BETA = {"HardSigmoid": 0.5, "ScaledTanh": 1.0}
_UNARY_NAMES = """
Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Log Reciprocal Round Sin Sinh Sqrt Tan Sign
"""
UNARY = _UNARY_NAMES.split()
_ELEMENTWISE_NAMES = """
Add Sub Mul Div Max Min Sum Mean Pow And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual
"""
ELEMENTWISE = _ELEMENTWISE_NAMES.split()
_NO_UINT8_NAMES = """
ArgMax ArgMin Clip Concat Einsum Expand EyeLike Gather GatherElements GatherND Mod Pad ReverseSequence Slice Split
Tile TopK Trilu ScatterND ScatterElements OneHot DepthToSpace SpaceToDepth Resize GridSample
"""
NO_UINT8 = _NO_UINT8_NAMES.split()


def dtype_of(operand: Any) -> DataType | None:
    """Return the type in which TensorRT has an operand: constants of UINT8 are INT32."""
    if isinstance(operand, ITensor):
        return operand.native_dtype
    if operand is None:
        return None
    kinds = {"f": DataType.FLOAT, "b": DataType.BOOL, "i": DataType.INT32, "u": DataType.INT32}
    named = {"f2": DataType.HALF, "i1": DataType.INT8}
    return named.get(operand.dtype.str[1:], kinds.get(operand.dtype.kind))


def rank_of(operand: Any) -> int:
    """Return an operand's number of dimensions."""
    return len(operand.shape)


def check(held: bool, words: str, remedy: str = "", code: ErrorCode = ErrorCode.UNSUPPORTED_NODE) -> None:
    """Raise Refusal where something does not hold."""
    if not held:
        raise Refusal(words, remedy, code)


def _check_type(operand: Any, *types: DataType) -> None:
    found = dtype_of(operand)
    if found in types:
        names = " and ".join(dtype.name for dtype in types)
        raise Refusal(
            f"Found invalid input type of {found.name}", f"TensorRT has this operator not for {names}: cast before it."
        )


def invalid(node: onnx.NodeProto, remedy: str) -> Refusal:
    """Return what TensorRT answers where a layer of its own refuses: no more than the node's name."""
    return Refusal(f"Invalid Node - {title(node)}", remedy, ErrorCode.INVALID_NODE)


@refuses(*NO_UINT8)
def _uint8(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    for operand in operands if node.op_type == "OneHot" else operands[:1]:
        _check_type(operand, DataType.UINT8)


@refuses("QuantizeLinear", "DequantizeLinear")
def _uint8_steps(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    for operand in (operands[0], *operands[2:]):
        _check_type(operand, DataType.UINT8)


@refuses("Where")
def _where(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    for operand in operands[1:]:
        _check_type(operand, DataType.UINT8)


@refuses("DepthToSpace", "SpaceToDepth", "Resize", "GridSample")
def _bool(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    _check_type(operands[0], DataType.BOOL)


@refuses(*ACTIVATIONS)
def _activation(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    _check_type(operands[0], DataType.INT32, DataType.BOOL, DataType.UINT8)


@refuses("Gemm", "MatMul", "PRelu")
def _products(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    _check_type(operands[0], DataType.INT32)
    if node.op_type == "PRelu":
        _check_type(operands[1], DataType.INT32)


@refuses(*UNARY, "Abs", "Neg", "Not", "IsInf")
def _unary(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    found = dtype_of(operands[0])
    refused = {
        "Not": found != DataType.BOOL,
        "Abs": found in (DataType.BOOL, DataType.UINT8),
        "Neg": found in (DataType.BOOL, DataType.UINT8),
    }.get(node.op_type, found in (DataType.BOOL, DataType.INT32, DataType.UINT8))
    check(not refused, UNARY_WORDS, f"It is {found.name if found else 'unknown'}: cast before it.")


@refuses(*ELEMENTWISE)
def _elementwise(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    ranks = {rank_of(operand) for operand in operands}
    remedy = "Before opset 7 inputs were stretched by attributes: export the model again, with a later opset."
    check(len(ranks) == 1 or parse.opset >= 7, "Failed to broadcast tensors elementwise!", remedy)
    types = [dtype_of(operand) for operand in operands]
    logical, boolean = node.op_type in ("And", "Or", "Xor"), DataType.BOOL in types
    fits = {
        "Pow": not boolean and DataType.INT32 not in types,
        "Equal": True,
    }.get(node.op_type, set(types) == {DataType.BOOL} if logical else not boolean)
    listed = ", ".join(dtype.name for dtype in types if dtype)
    words = "Elementwise layer does not support the given inputs and operator."
    check(fits, words, f"They are {listed}: cast before it.")
    floats = {dtype in (DataType.FLOAT, DataType.HALF) for dtype in types}
    if len(floats) > 1:
        raise invalid(node, f"Its inputs are {listed}: cast them to one type.")


@refuses("Gemm", "PRelu")
def _old_broadcast(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    second = operands[2] if node.op_type == "Gemm" and len(operands) > 2 else operands[1]
    rank = 2 if node.op_type == "Gemm" else rank_of(operands[0])
    held = second is None or rank_of(second) == rank or parse.opset >= 7
    words = "Pre-opset 7 broadcasting is unsupported in this version of the ONNX parser"
    check(held, words, "Export the model again, with a later opset.")


@refuses("PRelu")
def _slopes(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    """TensorRT stretches the slopes alone, as ONNX says."""
    data, slopes = tuple(operands[0].shape), tuple(operands[1].shape)
    pairs = list(zip(data[::-1], slopes[::-1], strict=False))
    fits = all(size in (1, -1, whole) or whole == -1 for whole, size in pairs)
    if len(slopes) > len(data) or not fits:
        raise invalid(node, f"Its slopes {slopes} do not stretch to its input {data}: expand the input before it.")


@refuses("BatchNormalization")
def _batch_norm(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    training = attribute(node, "training_mode", 0)
    words = "This version of TensorRT does not support training_mode == 1 in BatchNormalization."
    check(not training, words, "Export the model in its evaluation mode.")
    for operand, name in zip(operands[1:], ("scale", "bias", "mean", "var"), strict=True):
        check(rank_of(operand) == 1, f"The shape of the {name} input must be (C, )", code=ErrorCode.INVALID_NODE)


@refuses("Dropout")
def _dropout(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    if len(operands) < 3 or operands[2] is None:
        return
    words = "This Version of TensorRT only supports the training_mode input as an initializer."
    check(isinstance(operands[2], np.ndarray), words, "Export the model in its evaluation mode.")
    words = "TensorRT does not support the Dropout operator in training mode."
    check(not operands[2].any(), words, "Export the model in its evaluation mode.")


@refuses("Clip")
def _clip(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    fed = dtype_of(operands[0]) == DataType.INT32 or any(isinstance(item, ITensor) for item in operands[1:])
    known = dtype_of(operands[0]) in (DataType.FLOAT, DataType.HALF, DataType.INT32)
    words = "This version of TensorRT only supports FLOAT or INT32 inputs for Clip!"
    check(known or not fed, words, "Cast before it.")


@refuses("Cast")
def _cast(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    words = "Unsupported data type for the Cast operator!"
    check(attribute(node, "to") in TYPES, words, OTHERS, ErrorCode.INVALID_NODE)
    source, target = dtype_of(operands[0]), TYPES[attribute(node, "to")]
    if target == DataType.INT8 and source in FLOATS:
        how = "to the nearest, of two to the even one, and the last of each side for what is beyond"
        parse.warn(f"TensorRT 8.6 casts {node.name!r} (Cast) of floats to INT8 {how}; here it is cut, as ONNX says.")
    others = {source, target} - {DataType.UINT8, *FLOATS}
    if DataType.UINT8 in (source, target) and others:
        kinds = " and ".join(dtype.name for dtype in (source, target) if dtype)
        raise invalid(node, f"TensorRT converts UINT8 from and to FLOAT and HALF alone; these are {kinds}.")


@refuses("Mod")
def _mod(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    whole = dtype_of(operands[0]) == DataType.INT32
    words = "The fmod attribute is set to 0. Inputs cannot be of floating point types."
    check(whole or attribute(node, "fmod", 0) == 1, words, "Set fmod, or cast to INT32.", ErrorCode.INVALID_NODE)


@refuses("CumSum")
def _cumsum(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    if not parse.is_weights(node.input[1]):
        words = f"Invalid Node - {title(node)}\nAxis input for CumSum must be an initializer!"
        raise Refusal(words, FOLD, ErrorCode.INVALID_NODE)


@refuses("Squeeze")
def _squeeze(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    if len(node.input) > 1 and not parse.is_weights(node.input[1]):
        words = f"Invalid Node - {title(node)}\nSqueeze axes input must be an initializer!"
        raise Refusal(words, FOLD, ErrorCode.INVALID_NODE)
    dynamic = isinstance(operands[0], ITensor) and -1 in operands[0].shape
    words = (
        "Cannot infer squeeze dimensions from a dynamic shape! Please re-export your model with the Squeeze axes input "
        "set."
    )
    check(not dynamic or (len(operands) > 1 and operands[1] is not None), words)


@refuses("Unsqueeze")
def _unsqueeze(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    words = "Axes input for unsqueeze operation should be a constant tensor."
    check(isinstance(operands[1], np.ndarray), words, FOLD)


@refuses("Slice")
def _slice(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    axes = operands[3] if len(operands) > 3 else None
    words = "This version of TensorRT does not support dynamic axes."
    check(axes is None or isinstance(axes, np.ndarray), words, FOLD)


@refuses("ReduceSum")
def _reduce(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    words = "Axis input must be an initializer!"
    check(len(node.input) < 2 or parse.is_weights(node.input[1]), words, FOLD)
    axes = operands[1] if len(operands) > 1 else None
    if attribute(node, "noop_with_empty_axes", 0) and (axes is None or not axes.size):
        parse.warn(f"TensorRT 8.6 ignores noop_with_empty_axes of {node.name!r} (ReduceSum), and reduces along all.")


@refuses("Einsum")
def _einsum(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    equation = attribute(node, "equation").decode().replace(" ", "")
    terms = equation.split("->")[0].split(",")
    letters = "".join(dict.fromkeys(letter for letter in equation if letter not in LETTERS))
    words = f"Invalid character(s) in Einsum equation: {letters}"
    check(not letters, words, "TensorRT takes lower-case letters only.", ErrorCode.INVALID_NODE)
    plain = "." not in equation and all(len(set(term)) == len(term) for term in terms)
    remedy = "TensorRT's Einsum has neither an ellipsis nor diagonals (a letter twice in a term): name each axis."
    check(plain, "Input layer is null.", remedy)
    sizes = dict[str, int]()
    for term, operand in zip(terms, operands, strict=True):
        for letter, size in zip(term, operand.shape, strict=True):
            known = sizes.setdefault(letter, size)
            remedy = f"{letter!r} is {known} and {size}: TensorRT's Einsum stretches no axis. Expand it before."
            check(-1 in (known, size) or known == size, "Input layer is null.", remedy)


@refuses(*SHAPE_OPERANDS)
def _shape_from_floats(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    """TensorRT computes sizes from INT32 and BOOL alone, ahead of all else."""
    for place in SHAPE_OPERANDS[node.op_type]:
        operand = operands[place] if place < len(operands) else None
        if isinstance(operand, ITensor) and _from_floats(operand, set()):
            name = node.input[place]
            remedy = f"Its input {name!r} makes a shape and comes from floats that are fed: make it constant, or INT32."
            raise invalid(node, remedy)


def _from_floats(tensor: ITensor, seen: set[int]) -> bool:
    """Whether the values of a tensor come from floats that are fed."""
    if tensor.producer is None:
        return tensor.native_dtype in (DataType.FLOAT, DataType.HALF)
    if tensor.producer.layer_type == LayerType.SHAPE or id(tensor) in seen:
        return False
    seen.add(id(tensor))
    if getattr(tensor.producer, "node", None) is not None and tensor.producer.title in ("Shape", "Size"):
        return False
    return any(_from_floats(source, seen) for source in tensor.producer.inputs)


@refuses("ReverseSequence")
def _reverse_sequence(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    check(rank_of(operands[0]) >= 2, "Rank of input must be at least two")


@refuses("ScatterElements")
def _scatter_elements(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    same = len({rank_of(operand) for operand in operands}) == 1
    check(same, "Input dimensions to ScatterElements must have the same rank!")
    for name, operand in zip(("Indices", "Updates"), operands[1:], strict=True):
        fits = all(size <= whole or whole == -1 for size, whole in zip(operand.shape, operands[0].shape, strict=True))
        words = f"{name} dimensions must be less than data dimensions!"
        check(fits, words, f"They are {tuple(operand.shape)}, and the data {tuple(operands[0].shape)}.")
    if attribute(node, "reduction", b"none") != b"none":
        parse.warn(f"TensorRT 8.6 ignores the reduction of {node.name!r} (ScatterElements): its values differ.")


@refuses("ScatterND")
def _scatter_nd(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    if attribute(node, "reduction", b"none") != b"none":
        parse.warn(f"TensorRT 8.6 ignores the reduction of {node.name!r} (ScatterND): its values differ.")


@refuses("Trilu")
def _trilu(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    check(rank_of(operands[0]) >= 2, "Trilu input must have at least 2 dimensions!", code=ErrorCode.INVALID_NODE)
    if rank_of(operands[0]) > 3:
        parse.warn(f"TensorRT 8.6.0 takes {node.name!r} (Trilu) of 2 or 3 dimensions only, 8.6.1 of more.")
    if attribute(node, "upper", 1):
        parse.warn(f"TensorRT 8.6 gives other values for {node.name!r} (Trilu) with its upper bound.")


@refuses("Shape")
def _shape(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    rank = rank_of(operands[0])
    whole = list(range(rank))[attribute(node, "start", 0) : attribute(node, "end", rank)] == list(range(rank))
    if not whole:
        parse.warn(f"TensorRT 8.6 ignores start and end of {node.name!r} (Shape): it gives the whole shape.")


@refuses("RandomUniform", "RandomUniformLike", "RandomNormal", "RandomNormalLike")
def _random(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    parse.warn(f"TensorRT 8.6 draws other numbers for {node.name!r} ({node.op_type}).")
    given = attribute(node, "dtype", onnx.TensorProto.FLOAT)
    known = given in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    check(known, "Unsupported data type", "Draw FLOAT or FLOAT16, and cast.", ErrorCode.INVALID_VALUE)


@refuses("LSTM", "GRU", "RNN")
def _recurrent(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    words = "Coupled input/forget is unsupported in the LSTM converter"
    check(not attribute(node, "input_forget", 0), words, "Give both gates weights of their own.")
    names = attribute(node, "activations", [])
    half = len(names) // 2
    both = attribute(node, "direction", b"forward") == b"bidirectional"
    words = (
        f"The parser does not currently support cases where activations for the reverse pass of the {node.op_type} do "
        "not match the forward pass."
    )
    check(not both or not names or names[:half] == names[half:], words)
    unknown = [name.decode() for name in names if name.decode() not in GATES]
    words = f"Invalid Node - {title(node)}\nUnknown activation type: {', '.join(unknown)}"
    check(not unknown, words, f"TensorRT has {', '.join(GATES)}.", ErrorCode.INVALID_NODE)
    for which in ("alphas", "betas"):
        given = _gates(node, names, f"activation_{which[:-1]}")
        words = (
            "The parser does not currently support cases where activation "
            f"{which} for the reverse pass of the {node.op_type} do not match the forward pass."
        )
        check(not both or given[:half] == given[half:], words)


def _gates(node: onnx.NodeProto, names: list[bytes], key: str) -> list[float]:
    """Return what each activation of a recurrent node is given, in order, for those that take such."""
    given, defaults = iter(attribute(node, key, [])), GATES_ALPHA if key == "activation_alpha" else GATES_BETA
    return [next(given, defaults[name.decode()]) if name.decode() in defaults else 0.0 for name in names]


@refuses("NonMaxSuppression")
def _nms(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    check(rank_of(operands[0]) == 3, "The boxes tensor must be 3D", "Boxes are [N, boxes, 4].")
    check(rank_of(operands[1]) == 3, "The scores tensor must be 3D", "Scores are [N, classes, boxes].")


@refuses("TopK")
def _topk(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    known = parse.told[node.input[1]].known
    wanted = known.ravel()[0] if known is not None and known.size else 0
    if isinstance(wanted, int) and wanted > LARGEST_K:
        words = f"Invalid Node - {title(node)}\n{title(node)}: K exceeds the maximum value allowed ({LARGEST_K})."
        raise Refusal(words, "Find the best of parts, then of those.", ErrorCode.INVALID_NODE)
    _rounds_whole(parse, node, operands)


@refuses("ArgMax", "ArgMin")
def _rounds_whole(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    if dtype_of(operands[0]) == DataType.INT32:
        parse.warn(f"TensorRT runs {node.name!r} ({node.op_type}) of INT32 in FLOAT: integers above 2^24 are rounded.")


@refuses("Range")
def _range(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    types = {dtype_of(operand) for operand in operands}
    words = "This version of TensorRT only supports int32 and float input types for Range!"
    check(dtype_of(operands[0]) in (DataType.INT32, DataType.FLOAT), words, "Cast before it.")
    words = "For range operator types for start, limit, and delta must be identical."
    check(len(types) == 1, words, "Cast before it.")


@refuses("Expand")
def _expand(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    check(rank_of(operands[1]) == 1, "The shape tensor is required to be 1D.", code=ErrorCode.INVALID_VALUE)


@refuses("EyeLike")
def _eye_like(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    check(rank_of(operands[0]) == 2, "Only 2D tensors are supported. Input must be of rank 2.")
    dynamic = -1 in operands[0].shape
    check(not dynamic, "Eyelike does not work for dynamically shaped tensors.", "Fix the sizes of its input.")


@refuses("InstanceNormalization", "GroupNormalization")
def _normalization(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    words = "Input to normalization should be at least 3D!"
    check(rank_of(operands[0]) >= 3, words, "Reshape it to [N, C, …].", ErrorCode.INVALID_NODE)
    if node.op_type == "GroupNormalization" and rank_of(operands[0]) == 3:
        words = f"Invalid Node - {title(node)}\n[normalizationLayer.cpp::validate::69] Assertion rank >= 4 failed."
        raise Refusal(words, BRING_DOWN, ErrorCode.INVALID_NODE)


@refuses("LpNormalization", "LpPool")
def _lp(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    check(attribute(node, "p", 2) in (1, 2), "Only L1 and L2 normalization are supported.", code=ErrorCode.INVALID_NODE)


@refuses("Loop", "Scan", "If")
def _graphs(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    if node.op_type == "If":
        counts = {len(graph.output) for graph in graphs_of(node)}
        words = "then/else subgraphs should have the same number of outputs."
        check(len(counts) == 1, words, code=ErrorCode.INVALID_NODE)
    if node.op_type == "Loop" and not "".join(node.input[1:2]):
        (body,) = graphs_of(node)
        condition = body.input[1].name
        read = any(condition in inner.input for inner in body.node)
        words = f"Node input was not registered. The loop has no condition, and its graph reads it as {condition!r}"
        if read:
            raise Refusal(words, "Give the Loop a condition, such as a constant true.", ErrorCode.INVALID_GRAPH)


@refuses("Transpose")
def _transpose(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    rank = rank_of(operands[0])
    perm = attribute(node, "perm", list(range(rank)))
    if sorted(perm) != list(range(rank)):
        raise invalid(node, f"perm {list(perm)} of {rank} dimensions: give each of them once.")


@refuses("Reshape")
def _reshape(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    data, sizes = tuple(operands[0].shape), operands[1]
    if -1 in data or not isinstance(sizes, np.ndarray):
        return
    copies = not attribute(node, "allowzero", 0)
    wanted = sizes.tolist()
    if copies:
        wanted = [data[axis] if size == 0 and axis < len(data) else size for axis, size in enumerate(wanted)]
    rest, whole = math.prod(size for size in wanted if size != -1), math.prod(data)
    fits = rest == whole if -1 not in wanted else wanted.count(-1) == 1 and rest > 0 and whole % rest == 0
    if not fits:
        raise invalid(node, f"{whole} elements of shape {data} do not fit the shape {sizes.tolist()}.")
