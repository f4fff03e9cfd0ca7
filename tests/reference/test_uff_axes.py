"""The UFF parser on graphs made by hand: operations along axes, and constants."""

import numpy as np
import pytest
from uff_cases import NCHW, behind_convolution, check, normal
from uff_graphs import FLOAT, INT, UffGraph, parse, run

import trtflow.reference as trt
from trtflow.formats.uff import blob_of

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


@pytest.mark.parametrize("flat", ["picture", "vector"])
def test_a_flattened_picture_that_is_joined_is_warned_of(flat, capsys):
    """TensorRT leaves the flattening to a fully connected layer; a vector is what it is."""
    graph, x, value = behind_convolution()
    vector = graph.node("m", "Reduce", ["c"], func="mean", axes=[1, 2], keepdims=False)
    graph.node("f", "Flatten", ["c" if flat == "picture" else vector])
    graph.node("y", "Concat", ["f", vector], axis=1)
    (found,) = run(graph, {"x": x})
    front = value.reshape(2, -1) if flat == "picture" else value.mean((1, 2))
    check(found, np.concatenate([front, value.mean((1, 2))], axis=1))
    assert ("leaves the Flatten 'f'" in capsys.readouterr().err) == (flat == "picture")


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
    return network[0].weights


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
    assert network[0].kernel.dtype == np.float16


def test_integers_of_64_bits_and_floats_of_16_are_taken():
    graph, x, value = behind_convolution()
    shape, bias = np.array([-1, 168], np.int64), normal(4).astype(np.float16)
    for name, array in (("s", shape), ("b", bias)):
        fields = {"shape": list(array.shape), "dtype": array.dtype, "values": blob_of(graph.meta, name, array)}
        graph.node(name, "Const", **fields)
    graph.binary("sum", "add", "c", "b")
    graph.node("y", "Reshape", ["sum", "s"])
    check(run(graph, {"x": x})[0], (value + bias).reshape(2, 168))
