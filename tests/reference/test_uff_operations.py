"""The UFF parser on graphs made by hand: windows and functions of single numbers."""

import numpy as np
import pytest
import torch
from torch.nn import functional
from uff_cases import behind_convolution, check, convolved, first, last, normal
from uff_graphs import UffGraph, run

from trtflow.reference.record.uff_operations import ACTIVATIONS, BINARY, UNARY

# windows


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation"), [(7, 3, 2, 1), (8, 3, 2, 1), (9, 5, 3, 1), (7, 2, 1, 2)]
)
def test_same_padding(size, kernel, stride, dilation):
    """As TensorFlow pads: the rest of an odd amount goes behind."""
    graph, weights, x = UffGraph(), normal(kernel, kernel, 3, 4), normal(2, size, size, 3)
    graph.input("x", (-1, size, size, 3))
    graph.convolution("y", "x", weights, implicit_padding="same", strides=[stride] * 2, dilation=[dilation] * 2)
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    padded = np.pad(x, [(0, 0), *[(total // 2, total - total // 2)] * 2, (0, 0)])
    check(run(graph, {"x": first(x)})[0], convolved(padded, weights, stride=stride, dilation=dilation))


def test_explicit_padding_and_groups():
    graph, weights, x = UffGraph(), normal(3, 3, 2, 6), normal(2, 6, 7, 4)
    graph.input("x", (-1, 6, 7, 4))
    graph.convolution("y", "x", weights, padding=[2, 1], number_groups=2)
    check(run(graph, {"x": first(x)})[0], convolved(x, weights, padding=(2, 1), groups=2))


@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise(multiplier):
    """The kernel is TensorFlow's own, H, W, C, M."""
    graph, weights, x = UffGraph(), normal(3, 3, 4, multiplier), normal(2, 6, 7, 4)
    graph.input("x", (-1, 6, 7, 4))
    graph.convolution("y", "x", weights, number_groups=4)
    check(run(graph, {"x": first(x)})[0], convolved(x, weights.reshape(3, 3, 1, -1), groups=4))


@pytest.mark.parametrize(("sizes", "stride"), [([6, 8], 2), ([7, 9], 2), ([5, 6], 1)])
def test_transposed_convolution(sizes, stride):
    """The output's shape, a constant, says how much of the border is cut off."""
    graph, weights, x = UffGraph(), normal(3, 3, 5, 4), normal(2, 3, 4, 4)
    graph.input("x", (-1, 3, 4, 4))
    graph.const("k", weights)
    graph.const("shape", [2, *sizes, 5])
    graph.node("y", "ConvTranspose", ["x", "k", "shape"], ["N+C", "+KC"], strides=[stride] * 2)
    kernel = torch.from_numpy(np.ascontiguousarray(weights.transpose(3, 2, 0, 1)))
    whole = last(functional.conv_transpose2d(torch.from_numpy(first(x)), kernel, stride=stride))
    cut = [(have - want) // 2 for have, want in zip(whole.shape[1:3], sizes, strict=True)]
    check(run(graph, {"x": first(x)})[0], whole[:, cut[0] :, cut[1] :][:, : sizes[0], : sizes[1]])


@pytest.mark.parametrize("function", ["max", "avg"])
def test_pooling_with_same_padding_leaves_the_padding_out(function):
    graph, x = UffGraph(), normal(2, 7, 7, 3)
    graph.input("x", (-1, 7, 7, 3))
    fields = {"func": function, "kernel": [3, 3], "strides": [2, 2], "implicit_padding": "same"}
    graph.node("y", "Pool", ["x"], ["N+C"], **fields)
    data = torch.from_numpy(first(x))
    pooled = (
        functional.max_pool2d(data, 3, 2, 1)
        if function == "max"
        else functional.avg_pool2d(data, 3, 2, 1, count_include_pad=False)
    )
    check(run(graph, {"x": first(x)})[0], last(pooled))


def test_batch_norm():
    graph, x, value = behind_convolution()
    gamma, beta, mean, variance = normal(4), normal(4), normal(4), np.abs(normal(4)) + 0.5
    names = [graph.const(f"p{index}", part) for index, part in enumerate((gamma, beta, mean, variance))]
    graph.node("y", "BatchNorm", ["c", *names], ["N+C"], epsilon=1e-3)
    check(run(graph, {"x": x})[0], (value - mean) / np.sqrt(variance + 1e-3) * gamma + beta)


def test_lrn():
    graph, x, value = behind_convolution(maps=8)
    graph.node("y", "LRN", ["c"], ["N+C"], window_size=5, alpha=0.5, beta=0.75, k=2.0)
    wanted = functional.local_response_norm(torch.from_numpy(first(value)), 5, 0.5, 0.75, 2.0)
    check(run(graph, {"x": x})[0], last(wanted))


# elements


@pytest.mark.parametrize("function", BINARY)
def test_binary_of_values_and_of_constants(function):
    """A constant of C channels is stretched along the channels, wherever TensorRT has them."""
    graph, x, value = behind_convolution()
    bias = np.abs(normal(4)) + 0.5
    graph.const("b", bias)
    graph.node("a", "Unary", ["c"], func="abs")
    graph.binary("p", function, "a", "b")
    graph.binary("q", function, "b", "a")
    graph.binary("y", function, "p", "q")
    operation = BINARY[function][1]
    magnitude = np.abs(value)
    wanted = operation(operation(magnitude, bias), operation(bias, magnitude))
    np.testing.assert_allclose(run(graph, {"x": x})[0], wanted, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 4), (6, 1, 1), (7, 4), (1, 6, 7, 4)])
def test_constants_are_stretched_as_in_the_graphs_order(shape):
    graph, x, value = behind_convolution()
    constant = normal(*shape)
    graph.const("b", constant)
    graph.binary("y", "add", "c", "b")
    np.testing.assert_allclose(run(graph, {"x": x})[0], value + constant, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("function", UNARY)
def test_unary(function):
    graph, x, value = behind_convolution()
    scaled = 0.9 * value / np.abs(value).max()
    move = {"acosh": 2, "log": 1, "sqrt": 1, "rsqrt": 1}.get(function, 0)
    graph.const("scale", 0.9 / np.abs(value).max())
    graph.const("move", float(move))
    graph.binary("m", "add", graph.binary("s", "mul", "c", "scale"), "move")
    graph.node("y", "Unary", ["m"], func=function)
    np.testing.assert_allclose(run(graph, {"x": x})[0], UNARY[function][1](scaled + move), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_activation(function):
    graph, x, value = behind_convolution()
    graph.const("scale", 4.0)
    graph.binary("s", "mul", "c", "scale")
    graph.node("y", "Activation", ["s"], func=function)
    wanted = getattr(functional, function)(torch.from_numpy(value * 4)).numpy()
    assert wanted.max() <= 6 or function != "relu6"
    np.testing.assert_allclose(run(graph, {"x": x})[0], wanted, rtol=1e-4, atol=1e-5)


def test_leaky_relu():
    graph, x, value = behind_convolution()
    graph.node("y", "LeakyRelu", ["c"], alpha=0.3)
    np.testing.assert_allclose(run(graph, {"x": x})[0], np.where(value > 0, value, 0.3 * value), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [1, 3])
def test_softmax_is_over_the_channels_whatever_its_axis(axis):
    graph, x, value = behind_convolution()
    graph.node("y", "Softmax", ["c"], ["N+C"], axis=axis)
    check(run(graph, {"x": x})[0], torch.softmax(torch.from_numpy(value), 3).numpy())


def test_softmax_of_three_axes():
    graph, x = UffGraph(), normal(2, 6, 7)
    graph.input("x", (-1, 6, 7))
    graph.node("y", "Softmax", ["x"], ["N+C"], axis=2)
    check(run(graph, {"x": x})[0], torch.softmax(torch.from_numpy(x), 2).numpy())
