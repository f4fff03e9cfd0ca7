"""Layers on whole tensors: shapes and values against NumPy and PyTorch, with and without an implicit batch."""

import numpy as np
import pytest
import torch

import trtflow.reference as trt
from trtflow.reference import NetworkError
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(2, 4, 5, 6)).astype(np.float32)
NONE, TRANSPOSE, VECTOR = trt.MatrixOperation


def run(add, data=DATA, explicit=False, precision="fp32", dtype=None):
    """Return the outputs of a network of what `add(network, input)` gives, and the shape that it told."""
    told = []

    def define(trt, network):
        tensor = network.add_input("x", dtype or trt.float32, data.shape if explicit else data.shape[1:])
        layer = add(network, tensor)
        for index in range(layer.num_outputs):
            output = layer.get_output(index)
            told.append(tuple(output.shape))
            output.name = f"y{index}"
            network.mark_output(output)

    plan = build_plan(trt, define, precision, len(data), explicit_batch=explicit)
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)
    found = Session(trt, engine).run({"x": data})
    outputs = [found[f"y{index}"] for index in range(len(told))]
    for shape, output in zip(told, outputs, strict=True):
        assert output.shape == (shape if explicit else (len(data), *shape))
    return outputs


def constant(network, *shape, seed=1):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return network.add_constant(shape, values).get_output(0), values


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(("op", "shape"), [(NONE, (6, 3)), (TRANSPOSE, (3, 6)), (VECTOR, (6,))])
def test_matrix_product_with_a_constant(explicit, op, shape):
    ones = (1, 1) if explicit else (1,)
    kernel = np.random.default_rng(1).normal(size=shape).astype(np.float32)

    def add(network, tensor):
        weights = network.add_constant((*ones, *shape), kernel.reshape(*ones, *shape)).get_output(0)
        return network.add_matrix_multiply(tensor, NONE, weights, op)

    (found,) = run(add, explicit=explicit)
    wanted = DATA @ (kernel.T if op == TRANSPOSE else kernel)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_matrix_product_of_two_tensors_transposed():
    (found,) = run(lambda network, tensor: network.add_matrix_multiply(tensor, TRANSPOSE, tensor, NONE))
    np.testing.assert_allclose(found, DATA.swapaxes(2, 3) @ DATA, rtol=1e-4, atol=1e-5)


UNARY = {
    "EXP": np.exp,
    "ABS": np.abs,
    "NEG": np.negative,
    "SIN": np.sin,
    "COS": np.cos,
    "TAN": np.tan,
    "SINH": np.sinh,
    "COSH": np.cosh,
    "ATAN": np.arctan,
    "ASINH": np.arcsinh,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "SIGN": np.sign,
    "ROUND": np.rint,
    "RECIP": np.reciprocal,
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    (found,) = run(lambda network, tensor: network.add_unary(tensor, trt.UnaryOperation[name]))
    np.testing.assert_allclose(found, UNARY[name](DATA), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(
    ("name", "function"), [("SUM", np.sum), ("PROD", np.prod), ("MAX", np.max), ("MIN", np.min), ("AVG", np.mean)]
)
def test_reduce(name, function, keep, explicit):
    mask = 0b1010 if explicit else 0b101  # the same axes: a mask does not count an implicit batch
    (found,) = run(
        lambda network, tensor: network.add_reduce(tensor, trt.ReduceOperation[name], mask, keep), explicit=explicit
    )
    np.testing.assert_allclose(found, function(DATA, axis=(1, 3), keepdims=keep), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["MAX", "MIN"])
def test_topk_gives_values_and_places(name):
    values, places = run(lambda network, tensor: network.add_topk(tensor, trt.TopKOperation[name], 2, 0b100))
    order = np.argsort(-DATA if name == "MAX" else DATA, axis=3)[..., :2]
    np.testing.assert_array_equal(places, order)
    assert places.dtype == np.int32
    np.testing.assert_array_equal(values, np.take_along_axis(DATA, order, 3))


def test_gather_along_an_axis_and_embedding():
    indices = np.array([2, 0, 2], np.int32)

    def along(network, tensor):
        return network.add_gather(tensor, network.add_constant((3,), indices).get_output(0), 1)

    np.testing.assert_array_equal(run(along)[0], DATA[:, :, indices])
    table = RNG.normal(size=(7, 3)).astype(np.float32)
    ids = np.array([[[6]], [[1]]], np.int32)

    def embedding(network, tensor):
        return network.add_gather(network.add_constant((7, 3), table).get_output(0), tensor, 0)

    np.testing.assert_array_equal(run(embedding, ids, dtype=trt.int32)[0], table[ids])


def test_slice_and_padding():
    (found,) = run(lambda network, tensor: network.add_slice(tensor, (1, 0, 5), (2, 3, 3), (1, 2, -2)))
    np.testing.assert_array_equal(found, DATA[:, 1:3, 0:5:2, 5::-2])
    (found,) = run(lambda network, tensor: network.add_padding(tensor, (1, -2), (0, 3)))
    np.testing.assert_array_equal(found, np.pad(DATA[..., 2:], [(0, 0), (0, 0), (1, 0), (0, 3)]))


@pytest.mark.parametrize(("stride", "padding", "groups"), [((1, 1), (0, 0), 1), ((2, 3), (1, 1), 2)])
def test_deconvolution(stride, padding, groups):
    kernel = RNG.normal(size=(4, 6 // groups, 3, 3)).astype(np.float32)
    bias = RNG.normal(size=6).astype(np.float32)

    def add(network, tensor):
        layer = network.add_deconvolution(tensor, 6, (3, 3), kernel, bias)
        layer.stride, layer.padding, layer.num_groups = stride, padding, groups
        return layer

    wanted = torch.nn.functional.conv_transpose2d(
        *map(torch.from_numpy, (DATA, kernel, bias)), stride=stride, padding=padding, groups=groups
    )
    np.testing.assert_allclose(run(add)[0], wanted.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "alpha", "beta", "function"),
    [
        ("SOFTSIGN", 0, 0, lambda x: x / (1 + np.abs(x))),
        ("SOFTPLUS", 2, 0.5, lambda x: 2 * np.log1p(np.exp(0.5 * x))),
        ("SCALED_TANH", 2, 0.5, lambda x: 2 * np.tanh(0.5 * x)),
        ("HARD_SIGMOID", 0.2, 0.5, lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
        ("THRESHOLDED_RELU", 0.3, 0, lambda x: np.where(x > 0.3, x, 0)),
        ("SELU", 1.5, 1.1, lambda x: 1.1 * np.where(x > 0, x, 1.5 * np.expm1(x))),
        ("CLIP", -0.5, 0.7, lambda x: np.clip(x, -0.5, 0.7)),
    ],
)
def test_activation(name, alpha, beta, function):
    def add(network, tensor):
        layer = network.add_activation(tensor, trt.ActivationType[name])
        layer.alpha, layer.beta = alpha, beta
        return layer

    np.testing.assert_allclose(run(add)[0], function(DATA), rtol=1e-4, atol=1e-5)


def test_identity_turns_types():
    def add(network, tensor):
        layer = network.add_identity(tensor)
        layer.set_output_type(0, trt.int32)
        return layer

    (found,) = run(add)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, DATA.astype(np.int32))


def test_half_precision_rounds_what_is_computed():
    (exact,) = run(lambda network, tensor: network.add_unary(tensor, trt.UnaryOperation.EXP))
    (half,) = run(lambda network, tensor: network.add_unary(tensor, trt.UnaryOperation.EXP), precision="fp16")
    assert 0 < np.abs(half / exact - 1).max() < 2e-3


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda n, x: n.add_matrix_multiply(x, NONE, x, NONE), r"matrices of shapes \(4, 5, 6\) and \(4, 5, 6\)"),
        (lambda n, x: n.add_reduce(x, trt.ReduceOperation.SUM, 0b1000, True), "axes 0b1000"),
        (lambda n, x: n.add_topk(x, trt.TopKOperation.MAX, 9, 1), "the largest 9 of 4 elements"),
        (lambda n, x: n.add_topk(x, trt.TopKOperation.MAX, 1, 3), r"TopK along the axes \[0, 1\]"),
        (lambda n, x: n.add_gather(x, x, 0), "indices of type FLOAT"),
        (lambda n, x: n.add_slice(x, (0, 0, 0), (4, 5, 7), (1, 1, 1)), "leave the input"),
        (lambda n, x: n.add_padding(x, (-3, 0), (-2, 0)), "nothing is left"),
    ],
)
def test_what_does_not_fit_is_named(add, message):
    with pytest.raises(NetworkError, match=message):
        run(add)
