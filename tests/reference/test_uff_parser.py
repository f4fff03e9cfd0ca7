"""The UFF parser on graphs made by hand: whole networks, orders of axes, outputs."""

import numpy as np
import pytest
import torch
from uff_cases import (
    NC,
    NCHW,
    NHWC,
    PICTURES,
    RNG,
    behind_convolution,
    check,
    convolved,
    first,
    lenet,
    lenet_value,
    normal,
)
from uff_graphs import FLOAT, INT, UffGraph, parse, run

import trtflow.reference as trt
from trtflow.formats.uff import data_of
from trtflow.reference import NetworkError

# whole networks


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
    orders = [list(layer.first_transpose)[:3] for layer in network if layer.layer_type == trt.LayerType.SHUFFLE]
    assert [order for order in orders if order != [0, 1, 2]] == [[1, 2, 0]]


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
