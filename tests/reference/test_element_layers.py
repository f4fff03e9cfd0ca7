"""Layers on single elements against NumPy: functions, comparisons, conversions, normalisations."""

import math

import numpy as np
import pytest
import torch
from networks import constant, run_layer
from torch.nn import functional

import trtflow.reference as trt
from trtflow.reference import BuildError, NetworkError

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(2, 4, 5, 6)).astype(np.float32)
OTHER = (RNG.normal(size=(2, 4, 1, 6)) + 3).astype(np.float32)
INTEGERS = RNG.integers(-9, 10, (2, 4, 5)).astype(np.int32)
DIVISORS = RNG.choice([-4, -3, -2, 2, 3, 5], (2, 4, 5)).astype(np.int32)
FLAGS = RNG.integers(0, 2, (2, 3, 2, 2)).astype(bool)
BINARY = trt.ElementWiseOperation.__members__
UNARY = trt.UnaryOperation.__members__

FUNCTIONS = {
    "SUM": np.add,
    "PROD": np.multiply,
    "MAX": np.maximum,
    "MIN": np.minimum,
    "SUB": np.subtract,
    "DIV": np.divide,
    "FLOOR_DIV": lambda a, b: np.floor(a / b),
    "EQUAL": np.equal,
    "GREATER": np.greater,
    "LESS": np.less,
}


def close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, np.asarray(expected), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_binary_function_of_floats(name, explicit):
    (found,) = run_layer(
        lambda network, a, b: network.add_elementwise(a, b, BINARY[name]), DATA, OTHER, explicit=explicit
    )
    close(found, FUNCTIONS[name](DATA, OTHER))
    assert found.dtype == (bool if name in ("EQUAL", "GREATER", "LESS") else np.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_binary_function_of_integers(name):
    (found,) = run_layer(lambda network, a, b: network.add_elementwise(a, b, BINARY[name]), INTEGERS, DIVISORS)
    wanted = np.trunc(INTEGERS / DIVISORS) if name == "DIV" else FUNCTIONS[name](INTEGERS, DIVISORS)
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == (bool if name in ("EQUAL", "GREATER", "LESS") else np.int32)


@pytest.mark.parametrize(
    ("name", "function"), [("AND", np.logical_and), ("OR", np.logical_or), ("XOR", np.logical_xor)]
)
def test_logic(name, function):
    (found,) = run_layer(lambda network, a, b: network.add_elementwise(a, b, BINARY[name]), FLAGS, FLAGS[:, ::-1])
    np.testing.assert_array_equal(found, function(FLAGS, FLAGS[:, ::-1]))
    (found,) = run_layer(lambda network, a: network.add_unary(a, UNARY["NOT"]), FLAGS)
    np.testing.assert_array_equal(found, ~FLAGS)


def test_power_of_floats():
    (found,) = run_layer(lambda network, a, b: network.add_elementwise(a, b, BINARY["POW"]), np.abs(DATA), OTHER)
    close(found, np.abs(DATA) ** OTHER)


UNIT = (DATA / np.abs(DATA).max() * 0.9).astype(np.float32)
POSITIVE = np.abs(DATA) + 1
ARGUMENTS = {
    "EXP": (DATA, np.exp),
    "LOG": (POSITIVE, np.log),
    "SQRT": (POSITIVE, np.sqrt),
    "RECIP": (POSITIVE, np.reciprocal),
    "ABS": (DATA, np.abs),
    "NEG": (DATA, np.negative),
    "SIN": (DATA, np.sin),
    "COS": (DATA, np.cos),
    "TAN": (UNIT, np.tan),
    "SINH": (DATA, np.sinh),
    "COSH": (DATA, np.cosh),
    "ASIN": (UNIT, np.arcsin),
    "ACOS": (UNIT, np.arccos),
    "ATAN": (DATA, np.arctan),
    "ASINH": (DATA, np.arcsinh),
    "ACOSH": (POSITIVE, np.arccosh),
    "ATANH": (UNIT, np.arctanh),
    "CEIL": (DATA, np.ceil),
    "FLOOR": (DATA, np.floor),
    "ERF": (DATA, np.vectorize(math.erf, otypes=[np.float32])),
    "SIGN": (DATA, np.sign),
    "ROUND": (np.round(DATA * 2) / 2, np.rint),  # halves go to even numbers
    "ISINF": (np.where(DATA > 1, np.inf, DATA), np.isinf),
}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_function(name, precision):
    data, function = ARGUMENTS[name]
    (found,) = run_layer(
        lambda network, tensor: network.add_unary(tensor, UNARY[name]), data, explicit=True, precision=precision
    )
    if precision == "fp32" or found.dtype == bool:
        close(found, function(data), 1e-4)
    else:
        rounded = function(data.astype(np.float16).astype(np.float32)).astype(np.float16)
        close(found, rounded, 2e-3)
        np.testing.assert_array_equal(found, found.astype(np.float16))


def test_sign_and_magnitude_of_integers():
    (found,) = run_layer(lambda network, tensor: network.add_unary(tensor, UNARY["ABS"]), INTEGERS, explicit=True)
    np.testing.assert_array_equal(found, np.abs(INTEGERS))
    (found,) = run_layer(lambda network, tensor: network.add_unary(tensor, UNARY["SIGN"]), INTEGERS, explicit=True)
    np.testing.assert_array_equal(found, np.sign(INTEGERS))


@pytest.mark.parametrize("name", ["SIGN", "ROUND"])
def test_functions_that_tensorrt_has_with_an_explicit_batch_only(name):
    with pytest.raises(NetworkError, match=f"{name} with an implicit batch. Make the batch explicit"):
        run_layer(lambda network, tensor: network.add_unary(tensor, UNARY[name]), DATA)


@pytest.mark.parametrize(
    ("name", "alpha", "beta", "function"),
    [
        ("RELU", 0, 0, lambda x: np.maximum(x, 0)),
        ("SIGMOID", 0, 0, lambda x: 1 / (1 + np.exp(-x))),
        ("TANH", 0, 0, np.tanh),
        ("LEAKY_RELU", 0.1, 0, lambda x: np.where(x > 0, x, 0.1 * x)),
        ("ELU", 0.7, 0, lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
        ("SELU", 1.5, 1.1, lambda x: 1.1 * np.where(x > 0, x, 1.5 * np.expm1(x))),
        ("SOFTSIGN", 0, 0, lambda x: x / (1 + np.abs(x))),
        ("SOFTPLUS", 2, 0.5, lambda x: 2 * np.log1p(np.exp(0.5 * x))),
        ("CLIP", -0.5, 0.7, lambda x: np.clip(x, -0.5, 0.7)),
        ("HARD_SIGMOID", 0.2, 0.5, lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
        ("SCALED_TANH", 2, 0.5, lambda x: 2 * np.tanh(0.5 * x)),
        ("THRESHOLDED_RELU", 0.3, 0, lambda x: np.where(x > 0.3, x, 0)),
    ],
)
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 4e-3)])
def test_activation(name, alpha, beta, function, precision, tolerance):
    def add(network, tensor):
        layer = network.add_activation(tensor, trt.ActivationType.__members__[name])
        layer.alpha, layer.beta = alpha, beta
        return layer

    close(run_layer(add, DATA, precision=precision)[0], function(DATA), tolerance)


@pytest.mark.parametrize("explicit", [False, True])
def test_parametric_relu(explicit):
    slopes = RNG.normal(size=(4, 1, 1)).astype(np.float32)

    def add(network, tensor):
        shaped = slopes[None] if explicit else slopes
        return network.add_parametric_relu(tensor, constant(network, shaped))

    close(run_layer(add, DATA, explicit=explicit)[0], np.where(DATA < 0, DATA * slopes, DATA))


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(
    ("mode", "axis", "shape"),
    [
        ("UNIFORM", 2, ()),
        ("CHANNEL", 1, (4, 1, 1)),
        ("CHANNEL", 3, (6,)),
        ("ELEMENTWISE", 1, (4, 5, 6)),
        ("CHANNEL", 2, (5, 1)),
    ],
)
def test_scale_along_any_axis(mode, axis, shape, explicit):
    shift, scale, power = RNG.random((3, *shape)).astype(np.float32)

    def add(network, tensor):
        channel_axis = axis - (not explicit)
        return network.add_scale_nd(tensor, trt.ScaleMode.__members__[mode], shift, scale, power, channel_axis)

    close(run_layer(add, POSITIVE, explicit=explicit)[0], (POSITIVE * scale + shift) ** power, 1e-4)


def test_select_chooses_element_by_element():
    def add(network, tensor, other):
        greater = network.add_elementwise(tensor, other, BINARY["GREATER"]).get_output(0)
        return network.add_select(greater, tensor, other)

    (found,) = run_layer(add, DATA, OTHER - 3, explicit=True)
    np.testing.assert_array_equal(found, np.maximum(DATA, OTHER - 3))
    with pytest.raises(NetworkError, match="Select with an implicit batch"):
        run_layer(add, DATA, OTHER)


CONVERSIONS = [
    (DATA * 10, "INT32"),
    (INTEGERS, "FLOAT"),
    (INTEGERS, "BOOL"),
    (FLAGS, "FLOAT"),
    (FLAGS, "INT32"),
    (np.round(DATA), "BOOL"),
    (INTEGERS.astype(np.uint8) % 100, "FLOAT"),
    (np.abs(DATA * 10), "UINT8"),
    (DATA, "HALF"),
]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("by", ["cast", "identity"])
@pytest.mark.parametrize(("data", "name"), CONVERSIONS)
def test_conversion(data, name, by, precision):
    dtype = trt.DataType.__members__[name]

    def add(network, tensor):
        if by == "cast":
            return network.add_cast(tensor, dtype)
        layer = network.add_identity(tensor)
        layer.set_output_type(0, dtype)
        return layer

    (found,) = run_layer(add, data, precision=precision)
    assert found.dtype == trt.nptype(dtype)
    np.testing.assert_array_equal(found, data.astype(trt.nptype(dtype)))


def test_conversion_of_what_half_precision_computed():
    data = np.arange(2048, 2056, dtype=np.float32).reshape(1, 8, 1, 1)  # half precision keeps even numbers here

    def add(network, tensor):
        relu = network.add_activation(tensor, trt.ActivationType.RELU).get_output(0)
        return [network.add_cast(source, trt.int32).get_output(0) for source in (tensor, relu)]

    direct, computed = run_layer(add, data, precision="fp16")
    np.testing.assert_array_equal(direct, data)
    np.testing.assert_array_equal(computed, data.astype(np.float16))


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("axes", [(3,), (2, 3), (1, 2, 3)])
def test_normalisation(axes, explicit):
    shape = [size if axis in axes else 1 for axis, size in enumerate(DATA.shape)]
    gain, offset = RNG.normal(size=(2, *shape)).astype(np.float32)

    def add(network, tensor):
        parts = [constant(network, part if explicit else part[0]) for part in (gain, offset)]
        mask = sum(1 << axis for axis in axes) >> (not explicit)
        layer = network.add_normalization(tensor, *parts, mask)
        layer.epsilon = 0.01
        return layer

    mean, variance = DATA.mean(axes, keepdims=True), DATA.var(axes, keepdims=True)
    wanted = (DATA - mean) / np.sqrt(variance + 0.01) * gain + offset
    close(run_layer(add, DATA, explicit=explicit)[0], wanted, 1e-4)
    half = run_layer(add, DATA, explicit=explicit, precision="fp16")[0]
    close(half, wanted, 1e-4)  # float32 all the same


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("count", [2, 4])
def test_normalisation_of_groups(count, explicit):
    """Scale and bias are one a group: TensorRT 8.6 does not build one a channel."""
    gain, offset = RNG.normal(size=(2, count)).astype(np.float32)

    def add(network, tensor):
        ones = (1, count, 1, 1) if explicit else (count, 1, 1)
        parts = [constant(network, part.reshape(ones)) for part in (gain, offset)]
        layer = network.add_normalization(tensor, *parts, 0b1100 if explicit else 0b110)
        layer.num_groups = 2
        return layer

    if count == 4:
        with pytest.raises(BuildError, match="scale dimensions not compatible for normalization"):
            run_layer(add, DATA, explicit=explicit)
        return
    wide = [torch.tensor(np.repeat(part, 2)) for part in (gain, offset)]
    close(run_layer(add, DATA, explicit=explicit)[0], functional.group_norm(torch.tensor(DATA), 2, *wide), 1e-4)


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (
            lambda n, x: n.add_elementwise(x, constant(n, np.ones((4, 5), np.float32)), BINARY["SUM"]),
            "do not fit together",
        ),
        (lambda n, x: n.add_elementwise(x, x, BINARY["AND"]), "input 0, 'x0', is FLOAT. ElementWise takes BOOL"),
        (
            lambda n, x: n.add_elementwise(x, integers(n, x), BINARY["SUM"]),
            "input 1, .* is INT32. ElementWise takes FLOAT",
        ),
        (
            lambda n, x: n.add_elementwise(integers(n, x), integers(n, x), BINARY["POW"]),
            "is INT32. ElementWise takes FLOAT",
        ),
        (
            lambda n, x: n.add_unary(integers(n, x), UNARY["EXP"]),
            "is INT32. Unary takes FLOAT, HALF there; .* add_cast",
        ),
        (lambda n, x: n.add_unary(x, UNARY["NOT"]), "is FLOAT. Unary takes BOOL"),
        (lambda n, x: n.add_scale(x, trt.ScaleMode.CHANNEL, np.ones(3, np.float32)), "3 shift weights.* needs 4"),
        (lambda n, x: n.add_scale(x, trt.ScaleMode.UNIFORM, None, [1, 2]), "2 scale weights.* needs 1"),
        (lambda n, x: n.add_softmax(set_axes(n, x)), "SoftMax along the axes"),
        (lambda n, x: n.add_normalization(x, x, x, 0b1000), "axes 0b1000"),
        (lambda n, x: typed(n.add_unary(x, UNARY["EXP"]), trt.int32), "is FLOAT and cannot be INT32. Convert it"),
        (lambda n, x: n.add_parametric_relu(x, constant(n, np.ones((8, 1, 1), np.float32))), "do not fit together"),
    ],
)
def test_what_does_not_fit_is_named(add, message):
    with pytest.raises(NetworkError, match=message):
        run_layer(add, DATA)


def integers(network, tensor):
    return network.add_cast(tensor, trt.int32).get_output(0)


def set_axes(network, tensor):
    softmax = network.add_softmax(tensor)
    softmax.axes = 3
    return softmax.get_output(0)


def typed(layer, dtype):
    layer.set_output_type(0, dtype)
    return layer
