"""One small model for each ONNX operator, element type and form: what does a parser, a builder and an engine say of it?

`cases()` gives them in order, always the same. tests/gpu/run_operator_cases.py asks TensorRT, and
tests/reference/test_operator_cases.py the reference runtime, which is held to TensorRT's recorded answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES: dict[str, Any] = {
    "float": np.float32,
    "half": np.float16,
    "int32": np.int32,
    "int64": np.int64,
    "bool": np.bool_,
    "double": np.float64,
    "int8": np.int8,
    "uint8": np.uint8,
}
FLOATS, INDICES = ("float", "half", "double"), ("int32", "int64")
OPSET, IR = 17, 8

Answer = TensorProto.DataType.ValueType | None


class Case(NamedTuple):
    """A model, and an array for each of its inputs."""

    name: str
    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]


def draw(kind: str, *shape: int, seed: int = 0, low: int = -3, high: int = 4) -> np.ndarray:
    """Return values of a type: eighths of floats, whole numbers else, none of them 0 (bool: both)."""
    rng = np.random.default_rng(seed)
    if kind == "bool":
        return np.asarray(rng.integers(0, 2, shape), np.bool_)
    if kind == "uint8":
        low = 1
    numbers = rng.integers(low, high, shape)
    numbers = np.where(numbers == 0, 1, numbers)
    return np.asarray(numbers + (0.125 if kind in FLOATS else 0)).astype(TYPES[kind])


def proto_of(kind: str) -> int:
    """Return ONNX's number of an element type."""
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(TYPES[kind])))


def case(
    name: str,
    operator: str,
    fed: dict[str, np.ndarray],
    constants: dict[str, np.ndarray] | None = None,
    outputs: int = 1,
    order: list[str] | None = None,
    opset: int = OPSET,
    **attributes: Any,
) -> Case:
    """Return the model of one node, whose inputs are fed or constant; `order` names them where "" stands between."""
    constants = constants or {}
    names = order if order is not None else [*fed, *constants]
    results = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(operator, names, results, name="asked", **attributes)
    inputs = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for key, array in fed.items()
    ]
    told = [helper.make_tensor_value_info(result, TensorProto.UNDEFINED, None) for result in results]
    kept = [numpy_helper.from_array(array, key) for key, array in constants.items()]
    graph = helper.make_graph([node], "case", inputs, told, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR)
    return Case(name, _typed(model), fed)


def _typed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return it with the types of its outputs, as far as they can be inferred; float where not."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
        known = {value.name: value for value in inferred.graph.output if value.type.tensor_type.elem_type}
    except Exception:  # of no common base; a model that cannot be inferred is asked all the same
        known = {}
    for value in model.graph.output:
        if value.name in known:
            value.CopyFrom(known[value.name])
        else:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    return model


_UNARY_NAMES = """
Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor HardSigmoid HardSwish Identity IsInf IsNaN
LeakyRelu Log Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh
ThresholdedRelu Softmax LogSoftmax Hardmax Shape Size NonZero Flatten Transpose Dropout Det
"""
UNARY = _UNARY_NAMES.split()
_BINARY_NAMES = """
Add Sub Mul Div Pow Mod Max Min And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual PRelu Sum Mean
"""
BINARY = _BINARY_NAMES.split()
REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")


def unary() -> Iterator[Case]:
    """Operators of one input, by type; and by rank."""
    for operator in UNARY:
        for kind in TYPES:
            yield case(f"{operator} {kind}", operator, {"x": draw(kind, 2, 3, 3)})
    for operator in ("Relu", "Exp", "Neg", "Softmax", "Identity", "Not", "Softplus", "Round", "Sign", "Erf", "Hardmax"):
        kind = "bool" if operator == "Not" else "float"
        for rank in (0, 1, 5, 8):
            yield case(f"{operator} {kind} rank {rank}", operator, {"x": draw(kind, *[2] * rank)})


def binary() -> Iterator[Case]:
    """Operators of two inputs: both fed, one constant, of other ranks, one an element."""
    for operator in BINARY:
        for kind in TYPES:
            a, b = draw(kind, 2, 3), draw(kind, 2, 3, seed=1, low=1)
            yield case(f"{operator} {kind}", operator, {"a": a, "b": b})
            yield case(f"{operator} {kind} constant", operator, {"a": a}, {"b": b})
            if kind in ("float", "int32", "int64", "bool"):
                yield case(f"{operator} {kind} constant first", operator, {"b": b}, {"a": a}, order=["a", "b"])
                yield case(f"{operator} {kind} scalar constant", operator, {"a": a}, {"b": draw(kind, low=1)})
                yield case(f"{operator} {kind} both constant", operator, {}, {"a": a, "b": b}, order=["a", "b"])
        kind = "bool" if operator in ("And", "Or", "Xor") else "float"
        for left, right in (((2, 3), (3,)), ((3,), (2, 3)), ((2, 1, 3), (4, 1)), ((), (2, 3)), ((), ())):
            shapes = f"{list(left)} {list(right)}"
            fed = {"a": draw(kind, *left), "b": draw(kind, *right, seed=1, low=1)}
            yield case(f"{operator} {kind} {shapes}", operator, fed)


def casts() -> Iterator[Case]:
    """From each type to each."""
    for source in TYPES:
        for target in TYPES:
            x = draw(source, 2, 3)
            yield case(f"Cast {source} {target}", "Cast", {"x": x}, to=proto_of(target))
            if source != target:
                yield case(f"Cast {source} {target} constant", "Cast", {}, {"x": x}, order=["x"], to=proto_of(target))


def reductions() -> Iterator[Case]:
    """Reductions by type: all axes, one, several, none kept."""
    for name in REDUCTIONS:
        operator = f"Reduce{name}"
        for kind in TYPES:
            x = draw(kind, 2, 3, 4, low=1)
            for label, axes, kept in (("all", None, 1), ("one", [1], 1), ("last two", [-1, -2], 0)):
                constants, words = dict[str, np.ndarray](), dict[str, Any]()
                if axes is not None and operator == "ReduceSum":  # axes are an input from opset 13 on
                    constants["axes"] = np.array(axes, np.int64)
                elif axes is not None:
                    words["axes"] = axes
                yield case(f"{operator} {kind} {label}", operator, {"x": x}, constants, keepdims=kept, **words)
    for operator in ("ArgMax", "ArgMin"):
        for kind in TYPES:
            for axis, kept in ((1, 1), (-1, 0)):
                x = draw(kind, 2, 3, 4, seed=2)
                yield case(f"{operator} {kind} {axis} {kept}", operator, {"x": x}, axis=axis, keepdims=kept)


def index(kind: str, *values: Any) -> np.ndarray:
    """Return whole numbers of a type."""
    return np.array(values, TYPES[kind])


def i64(*values: Any) -> np.ndarray:
    """Return sizes, axes or places, int64 as ONNX has them."""
    return index("int64", *values)


def moves() -> Iterator[Case]:
    """Operators that move values, by type."""
    for kind in TYPES:
        for kinds in (joins, gathers, scatters, shapes, pads, choices, fills, triangles, orders):
            yield from kinds(kind)


def joins(kind: str) -> Iterator[Case]:
    """Tensors joined, cut and split."""
    x, y = draw(kind, 2, 3, 4), draw(kind, 2, 3, 4, seed=1)
    yield case(f"Concat {kind}", "Concat", {"a": x, "b": y}, axis=1)
    yield case(f"Concat {kind} constant", "Concat", {"a": x}, {"b": y}, axis=-1)
    slices = {"starts": i64(1, -3), "ends": i64(3, 2**31), "axes": i64(1, 2), "steps": i64(1, 2)}
    yield case(f"Slice {kind}", "Slice", {"x": x}, slices)
    backwards = {"starts": i64(-1), "ends": i64(-(2**31)), "axes": i64(2), "steps": i64(-1)}
    yield case(f"Slice {kind} backwards", "Slice", {"x": x}, backwards)
    yield case(f"Split {kind}", "Split", {"x": x}, outputs=2, axis=2)
    yield case(f"Split {kind} sizes", "Split", {"x": x}, {"s": i64(1, 3)}, outputs=2, axis=2)


def gathers(kind: str) -> Iterator[Case]:
    """Values picked by their places."""
    x = draw(kind, 2, 3, 4)
    for places in INDICES:
        yield case(f"Gather {kind} {places}", "Gather", {"x": x, "i": index(places, 2, 0)}, axis=1)
        yield case(f"Gather {kind} {places} constant", "Gather", {"x": x}, {"i": index(places, -1, 0)}, axis=1)
        fed = {"x": x, "i": index(places, [[0, 1]], [[2, 1]])}
        yield case(f"GatherElements {kind} {places}", "GatherElements", fed, axis=1)
        yield case(f"GatherND {kind} {places}", "GatherND", {"x": x, "i": index(places, [0, 1], [1, 2])})
    yield case(f"Gather {kind} of constant", "Gather", {"i": i64(1, 0)}, {"x": x}, order=["x", "i"])


def scatters(kind: str) -> Iterator[Case]:
    """Values put to their places."""
    x = draw(kind, 2, 3, 4)
    fed = {"x": x, "i": i64([[0, 1]], [[2, 1]]), "u": draw(kind, 2, 1, 2, seed=3)}
    yield case(f"ScatterElements {kind}", "ScatterElements", fed, axis=1)
    fed = {"x": x, "i": i64([0, 1], [1, 2]), "u": draw(kind, 2, 4, seed=3)}
    yield case(f"ScatterND {kind}", "ScatterND", fed)


def shapes(kind: str) -> Iterator[Case]:
    """Other shapes of the same values, and values repeated."""
    x, square = draw(kind, 2, 3, 4), draw(kind, 1, 4, 2, 2)
    yield case(f"Reshape {kind}", "Reshape", {"x": x}, {"s": i64(0, -1)})
    yield case(f"Reshape {kind} fed", "Reshape", {"x": x, "s": i64(4, 6)})
    yield case(f"Expand {kind}", "Expand", {"x": draw(kind, 3, 1)}, {"s": i64(2, 1, 4)})
    yield case(f"Tile {kind}", "Tile", {"x": x}, {"r": i64(1, 2, 2)})
    yield case(f"Squeeze {kind}", "Squeeze", {"x": draw(kind, 1, 3, 1)}, {"a": i64(0)})
    yield case(f"Squeeze {kind} all", "Squeeze", {"x": draw(kind, 1, 3, 1)})
    yield case(f"Unsqueeze {kind}", "Unsqueeze", {"x": x}, {"a": i64(0, -1)})
    for operator in ("DepthToSpace", "SpaceToDepth"):
        yield case(f"{operator} {kind}", operator, {"x": square}, blocksize=2)


def pads(kind: str) -> Iterator[Case]:
    """Borders, by mode."""
    x, sizes = draw(kind, 2, 3, 4), i64(0, 0, 1, 0, 0, 2)
    yield case(f"Pad {kind}", "Pad", {"x": x}, {"p": sizes})
    yield case(f"Pad {kind} value", "Pad", {"x": x}, {"p": sizes, "v": draw(kind, low=1)})
    for mode in ("reflect", "edge"):
        yield case(f"Pad {kind} {mode}", "Pad", {"x": x}, {"p": sizes}, mode=mode)


def choices(kind: str) -> Iterator[Case]:
    """Values chosen by a condition, and left out."""
    x, y = draw(kind, 2, 3, 4), draw(kind, 2, 3, 4, seed=1)
    yield case(f"Where {kind}", "Where", {"c": draw("bool", 2, 3, 4, seed=5), "a": x, "b": y})
    yield case(f"Where {kind} constants", "Where", {"c": draw("bool", 3, 1, seed=5)}, {"a": x, "b": draw(kind)})
    yield case(f"Compress {kind}", "Compress", {"x": x, "c": np.array([True, False, True])}, axis=1)
    yield case(f"Unique {kind}", "Unique", {"x": x})


def fills(kind: str) -> Iterator[Case]:
    """Tensors made of a shape, of limits or of places."""
    value = numpy_helper.from_array(draw(kind, 1, low=1), "value")
    yield case(f"ConstantOfShape {kind}", "ConstantOfShape", {}, {"s": i64(2, 3)}, order=["s"], value=value)
    yield case(f"ConstantOfShape {kind} fed", "ConstantOfShape", {"s": i64(2, 3)}, value=value)
    if kind != "bool":
        limits = {key: np.array(number, TYPES[kind]) for key, number in (("a", 1), ("b", 7), ("d", 2))}
        yield case(f"Range {kind}", "Range", limits)
        yield case(f"Range {kind} constant", "Range", {}, limits, order=["a", "b", "d"])
    yield case(f"OneHot {kind}", "OneHot", {"i": i64(0, 2, 1)}, {"d": np.array(3), "v": draw(kind, 2, seed=7)})


def triangles(kind: str) -> Iterator[Case]:
    """What depends on an element's place in a matrix."""
    yield case(f"EyeLike {kind}", "EyeLike", {"x": draw(kind, 3, 3)})
    yield case(f"Trilu {kind}", "Trilu", {"x": draw(kind, 3, 4)}, upper=0)
    yield case(f"Trilu {kind} k", "Trilu", {"x": draw(kind, 2, 3, 4)}, {"k": np.array(1)})


def orders(kind: str) -> Iterator[Case]:
    """Sums along an axis, sequences turned round, the largest elements."""
    x, unequal = draw(kind, 2, 3, 4), np.random.default_rng(4).permutation(24).reshape(2, 3, 4).astype(TYPES[kind])
    yield case(f"CumSum {kind}", "CumSum", {"x": x}, {"a": np.array(1)})
    yield case(f"CumSum {kind} reverse", "CumSum", {"x": x}, {"a": np.array(-1, np.int32)}, reverse=1, exclusive=1)
    yield case(f"ReverseSequence {kind}", "ReverseSequence", {"x": x, "n": i64(1, 2, 2)}, time_axis=0, batch_axis=1)
    for count in (2, 4):
        yield case(f"TopK {kind} {count}", "TopK", {"x": unequal}, {"k": i64(count)}, outputs=2, axis=-1)
    yield case(f"TopK {kind} smallest", "TopK", {"x": unequal}, {"k": i64(2)}, outputs=2, axis=1, largest=0)


def products() -> Iterator[Case]:
    """What computes of windows, matrices and sequences, by type."""
    for kind in ("float", "half", "double", "int32", "int64", "int8", "uint8"):
        for kinds in (matrices, convolutions, pools, normalisations, samples, sequences, bounds):
            yield from kinds(kind)


def matrices(kind: str) -> Iterator[Case]:
    """Products of matrices."""
    for left, right in (((2, 3), (3, 4)), ((2, 2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,))):
        a, b = draw(kind, *left), draw(kind, *right, seed=1)
        yield case(f"MatMul {kind} {list(left)} {list(right)}", "MatMul", {"a": a, "b": b})
        yield case(f"MatMul {kind} {list(left)} {list(right)} constant", "MatMul", {"a": a}, {"b": b})
    a, b = draw(kind, 2, 3), draw(kind, 4, 3, seed=1)
    yield case(f"Gemm {kind}", "Gemm", {"a": a}, {"b": b, "c": draw(kind, 4)}, transB=1)
    yield case(f"Gemm {kind} fed", "Gemm", {"a": a, "b": b, "c": draw(kind, 2, 1)}, transB=1, alpha=0.5, beta=2.0)
    yield case(f"Einsum {kind}", "Einsum", {"a": a, "b": b}, equation="ij,kj->ik")


def convolutions(kind: str) -> Iterator[Case]:
    """Convolutions, of one dimension to three, and transposed."""
    x, w = draw(kind, 1, 2, 5, 5), draw(kind, 4, 2, 3, 3, seed=1)
    yield case(f"Conv {kind}", "Conv", {"x": x}, {"w": w, "b": draw(kind, 4)})
    yield case(f"Conv {kind} fed", "Conv", {"x": x, "w": w}, pads=[1, 1, 1, 1])
    yield case(f"Conv {kind} 1d", "Conv", {"x": x[:, :, 0]}, {"w": w[:, :, 0]}, pads=[1, 1])
    yield case(f"Conv {kind} 3d", "Conv", {"x": draw(kind, 1, 2, 4, 4, 4)}, {"w": draw(kind, 4, 2, 3, 3, 3)})
    turned = {"w": draw(kind, 2, 4, 3, 3, seed=1)}
    yield case(f"ConvTranspose {kind}", "ConvTranspose", {"x": x}, turned, strides=[2, 2], output_padding=[1, 1])
    yield case(f"ConvTranspose {kind} same", "ConvTranspose", {"x": x}, turned, auto_pad="SAME_UPPER")


def pools(kind: str) -> Iterator[Case]:
    """Pools of windows, and of everything."""
    x = draw(kind, 1, 2, 5, 5)
    for pool in ("MaxPool", "AveragePool"):
        yield case(f"{pool} {kind}", pool, {"x": x}, kernel_shape=[2, 2], strides=[2, 2])
        yield case(f"{pool} {kind} ceil", pool, {"x": x}, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
        yield case(f"{pool} {kind} 1d", pool, {"x": x[:, :, 0]}, kernel_shape=[2])
    yield case(f"MaxPool {kind} indices", "MaxPool", {"x": x}, outputs=2, kernel_shape=[2, 2])
    for pool in ("GlobalAveragePool", "GlobalMaxPool"):
        yield case(f"{pool} {kind}", pool, {"x": x})
    yield case(f"LpPool {kind}", "LpPool", {"x": x}, kernel_shape=[2, 2])


def normalisations(kind: str) -> Iterator[Case]:
    """Elements over those around them."""
    x, c, row = draw(kind, 1, 2, 5, 5), draw(kind, 2, low=1), draw(kind, 5, low=1)
    yield case(f"LRN {kind}", "LRN", {"x": x}, size=3)
    yield case(f"MeanVarianceNormalization {kind}", "MeanVarianceNormalization", {"x": x})
    yield case(f"LpNormalization {kind}", "LpNormalization", {"x": x}, axis=1)
    moments = {"s": c, "b": c, "m": c, "v": c}
    yield case(f"BatchNormalization {kind}", "BatchNormalization", {"x": x}, moments)
    yield case(f"InstanceNormalization {kind}", "InstanceNormalization", {"x": x}, {"s": c, "b": c})
    yield case(f"LayerNormalization {kind}", "LayerNormalization", {"x": x}, {"s": row, "b": row})


def samples(kind: str) -> Iterator[Case]:
    """Pictures in other sizes, at other places, of regions."""
    x, scales = draw(kind, 1, 2, 5, 5), {"s": np.array([1, 1, 2, 2], np.float32)}
    for mode in ("nearest", "linear", "cubic"):
        yield case(f"Resize {kind} {mode}", "Resize", {"x": x}, scales, order=["x", "", "s"], mode=mode)
    grid = np.random.default_rng(0).uniform(-1, 1, (1, 3, 3, 2)).astype(TYPES[kind])
    yield case(f"GridSample {kind}", "GridSample", {"x": x, "g": grid})
    boxes = {"r": np.array([[0, 0, 3, 3]], TYPES[kind]), "i": np.zeros(1, np.int64)}
    yield case(f"RoiAlign {kind}", "RoiAlign", {"x": x, **boxes}, output_height=2, output_width=2)


def sequences(kind: str) -> Iterator[Case]:
    """Recurrent layers."""
    for operator, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        weights = {"w": draw(kind, 1, gates * 2, 3), "r": draw(kind, 1, gates * 2, 2, seed=1)}
        yield case(f"{operator} {kind}", operator, {"x": draw(kind, 4, 1, 3)}, weights, outputs=2, hidden_size=2)


def bounds(kind: str) -> Iterator[Case]:
    """Values between two."""
    x, limits = draw(kind, 1, 2, 5, 5), {"low": draw(kind, low=1, high=2), "high": draw(kind, low=3, high=4)}
    yield case(f"Clip {kind}", "Clip", {"x": x}, limits)
    yield case(f"Clip {kind} none", "Clip", {"x": x})
    yield case(f"Clip {kind} fed", "Clip", {"x": x, **limits})


def quantisation() -> Iterator[Case]:
    """Quantise and dequantise, by type of scale and zero point."""
    x = draw("float", 2, 3, 2)
    for zero in ("int8", "uint8", None):
        point = {} if zero is None else {"z": np.zeros((), TYPES[zero])}
        scale = {"s": np.array(0.5, np.float32)}
        yield case(f"QuantizeLinear {zero}", "QuantizeLinear", {"x": x}, scale | point)
        for kind in ("int8", "uint8", "int32"):
            values = draw(kind, 2, 3, 2)
            yield case(f"DequantizeLinear {kind} {zero}", "DequantizeLinear", {"x": values}, scale | point)
            known = {"x": values}
            yield case(
                f"DequantizeLinear {kind} {zero} constant",
                "DequantizeLinear",
                {},
                known | scale | point,
                order=[*known, *scale, *point],
            )
    yield case("DynamicQuantizeLinear", "DynamicQuantizeLinear", {"x": x}, outputs=3)


def cases() -> Iterator[Case]:
    """Every case, in an order that stays."""
    for kinds in (unary, binary, casts, reductions, moves, products, quantisation):
        yield from kinds()
