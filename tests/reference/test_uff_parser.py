"""The UFF parser on graphs made by hand: orders of axes, every operation, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
import uff_graphs
from torch.nn import functional
from uff_graphs import FLOAT, INT, UffGraph, parse, run

import trtflow.reference as trt
from trtflow.formats import FormatError
from trtflow.formats.uff import blob_of, data_of
from trtflow.reference import NetworkError
from trtflow.reference.record.uff_operations import ACTIVATIONS, BINARY, OPERATIONS, UNARY
from trtflow.runtime.plugins import load_plugins

NCHW, NHWC, NC = trt.UffInputOrder.NCHW, trt.UffInputOrder.NHWC, trt.UffInputOrder.NC
RNG = np.random.default_rng(0)
PICTURES = (-1, 6, 7, 3)  # the input of most graphs here, channels last as in TensorFlow


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def first(array):
    """N, H, W, C to N, C, H, W."""
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def last(array):
    """N, C, H, W to N, H, W, C."""
    return np.asarray(array).transpose(0, 2, 3, 1)


def convolved(x, kernel, **arguments):
    """Convolve pictures N, H, W, C with a kernel H, W, C, K."""
    weights = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    return last(functional.conv2d(torch.from_numpy(first(x)), weights, **arguments))


def behind_convolution(shape=PICTURES, maps=4):
    """Return a graph with a convolution c, whose channels TensorRT has first, with its input and its value."""
    graph, kernel, x = UffGraph(), normal(1, 1, shape[-1], maps), normal(2, *shape[1:])
    graph.input("x", shape)
    graph.convolution("c", "x", kernel)
    return graph, first(x), convolved(x, kernel)


def check(found, wanted):
    np.testing.assert_allclose(found.reshape(np.shape(wanted)), wanted, rtol=1e-4, atol=1e-5)


# whole networks


def lenet():
    """TensorRT's own lenet5.uff: channels last, and a first input without a shape."""
    graph = UffGraph()
    weights = {"wc1": normal(5, 5, 1, 20), "bc1": normal(20), "wc2": normal(5, 5, 20, 50) / 20, "bc2": normal(50)}
    weights |= {"wd1": normal(800, 500) / 30, "bd1": normal(500), "wout": normal(500, 10) / 20, "bout": normal(10)}
    for name, values in weights.items():
        graph.const(name, values)
    graph.const("reshape1/shape", [-1, 800])
    value = graph.input("in")
    for index, (activation, pool) in enumerate((("Relu", "maxpool1"), ("Relu_1", "maxpool2")), start=1):
        graph.node(f"conv{index}", "Conv", [value, f"wc{index}"], ["N+C", "+CK"], strides=[1, 1])
        graph.binary(f"conv{index}_bias", "add", f"conv{index}", f"bc{index}")
        graph.node(activation, "Activation", [f"conv{index}_bias"], func="relu")
        value = graph.node(pool, "Pool", [activation], ["N+C"], func="max", kernel=[2, 2], strides=[2, 2])
    graph.node("reshape1", "Reshape", [value, "reshape1/shape"])
    graph.node("matmul1", "FullyConnected", ["reshape1", "wd1"], ["NC", "CK"])
    graph.binary("add1", "add", "matmul1", "bd1")
    graph.node("relu", "Activation", ["add1"], func="relu")
    graph.node("matmul2", "FullyConnected", ["relu", "wout"], ["NC", "CK"])
    graph.binary("out", "add", "matmul2", "bout")
    graph.node("MarkOutput_0", "MarkOutput", ["out"])
    return graph, weights


def lenet_value(x, weights):
    for index in (1, 2):
        x = np.maximum(convolved(x, weights[f"wc{index}"]) + weights[f"bc{index}"], 0)
        x = last(functional.max_pool2d(torch.from_numpy(first(x)), 2))
    hidden = np.maximum(x.reshape(len(x), -1) @ weights["wd1"] + weights["bd1"], 0)
    return hidden @ weights["wout"] + weights["bout"]


@pytest.mark.parametrize("order", [NCHW, NHWC])
def test_lenet(order):
    graph, weights = lenet()
    x = normal(3, 28, 28, 1)
    (found,) = run(graph, {"in": first(x) if order == NCHW else x}, ["out"], order)
    assert found.shape == (3, 10, 1, 1)
    check(found, lenet_value(x, weights))


@pytest.mark.parametrize("order", [NCHW, NHWC])
@pytest.mark.parametrize("declared", [(-1, 28, 28, 1), (-1, 1, 28, 28), (1, 28, 28), (28, 28, 1)])
def test_lenet_of_a_placeholder_declared_with_or_without_its_batch(declared, order):
    """TensorRT 8.6.0 on an H200 gives the right digits for all eight."""
    graph, weights = lenet()
    node = next(node for node in graph.meta.graphs[0].nodes if node.id == "in")
    node.fields["shape"].CopyFrom(data_of(list(declared)))
    x = normal(3, 28, 28, 1)
    (found,) = run(graph, {"in": first(x) if order == NCHW else x}, ["out"], order)
    check(found, lenet_value(x, weights))


def test_layers_and_tensors_are_named_after_nodes():
    network = parse(lenet()[0], {"in": ((1, 28, 28), NCHW)}, ["out"])
    names = [layer.name for layer in network if "constant" not in layer.name]
    assert names[:4] == ["conv1", "conv1_bias", "Relu", "maxpool1"]
    assert names[-2:] == ["matmul2", "out"]
    assert [network.get_output(0).name, network.get_input(0).name] == ["out", "in"]
    assert {layer.outputs[0].name for layer in network} >= {"conv2", "Relu_1", "maxpool2", "matmul1", "relu"}


def test_flatten_order_is_kept_by_one_transpose():
    """The matrix behind a convolution is for H, W, C; only the flattening brings the data in that order."""
    network = parse(lenet()[0], {"in": ((1, 28, 28), NCHW)}, ["out"])
    transposes = [layer for layer in network if getattr(layer, "first_transpose", None)]
    assert [layer.first_transpose for layer in transposes] == [(1, 2, 0)]


def test_perceptron_of_flat_inputs():
    graph, matrix, bias, x = UffGraph(), normal(12, 5), normal(5), normal(4, 12)
    graph.input("x", (-1, 12))
    graph.const("b", bias)
    graph.binary("sum", "add", graph.product("fc", "x", matrix), "b")
    graph.node("y", "Softmax", ["sum"], ["NC+"], axis=1)
    wanted = torch.softmax(torch.from_numpy(x @ matrix + bias), 1).numpy()
    check(run(graph, {"x": x.reshape(4, 12, 1, 1)})[0], wanted)
    check(run(graph, {"x": x}, order=NC)[0], wanted)


def embeddings(axis):
    """sampleMovieLens on a small scale: two lists of numbers, two tables, one perceptron."""
    graph, tables, matrix, bias = UffGraph(), {"user": normal(20, 8), "item": normal(30, 8)}, normal(16, 5), normal(5)
    for name, table in tables.items():
        graph.input(name, (-1, 1), INT)
        graph.const(f"{name}_table", table)
        fields = {"axis": 0, "indices_dtype": INT, "params_dtype": FLOAT}
        graph.node(f"{name}_rows", "GatherV2", [f"{name}_table", name], **fields)
        graph.node(f"{name}_flat", "Flatten", [f"{name}_rows"])
    graph.node("both", "Concat", ["user_flat", "item_flat"], axis=axis)
    graph.const("b", bias)
    graph.binary("sum", "add", graph.product("fc", "both", matrix), "b")
    graph.node("y", "Activation", ["sum"], func="sigmoid")

    def value(feeds):
        both = np.concatenate([table[feeds[name].reshape(-1)] for name, table in tables.items()], 1)
        return 1 / (1 + np.exp(-(both @ matrix + bias)))

    return graph, value


@pytest.mark.parametrize(("axis", "shape"), [(1, (3, 1)), (1, (3, 1, 1, 1)), (2, (3, 10, 1, 1))])
def test_embeddings_of_integer_inputs(axis, shape):
    """With 10 items a user, as sampleMovieLens has it, the graph's batch is 3 x 10, and Concat counts that axis."""
    graph, value = embeddings(axis)
    feeds = {name: RNG.integers(0, 20, shape).astype(np.int32) for name in ("user", "item")}
    (found,) = run(graph, feeds)
    assert found.shape[:-3] == shape[: len(found.shape) - 3]
    check(found, value(feeds))


def test_concat_of_rows_says_which_axis_to_take():
    graph, _ = embeddings(1)
    shapes = dict.fromkeys(("user", "item"), ((10, 1, 1), NCHW))
    with pytest.raises(NetworkError, match="'both': a Concat along axis 1, the batch or its rows. Set the axis to 2"):
        parse(graph, shapes)


# orders


@pytest.mark.parametrize("order", [NCHW, NHWC])
@pytest.mark.parametrize(("data", "kernel"), [("N+C", "+CK"), ("N+C", "+KC"), ("NC+", "+CK"), ("NC+", "+KC")])
def test_orders_of_data_and_kernel(data, kernel, order):
    graph, weights, x = UffGraph(), normal(3, 2, 3, 4), normal(2, 6, 7, 3)
    graph.input("x", PICTURES if data == "N+C" else (-1, 3, 6, 7))
    graph.const("k", weights if kernel == "+CK" else weights.swapaxes(2, 3))
    graph.node("y", "Conv", ["x", "k"], [data, kernel], strides=[1, 1])
    (found,) = run(graph, {"x": first(x) if order == NCHW else x}, order=order)
    wanted = convolved(x, weights)
    np.testing.assert_allclose(found, wanted if data == "N+C" else first(wanted), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", ["CK", "KC"])
def test_orders_of_matrices(order):
    graph, matrix, x = UffGraph(), normal(12, 5), normal(4, 12)
    graph.input("x", (-1, 12))
    graph.const("k", matrix if order == "CK" else matrix.T)
    graph.node("y", "FullyConnected", ["x", "k"], ["NC", order])
    check(run(graph, {"x": x}, order=NC)[0], x @ matrix)


def test_channels_come_first_once():
    graph = behind_convolution()[0]
    graph.node("p", "Pool", ["c"], ["N+C"], func="max", kernel=[2, 2], strides=[2, 2])
    graph.convolution("y", "p", normal(1, 1, 4, 2))
    network = parse(graph, {"x": ((6, 7, 3), NHWC)})
    kinds = [layer.type for layer in network]
    assert kinds == [
        trt.LayerType.SHUFFLE,
        trt.LayerType.CONVOLUTION,
        trt.LayerType.POOLING,
        trt.LayerType.CONVOLUTION,
        trt.LayerType.SHUFFLE,  # the output, in the graph's order
    ]


def test_transpose_of_orders_adds_no_layer():
    """To channels first and back: what TensorFlow graphs for GPUs are full of."""
    graph, x, value = behind_convolution()
    graph.node("t", "Transpose", ["c"], permutation=[0, 3, 1, 2])
    kernel = normal(3, 3, 4, 2)
    graph.convolution("d", "t", kernel, "NC+")
    graph.node("y", "Transpose", ["d"], permutation=[0, 2, 3, 1])
    check(run(graph, {"x": x})[0], convolved(value, kernel))
    network = parse(graph, {"x": ((3, 6, 7), NCHW)})
    assert [layer.name for layer in network] == ["c", "d", "y_transpose"]


def test_transpose_of_an_input_that_is_registered_as_what_comes_out():
    graph, kernel, x = UffGraph(), normal(3, 3, 3, 2), normal(2, 6, 7, 3)
    graph.input("x", PICTURES)
    graph.node("t", "Transpose", ["x"], permutation=[0, 3, 1, 2])
    graph.convolution("y", "t", kernel, "NC+")
    np.testing.assert_allclose(run(graph, {"x": first(x)})[0], first(convolved(x, kernel)), rtol=1e-4, atol=1e-5)


def test_other_transposes_are_done():
    graph, x, value = behind_convolution()
    graph.node("y", "Transpose", ["c"], permutation=[0, 2, 1, 3])
    np.testing.assert_allclose(run(graph, {"x": x})[0], value.swapaxes(1, 2), rtol=1e-4, atol=1e-5)


def test_input_joins_what_comes_behind_a_convolution():
    """Its order is not known before; then it means what the other values mean."""
    graph, kernel, x = UffGraph(), normal(1, 1, 3, 3), normal(2, 6, 7, 3)
    graph.input("x", PICTURES)
    graph.convolution("c", "x", kernel)
    graph.binary("sum", "add", "x", "c")
    graph.node("y", "Concat", ["x", "sum"], axis=3)
    wanted = np.concatenate([x, x + convolved(x, kernel)], 3)
    for order in (NCHW, NHWC):
        np.testing.assert_allclose(
            run(graph, {"x": first(x) if order == NCHW else x}, order=order)[0], wanted, rtol=1e-4
        )


def test_input_in_another_order_than_the_graphs_cannot_be_flattened():
    """TensorRT's parser takes its numbers as they come, which is not what was trained."""
    graph = UffGraph()
    graph.input("x", PICTURES)
    graph.node("flat", "Flatten", ["x"])
    graph.product("y", "flat", normal(126, 2))
    with pytest.raises(NetworkError, match="'flat'.*'x': its axes are needed.* Register that input in the order"):
        parse(graph, {"x": ((3, 6, 7), NCHW)})
    x = normal(2, 6, 7, 3)
    assert run(graph, {"x": x}, order=NHWC)[0].shape == (2, 2, 1, 1)


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
    np.testing.assert_allclose(run(graph, {"x": x})[0], wanted, rtol=1e-3)


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


# shapes


@pytest.mark.parametrize(
    ("shape", "comes", "dims"),
    [
        ([-1, 168], (2, 168), (168, 1, 1)),
        ([-1, 42, 4], (2, 42, 4), (42, 4, 1)),
        ([0, 0, -1], (2, 6, 28), (6, 28, 1)),
        ([-1, 2, 3, 7, 4], (2, 2, 3, 7, 4), (2, 3, 7, 4)),
        ([1, 168], (2, 168), (168, 1, 1)),
    ],
)
def test_reshape_fills_up_to_three_axes(shape, comes, dims):
    graph, x, value = behind_convolution()
    graph.const("s", shape)
    graph.node("y", "Reshape", ["c", "s"])
    (found,) = run(graph, {"x": x})
    assert found.shape == (2, *dims)
    check(found, value.reshape(comes))


def test_squeeze_and_excitation():
    """Means over pictures, a perceptron, and back to pictures of one pixel, which scale the channels."""
    graph, x, value = behind_convolution()
    matrix = normal(4, 4)
    graph.node("mean", "Reduce", ["c"], func="mean", axes=[1, 2], keepdims=False)
    graph.const("s", [-1, 1, 1, 4])
    graph.node("scale", "Reshape", [graph.product("fc", "mean", matrix), "s"])
    graph.binary("y", "mul", "c", "scale")
    scale = value.mean((1, 2)) @ matrix
    np.testing.assert_allclose(run(graph, {"x": x})[0], value * scale[:, None, None], rtol=1e-4, atol=1e-5)


def test_expand_dims_squeeze_flatten_and_identity():
    graph, x, value = behind_convolution()
    graph.node("i", "Identity", ["c"])
    graph.node("e", "ExpandDims", ["i"], axis=1)
    graph.node("s", "Squeeze", ["e"], axes=[1])
    graph.node("y", "Flatten", ["s"])
    (found,) = run(graph, {"x": x})
    assert found.shape == (2, 168, 1, 1)
    check(found, value.reshape(2, 168))


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("function", ["sum", "prod", "max", "min", "mean"])
def test_reduce(function, keep):
    graph, x, value = behind_convolution()
    graph.node("y", "Reduce", ["c"], func=function, axes=[1, -1], keepdims=keep)
    wanted = getattr(np, function)(value, axis=(1, 3), keepdims=keep)
    (found,) = run(graph, {"x": x})
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-3, atol=1e-6)
    assert found.shape == (wanted.shape if keep else (2, 7, 1, 1))


@pytest.mark.parametrize(("operation", "axis"), [("ArgMax", 3), ("ArgMax", -1), ("ArgMin", 1)])
def test_places_of_extrema(operation, axis):
    graph, x, value = behind_convolution()
    graph.node("y", operation, ["c"], axis=axis)
    (found,) = run(graph, {"x": x})
    assert found.dtype == np.int32
    wanted = getattr(np, operation.lower())(value, axis)
    assert (found.reshape(wanted.shape) == wanted).all()


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_concat_counts_axes_in_the_graphs_order(axis):
    graph, x, value = behind_convolution()
    graph.node("r", "Activation", ["c"], func="relu")
    graph.node("y", "Concat", ["c", "r"], axis=axis)
    wanted = np.concatenate([value, np.maximum(value, 0)], axis)
    np.testing.assert_allclose(run(graph, {"x": x})[0], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [1, -1])
def test_stack(axis):
    graph, x, value = behind_convolution()
    graph.node("y", "Stack", ["c", "c"], axis=axis)
    np.testing.assert_allclose(run(graph, {"x": x})[0], np.stack([value, value], axis), rtol=1e-4, atol=1e-5)


def sliced(graph, data, begin, end, strides, **masks):
    parts = [graph.const(f"y_{key}", part) for key, part in (("begin", begin), ("end", end), ("strides", strides))]
    return graph.node("y", "StridedSlice", [data, *parts], **masks)


@pytest.mark.parametrize(
    ("bounds", "masks", "cut"),
    [
        (([0, 1, 5, 0], [0, 4, 0, 4], [1, 2, -2, 1]), {"begin_mask": 9, "end_mask": 9}, np.s_[:, 1:4:2, 5:0:-2]),
        (([0, 0, -1], [0, 0, 0], [1, 1, 1]), {"begin_mask": 3, "end_mask": 3, "shrink_axis_mask": 4}, np.s_[:, :, -1]),
    ],
)
def test_strided_slice(bounds, masks, cut):
    graph, x, value = behind_convolution()
    sliced(graph, "c", *bounds, **masks)
    (found,) = run(graph, {"x": x})
    np.testing.assert_allclose(found.reshape(value[cut].shape), value[cut], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("amounts", [[[0, 0], [1, 2], [3, 0], [0, 0]], [[0, 0], [0, 0], [0, 0], [1, 2]], [[0, 0]] * 4])
def test_pad(amounts):
    """Channels too, as the shortcuts of ResNets for CIFAR have it."""
    graph, x, value = behind_convolution()
    graph.const("a", amounts)
    graph.node("y", "Pad", ["c", "a"])
    np.testing.assert_allclose(run(graph, {"x": x})[0], np.pad(value, amounts), rtol=1e-4, atol=1e-5)


def test_gather_from_a_value():
    graph, x, value = behind_convolution()
    graph.const("i", [3, 0, 0])
    graph.node("y", "GatherV2", ["c", "i"], axis=3)
    np.testing.assert_allclose(run(graph, {"x": x})[0], value[..., [3, 0, 0]], rtol=1e-4, atol=1e-5)


# constants


def folded(define):
    """Return the values of a constant k that a graph computes, by way of an addition."""
    graph = UffGraph()
    graph.input("x", (-1, 4))
    define(graph)
    graph.const("s", [4])
    graph.node("flat", "Reshape", ["k", "s"])
    graph.binary("y", "add", "x", "flat")
    network = parse(graph, {"x": ((4, 1, 1), NCHW)})
    assert [layer.type for layer in network] == [trt.LayerType.CONSTANT, trt.LayerType.ELEMENTWISE]
    return network[0].weights.numpy().ravel()


BASE = np.float32([[1, 2], [3, 4]])
FOLDED = {
    "unary": (("Unary", {"func": "rsqrt"}), 1 / np.sqrt(BASE)),
    "transpose": (("Transpose", {"permutation": [1, 0]}), BASE.T),
    "expand_dims": (("ExpandDims", {"axis": 0}), BASE),
    "squeeze": (("Squeeze", {"axes": []}), BASE),
    "flatten": (("Flatten", {}), BASE),
    "identity": (("Identity", {}), BASE),
}


@pytest.mark.parametrize("case", FOLDED)
def test_functions_of_constants_are_constants(case):
    (operation, fields), wanted = FOLDED[case]

    def define(graph):
        graph.node("k", operation, [graph.const("base", BASE)], **fields)

    np.testing.assert_allclose(folded(define), np.ravel(wanted), rtol=1e-6)


def test_longer_constant_subgraphs_are_folded():
    def define(graph):
        graph.const("base", BASE)
        graph.node("row", "_Cast", [graph.const("integers", [[1, 2]])], SrcT=INT, DstT=FLOAT)
        graph.node("sum", "Reduce", ["base"], func="sum", axes=[0], keepdims=True)  # 4 6
        graph.binary("twice", "mul", "sum", "row")  # 4 12
        graph.node("both", "Concat", ["twice", "base"], axis=0)  # 4 12 / 1 2 / 3 4
        graph.node("padded", "Pad", ["both", graph.const("pads", [[0, 0], [1, 0]])])  # with a column of 0
        graph.node("picked", "GatherV2", ["padded", graph.const("places", [2, 0])], axis=0)  # 0 3 4 / 0 4 12
        parts = [graph.const(name, part) for name, part in (("b", [0, 1]), ("e", [0, 0]), ("st", [1, 1]))]
        graph.node("k", "StridedSlice", ["picked", *parts], begin_mask=1, end_mask=3)

    np.testing.assert_array_equal(folded(define), [3, 4, 4, 12])


def test_shapes_are_constants():
    """Reshape(x, Stack(Shape(x)[0], -1)), with which TensorFlow keeps the size of the batch open."""
    graph, x, value = behind_convolution()
    graph.node("shape", "Shape", ["c"])
    parts = [graph.const(name, [part]) for name, part in (("b", 0), ("e", 1), ("st", 1))]
    graph.node("batch", "StridedSlice", ["shape", *parts], shrink_axis_mask=1)
    graph.node("sizes", "Stack", ["batch", graph.const("rest", 168)], axis=0)
    graph.node("y", "Reshape", ["c", "sizes"])
    check(run(graph, {"x": x})[0], value.reshape(2, 168))


def test_half_weights():
    graph = behind_convolution()[0]
    network = parse(graph, {"x": ((3, 6, 7), NCHW)}, ["c"], weights_type=trt.float16)
    assert network[0].kernel.dtype == trt.float16


def test_integers_of_64_bits_and_floats_of_16_are_taken():
    graph, x, value = behind_convolution()
    shape, bias = np.array([-1, 168], np.int64), normal(4).astype(np.float16)
    for name, array in (("s", shape), ("b", bias)):
        fields = {"shape": list(array.shape), "dtype": array.dtype, "values": blob_of(graph.meta, name, array)}
        graph.node(name, "Const", **fields)
    graph.binary("sum", "add", "c", "b")
    graph.node("y", "Reshape", ["sum", "s"])
    check(run(graph, {"x": x})[0], (value + bias).reshape(2, 168))


# outputs


def test_any_node_can_be_an_output_under_its_own_name():
    graph, x, value = behind_convolution()
    graph.node("same", "Identity", ["c"])
    graph.node("r", "Activation", ["same"], func="relu")
    graph.node("MarkOutput_0", "MarkOutput", ["r"])
    found = run(graph, {"x": x}, ["MarkOutput_0", "c", "same", "r"])
    for array, wanted in zip(found, [np.maximum(value, 0), value, value, np.maximum(value, 0)], strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-4, atol=1e-5)


def test_only_what_outputs_depend_on_is_parsed():
    graph, x, _ = behind_convolution()
    graph.node("other", "NonMaxSuppression", ["c"])
    network = parse(graph, {"x": (x.shape[1:], NCHW)}, ["c"])
    assert network[0].name == "c"


def test_a_file_and_its_name_in_errors(tmp_path):
    path = tmp_path / "model.uff"
    path.write_bytes(lenet()[0].bytes())
    parser = trt.UffParser()
    parser.register_input("in", (1, 28, 28))
    parser.register_output("out")
    network = trt.Builder(trt.Logger()).create_network()
    assert parser.parse(str(path), network)
    assert network.get_output(0).shape == (10, 1, 1)
    parser.register_output("aut")
    with pytest.raises(NetworkError, match=r"'aut': registered as an output, but .*model.uff has no.* out"):
        parser.parse(str(path), trt.Builder(trt.Logger()).create_network())


def test_required_version():
    parser = trt.UffParser()
    version = (parser.uff_required_version_major, parser.uff_required_version_minor, parser.uff_required_version_patch)
    assert version == (0, 6, 9)


# plugins


class Recorder(trt.IPluginV2):
    """A plugin that keeps its fields."""

    plugin_type = "Recorder"
    num_outputs = 2

    def get_output_shape(self, index, inputs):
        return inputs[0] if index == 0 else trt.Dims((inputs[0][0], 1, 1))


@pytest.fixture
def recorder():
    """Register the plugin Recorder, and return the fields of those that are made."""
    made = {}

    class Creator(trt.IPluginCreator):
        def create_plugin(self, name, field_collection):
            made[name] = {field.name: field for field in field_collection}
            return super().create_plugin(name, trt.PluginFieldCollection())

    fields = dict.fromkeys(("count", "rate", "text", "flag", "sizes", "rates", "T"), 0)
    creator = Creator(Recorder, {})
    creator.field_names = trt.PluginFieldCollection(trt.PluginField(name) for name in fields)
    registry = trt.get_plugin_registry()
    registry.register_creator(creator)
    yield made
    registry.deregister_creator(creator)


def test_plugin_fields_have_the_types_of_the_nodes_fields(recorder):
    graph = behind_convolution()[0]
    fields = {"count": 3, "rate_u_float": 0.5, "text": "b'VALID'", "flag": True, "sizes": [1, 2], "rates": [0.5, 1.5]}
    graph.node("r", "_Recorder", ["c"], T=FLOAT, not_a_field=1, **fields)
    graph.node("y", "Activation", ["r_1"], func="relu")
    network = parse(graph, {"x": ((3, 6, 7), NCHW)})
    found = recorder["r"]
    kinds = trt.PluginFieldType
    assert {name: (field.type, field.data.tolist()) for name, field in found.items() if name != "text"} == {
        "count": (kinds.INT32, [3]),
        "rate": (kinds.FLOAT32, [0.5]),
        "flag": (kinds.INT32, [1]),
        "sizes": (kinds.INT32, [1, 2]),
        "rates": (kinds.FLOAT32, [0.5, 1.5]),
        "T": (kinds.INT32, [int(trt.float32)]),
    }
    assert found["text"].type == kinds.CHAR
    assert bytes(found["text"].data) == b"b'VALID'"
    assert [(layer.name, layer.num_outputs) for layer in network][1:] == [("r", 2), ("y", 1)]


def test_plugins_see_channels_first_and_what_follows_knows():
    """As TensorRT's uff_custom_plugin: the clip behind a convolution; behind it a flattening in the graph's order."""
    graph, x, value = behind_convolution()
    graph.node("clip", "_CustomClipPlugin", ["c"], clipMin_u_float=-0.5, clipMax_u_float=0.5)
    matrix = normal(168, 3)
    graph.product("y", graph.node("flat", "Flatten", ["clip"]), matrix)
    load_plugins(trt, ["CustomClipPlugin"])
    check(run(graph, {"x": x})[0], np.clip(value, -0.5, 0.5).reshape(2, -1) @ matrix)
    network = parse(graph, {"x": ((3, 6, 7), NCHW)})
    assert network[1].get_input(0) is network[0].get_output(0)


def test_bias_behind_a_plugin_that_gives_a_vector(recorder):
    graph = UffGraph()
    graph.input("x", PICTURES)
    graph.node("r", "_Recorder", ["x"])
    graph.const("b", normal(3))
    graph.binary("y", "add", "r_1", "b")
    network = parse(graph, {"x": ((3, 6, 7), NCHW)})
    assert network.get_output(0).shape == (3, 1, 1)


# bad input


def graph_with(define, shape=PICTURES):
    graph = UffGraph()
    graph.input("x", shape)
    define(graph)
    return graph


def refused(define, shape=PICTURES, registered=((3, 6, 7), NCHW)):
    parse(graph_with(define, shape), {"x": registered})


def with_convolution(operation, **fields):
    """A node y behind a convolution c; constants are given as arrays under the names of further inputs."""

    def define(graph):
        graph.convolution("c", "x", normal(1, 1, 3, 4))
        constants = {key: value for key, value in fields.items() if isinstance(value, np.ndarray)}
        names = [graph.const(f"k_{key}", value) for key, value in constants.items()]
        rest = {key: value for key, value in fields.items() if key not in constants}
        graph.node("y", operation, ["c", *names], **rest)

    return define


REFUSED = {
    "no operation": (with_convolution("Einsum"), "'y': the UFF parser has no operation 'Einsum' .*It has Activation,"),
    "no plugin": (with_convolution("_Einsum"), "'y': no plugin 'Einsum' for a custom operation of UFF buffer"),
    "no cast": (with_convolution("_Cast", DstT=INT), "'y': no plugin 'Cast'"),
    "unknown function": (with_convolution("Activation", func="gelu"), "unknown function 'gelu' of Activation in"),
    "reshape of the batch": (with_convolution("Reshape", s=np.int32([84, -1])), "'y': a reshape to .* moves the batch"),
    "reshape that does not fit": (with_convolution("Reshape", s=np.int32([-1, 5])), "'y': a value of shape .* cannot"),
    "concat of the batch": (with_convolution("Concat", axis=0), "'y': a Concat along axis 0 .* behind the batch"),
    "reduction of the batch": (with_convolution("Reduce", func="sum", axes=[0]), "'y': a reduction along axis 0"),
    "argmax of the batch": (with_convolution("ArgMax", axis=0), "'y': an ArgMax along axis 0"),
    "stack of batches": (with_convolution("Stack", axis=0), "'y': a Stack along the batch"),
    "transpose of the batch": (with_convolution("Transpose", permutation=[1, 0, 2, 3]), "'y': a transpose"),
    "squeeze of what is not 1": (with_convolution("Squeeze", axes=[3]), "'y': axes .3. of a value .* cannot go"),
    "padding of the batch": (with_convolution("Pad", p=np.int32([[1, 0]] + [[0, 0]] * 3)), "'y': .* not the batch"),
    "padding of three axes": (with_convolution("Pad", p=np.int32([[0, 0]] + [[1, 1]] * 3)), "'y': .* two axes at most"),
    "batch norm of nothing": (with_convolution("BatchNorm", g=normal(4)), r"node 'y' \(BatchNorm\) has 2 inputs"),
    "constant with a batch": (with_convolution("Binary", b=normal(2, 1, 1, 1), func="add"), "'y_1': a constant with a"),
    "constant that does not fit": (with_convolution("Binary", b=normal(5), func="add"), "'y': .* do not fit together"),
    "empty slice": (
        with_convolution("StridedSlice", b=np.int32([0, 3]), e=np.int32([0, 3]), s=np.int32([1, 1]), end_mask=1),
        "'y': nothing of a value",
    ),
    "slice of the batch": (
        with_convolution("StridedSlice", b=np.int32([1]), e=np.int32([2]), s=np.int32([1])),
        "'y': a slice of the batch",
    ),
    "look-up along the batch": (with_convolution("GatherV2", i=np.int32([0]), axis=0), "'y': a look-up along axis 0"),
    "kernel for other channels": (lambda graph: graph.convolution("y", "x", normal(1, 1, 6, 4)), "'y': a kernel for 6"),
    "matrix for other inputs": (
        lambda graph: graph.product("y", graph.convolution("c", "x", normal(1, 1, 3, 4)), normal(5, 4)),
        "'y': a kernel for 5 inputs, but its data has the shape .-1, 6, 7, 4.",
    ),
    "missing input": (
        lambda graph: graph.node("y", "Identity", ["gone"]),
        "'y': it reads 'gone', which UFF buffer does",
    ),
    "circle": (
        lambda graph: graph.binary("y", "add", graph.node("a", "Identity", ["y"]), "x"),
        "'a': its inputs depend on its own output",
    ),
    "output that is constant": (lambda graph: graph.const("y", 1.0), "'y': this output is constant"),
    "kernel that is no constant": (
        lambda graph: graph.node("y", "Conv", ["x", "x"], ["N+C", "+CK"]),
        "'y': its kernel depends on an input",
    ),
    "data that are constant": (
        lambda graph: graph.node("y", "Activation", [graph.const("k", 1.0)], func="relu"),
        "'y': its data is constant",
    ),
    "second output that is not there": (
        lambda graph: graph.node("y", "Identity", [f"{graph.node('a', 'Identity', ['x'])}_1"]),
        "'a': UFF buffer asks for its output 'a_1'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_parsed_is_named(case):
    define, message = REFUSED[case]
    with pytest.raises((NetworkError, FormatError), match=message):
        refused(define)


def test_errors_of_layers_name_node_operation_and_graph():
    def define(graph):
        graph.node("y", "Gather", [graph.const("table", normal(4, 2)), "x"])

    with pytest.raises(NetworkError, match="'y': its operation Gather in UFF buffer fails: .*INT32"):
        refused(define, (-1, 5), ((5,), NC))


@pytest.mark.parametrize(
    ("shape", "registered", "message"),
    [
        (
            PICTURES,
            ((3, 6, 7), NHWC),
            "'y': a kernel for 3 channels, but its data in UFF buffer has C, H, W = .7, 3, 6.",
        ),
        (PICTURES, ((1, 3, 6, 7), NCHW), "'x': registered as NCHW with 4 dimensions.* leave the batch out"),
        ((), ((6, 7, 3), NCHW), "'y': a kernel for 3 channels, but its data in UFF buffer has C, H, W = .6, 7, 3."),
        ((), ((3, 6, 7), NHWC), "'y': a kernel for 3 channels, but its data in UFF buffer has C, H, W = .7, 3, 6."),
    ],
)
def test_wrong_dimensions_and_wrong_orders(shape, registered, message):
    with pytest.raises(NetworkError, match=message):
        refused(lambda graph: graph.convolution("y", "x", normal(1, 1, 3, 4)), shape, registered)


@pytest.mark.parametrize("registered", [((3, 6, 8), NCHW), ((6, 8, 3), NHWC)])
@pytest.mark.parametrize("declared", [PICTURES, (-1, 3, 6, 7), (3, 6, 7), (1, 3, 300, 300), (7,)])
def test_registered_dimensions_count_and_declared_ones_do_not(declared, registered):
    graph, kernel, x = UffGraph(), normal(2, 2, 3, 4), normal(2, 6, 8, 3)
    graph.input("x", declared)
    graph.convolution("y", "x", kernel)
    dims, order = registered
    assert parse(graph, {"x": registered}).get_input(0).shape == dims
    check(run(graph, {"x": first(x) if order == NCHW else x}, order=order)[0], convolved(x, kernel))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("x", (), "'x': registered with the dimensions None. Give positive sizes without the batch"),
        ("x", ((),), r"'x': registered with the dimensions \(\)"),
        ("x", (28,), "'x': registered with the dimensions 28"),
        ("x", ((1, None, 28),), r"'x': registered with the dimensions \(1, None, 28\)"),
        ("x", ((-1, 28, 28),), "'x': registered with the dimensions"),
        ("x", ((1, 28.0, 28),), "'x': registered with the dimensions"),
        ("x", ((1,) * 9,), "'x': registered with the dimensions"),
        ("x", ("1,28,28",), "'x': registered with the dimensions '1,28,28'"),
        ("x", ((1, 28, 28), 7), "'x': registered in the order 7. Give one of UffInputOrder.NCHW, "),
        ("x", ((1, 28, 28), None), "'x': registered in the order None"),
        ("", ((1, 28, 28),), "an input registered as ''. Give the name"),
        (None, ((1, 28, 28),), "an input registered as None. Give the name"),
    ],
)
def test_an_input_that_lacks_something_is_named(name, arguments, message):
    with pytest.raises(NetworkError, match=message):
        trt.UffParser().register_input(name, *arguments)


def test_an_output_without_a_name():
    with pytest.raises(NetworkError, match="an output registered as None"):
        trt.UffParser().register_output(None)


def test_channels_first_graph_takes_an_input_with_channels_last():
    graph, kernel, x = UffGraph(), normal(1, 1, 3, 4), normal(2, 6, 7, 3)
    graph.input("x", (-1, 3, -1, -1))
    graph.convolution("y", "x", kernel, "NC+")
    np.testing.assert_allclose(run(graph, {"x": x}, order=NHWC)[0], first(convolved(x, kernel)), rtol=1e-4, atol=1e-5)


def test_types_of_inputs():
    graph = UffGraph()
    graph.input("x", (-1, 1), np.dtype(np.int64))
    graph.node("y", "Gather", [graph.const("table", normal(4, 2)), "x"])
    with pytest.raises(NetworkError, match="'x': an input of type int64 .* Convert with -I x,x,int32"):
        parse(graph, {"x": ((1,), NCHW)})


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("func", r"UFF buffer: node 'y' \(Pool\) has no field 'func'"),
        ("kernel", r"UFF buffer: node 'y' \(Pool\) has no field 'kernel'"),
        ("inputs_orders", r"UFF buffer: node 'y' \(Pool\) has no field 'inputs_orders'"),
    ],
)
def test_missing_fields(field, message):
    graph = behind_convolution()[0]
    graph.node("y", "Pool", ["c"], ["N+C"], func="max", kernel=[2, 2])
    del graph.meta.graphs[0].nodes[-1].fields[field]
    with pytest.raises(FormatError, match=message):
        parse(graph, {"x": ((3, 6, 7), NCHW)})


def test_unknown_order_of_axes():
    graph = behind_convolution()[0]
    graph.node("y", "Pool", ["c"], ["N+C"], func="max", kernel=[2, 2])
    entry = graph.meta.referenced_data["orders_N+C"].dim_orders_list.val[0]
    entry.orders[-1].val[:] = [1, 0, 2, 0x7FFFFFFF]
    with pytest.raises(FormatError, match=r"node 'y' \(Pool\) has unknown orders of axes \[\(1, 0, 2147483647\)\]"):
        parse(graph, {"x": ((3, 6, 7), NCHW)})


def test_damaged_constant():
    graph = behind_convolution()[0]
    node = next(node for node in graph.meta.graphs[0].nodes if node.id == "c_kernel")
    node.fields["shape"].CopyFrom(data_of([1, 1, 3, 5]))
    with pytest.raises(FormatError, match=r"UFF buffer: constant 'c_kernel': 48 bytes for \(1, 1, 3, 5\)"):
        parse(graph, {"x": ((3, 6, 7), NCHW)}, ["c"])


def test_explicit_batch_is_refused():
    network = trt.Builder(trt.Logger()).create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.UffParser()
    parser.register_output("y")
    with pytest.raises(NetworkError, match="makes networks with an implicit batch"):
        parser.parse_buffer(lenet()[0].bytes(), network)


def test_every_operation_is_tested_here():
    source = Path(__file__).read_text() + Path(uff_graphs.__file__).read_text()
    assert [name for name in OPERATIONS if f'"{name}"' not in source] == []
