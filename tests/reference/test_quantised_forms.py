"""Networks that quantise themselves in forms that TensorRT 8.6.0 parses, with what an H200 made of each."""

import numpy as np
import onnx.parser
import pytest
from onnx import numpy_helper
from onnx_table import Recorder

import trtflow.reference as trt

RANDOM = np.random.default_rng(0)
MERGE = "Assertion equalOrZero({result.scale.count(), result.shift.count(), result.power.count()}) failed"
COSTS = "Could not find any implementation for node"
OTHER = "TensorRT 8.6 gives other values"
STEPS = "float q={0.02}, int8 o={0}"


def pair(value, result, scale="q", zero="o", **attributes):
    """A quantisation and its inverse, in ONNX's text."""
    axis = f"<axis={attributes['axis']}>" if attributes else ""
    quantised = f"{result}_steps = QuantizeLinear{axis}({value}, {scale}, {zero})"
    return f"{quantised} {result} = DequantizeLinear{axis}({result}_steps, {scale}, {zero})"


def built(shape, nodes, weights, stored=STEPS, made="A,B,C,D"):
    """Build a network; return whether it was, the error, and the warnings."""
    text = f"(float[{shape}] x) => (float[{made}] y) <{stored}> {{ {nodes} }}"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    for node in model.graph.node:
        if node.op_type.startswith("Conv"):  # behind a pair TensorRT needs to be told
            window = weights[node.input[1][0]].shape[2:]
            node.attribute.append(onnx.helper.make_attribute("kernel_shape", window))
    logger = Recorder()
    builder = trt.Builder(logger)
    network = builder.create_network(1)
    parser = trt.OnnxParser(network, logger)
    assert parser.parse(model.SerializeToString()), parser.get_error(0).desc()
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    config.set_flag(trt.BuilderFlag.INT8)
    profile.set_shape("x", *[[2, *network.get_input(0).shape[1:]]] * 3)
    config.add_optimization_profile(profile)
    try:
        builder.build_serialized_network(network, config)
        error = ""
    except trt.BuildError as found:  # tests have the runtime raise
        error = str(found)
    return not error, error, " ".join(text for kind, text in logger.told if kind == trt.Logger.WARNING)


def kernel(maps, channels, *window):
    return RANDOM.normal(size=(maps, channels, *window)).astype(np.float32)


PRODUCTS = {  # between Relu(Conv) in INT8 and a quantisation in front of the next
    "constants by channel": ("f = Mul(p, c)", MERGE),
    "constants by channel, of four dimensions": ("f = Mul(p, c4)", MERGE),
    "a constant for each element": ("f = Mul(p, whole)", MERGE),
    "the factors the other way round": ("f = Mul(c, p)", MERGE),
    "of what has no pair in front": ("f = Mul(r, c)", MERGE),
    "behind a norm": ("l = ReduceL2<axes=[1]>(p) n = Div(p, l) f = Mul(n, c)", MERGE),
    "with a ReLU behind": ("i = Mul(p, c) f = Relu(i)", MERGE),
    "with a maximum behind": ("i = Mul(p, c) f = Max(i, low)", MERGE),
    "with an identity behind": ("i = Mul(p, c) f = Identity(i)", MERGE),
    "a number": ("f = Mul(p, two)", OTHER),
    "a number, behind a norm": ("l = ReduceL2<axes=[1]>(p) n = Div(p, l) f = Mul(n, two)", ""),
    "constants over a norm": ("l = ReduceL2<axes=[1]>(p) n = Div(c, l) f = Mul(p, n)", ""),
    "constants first, then a norm": ("l = ReduceL2<axes=[1]>(p) n = Mul(p, c) f = Div(n, l)", ""),
    "a division": ("f = Div(p, c)", ""),
    "a sum": ("f = Add(p, c)", ""),
    "a difference": ("f = Sub(p, c)", ""),
    "a maximum": ("f = Max(p, c)", ""),
    "a sum behind it": ("i = Mul(p, c) f = Add(i, c)", ""),
    "transposed around": (
        "i = Transpose<perm=[0,2,3,1]>(p) n = Mul(i, last) f = Transpose<perm=[0,3,1,2]>(n)",
        "",
    ),
    "a convolution alone in front": ("f = Mul(a, c)", ""),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_with_constants_in_front_of_a_quantisation(name):
    nodes, answer = PRODUCTS[name]
    front = f"{pair('x', 'i0')} {pair('k', 'k0')} a = Conv<pads=[1,1,1,1]>(i0, k0) r = Relu(a) {pair('r', 'p')}"
    behind = f"{pair('f', 'b')} {pair('v', 'v0')} y = Conv(b, v0)"
    c = np.arange(1, 9, dtype=np.float32).reshape(8, 1, 1)
    weights = {"k": kernel(8, 3, 3, 3), "v": kernel(4, 8, 1, 1), "c": c, "c4": c[None], "two": np.float32(2)}
    weights |= {"whole": np.broadcast_to(c[None], (1, 8, 6, 6)).copy(), "last": c.reshape(1, 1, 1, 8)}
    weights["low"] = np.full((1, 1, 1, 1), -3e38, np.float32)
    done, errors, warnings = built("N,3,6,6", f"{front} {nodes} {behind}", weights)
    assert done == (answer != MERGE)
    assert answer in errors + warnings
    assert answer or OTHER not in warnings


GROUPS = {  # channels, maps, groups
    "a map of each of 3": (3, 3, 3, True),
    "a map of each of 16": (16, 16, 16, True),
    "2 groups of 4 channels": (8, 8, 2, True),
    "4 groups of 4 channels": (16, 32, 4, True),
    "one group": (3, 24, 1, True),
    "8 maps of each of 3": (3, 24, 3, False),
    "2 maps of each of 32": (32, 64, 32, False),
    "8 maps of each of 8": (8, 64, 8, False),
    "3 groups of 2 channels": (6, 12, 3, False),
    "3 groups of 3 channels": (9, 9, 3, False),
}


@pytest.mark.parametrize("behind", ["quantised", "in float"])
@pytest.mark.parametrize("name", GROUPS)
def test_convolutions_in_groups(name, behind):
    channels, maps, groups, fits = GROUPS[name]
    last = f"{pair('r', 'b')} {pair('v', 'v0')} y = Conv(b, v0)" if behind == "quantised" else "y = Conv(r, v)"
    nodes = f"{pair('x', 'i0')} {pair('k', 'k0')} a = Conv<group={groups}>(i0, k0) r = Relu(a) {last}"
    weights = {"k": kernel(maps, channels // groups, 3, 3), "v": kernel(4, maps, 1, 1)}
    done, errors, _ = built(f"N,{channels},6,6", nodes, weights)
    assert done == (fits or behind == "in float")
    assert done or COSTS in errors


@pytest.mark.parametrize(("behind", "fits"), [(pair("f", "b"), False), ("b = Identity(f)", True)])
def test_a_resize_between_two_pairs(behind, fits):
    nodes = f'{pair("x", "p")} f = Resize<mode="nearest">(p, , s) {behind} {pair("v", "v0")} y = Conv(b, v0)'
    weights = {"s": np.float32([1, 1, 2, 2]), "v": kernel(4, 8, 1, 1)}
    done, errors, warnings = built("N,8,6,6", nodes, weights)
    assert done, errors
    assert ("stands between two pairs" in warnings) == (not fits)


SCALES = {  # input, nodes, shape of the weights, their axis with scales, whether it is summed over
    "rows of a matrix": ("N,5,16", "y = MatMul(p, k0)", (16, 24), 0, True),
    "columns of a matrix": ("N,5,16", "y = MatMul(p, k0)", (16, 24), 1, False),
    "rows of a matrix in front": ("N,16,5", "y = MatMul(k0, p)", (24, 16), 0, False),
    "columns of a matrix in front": ("N,16,5", "y = MatMul(k0, p)", (24, 16), 1, True),
    "rows of a Gemm": ("N,16", "y = Gemm(p, k0)", (16, 24), 0, True),
    "columns of a Gemm": ("N,16", "y = Gemm(p, k0)", (16, 24), 1, False),
    "rows of a Gemm that is transposed": ("N,16", "y = Gemm<transB=1>(p, k0)", (24, 16), 0, False),
    "input channels of a transposed convolution": ("N,8,6,6", "y = ConvTranspose(p, k0)", (8, 6, 2, 2), 0, True),
    "its output channels": ("N,8,6,6", "y = ConvTranspose(p, k0)", (8, 6, 2, 2), 1, False),
    "channels that are groups": ("N,8,6,6", "y = ConvTranspose<group=8>(p, k0)", (8, 1, 2, 2), 0, False),
}


@pytest.mark.parametrize("name", SCALES)
def test_scales_along_an_axis_that_is_summed_over_are_warned_of(name):
    """TensorRT's values were 0.4 to 0.85 of the largest off there, and 1e-7 where it is not summed over."""
    shape, product, size, axis, summed = SCALES[name]
    weights = {"k": kernel(*size), "s": np.full(size[axis], 0.02, np.float32), "z": np.zeros(size[axis], np.int8)}
    nodes = f"{pair('x', 'p')} {pair('k', 'k0', 's', 'z', axis=axis)} {product}"
    made = ",".join("ABCD"[: shape.count(",") + 1])
    done, _, warnings = built(shape, nodes, weights, made=made)
    assert done
    assert (OTHER in warnings) == summed
