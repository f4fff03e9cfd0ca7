"""Layers on whole tensors: shapes and values against NumPy, with and without an implicit batch."""

import numpy as np
import pytest
from networks import constant, run_layer

import trtflow.reference as trt
from trtflow.reference import NetworkError

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(2, 4, 5, 6)).astype(np.float32)
NONE, TRANSPOSE, VECTOR = trt.MatrixOperation.__members__.values()
MODES = trt.SampleMode


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(("op", "shape"), [(NONE, (6, 3)), (TRANSPOSE, (3, 6)), (VECTOR, (6,))])
def test_matrix_product_with_a_constant(explicit, op, shape):
    kernel = normal(*shape)

    def add(network, tensor):
        ones = (1, 1) if explicit else (1,)
        return network.add_matrix_multiply(tensor, NONE, constant(network, kernel.reshape(*ones, *shape)), op)

    (found,) = run_layer(add, DATA, explicit=explicit)
    wanted = DATA @ (kernel.T if op == TRANSPOSE else kernel)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_matrix_product_of_two_tensors_transposed():
    (found,) = run_layer(lambda network, tensor: network.add_matrix_multiply(tensor, TRANSPOSE, tensor, NONE), DATA)
    np.testing.assert_allclose(found, DATA.swapaxes(2, 3) @ DATA, rtol=1e-4, atol=1e-5)


def test_products_of_vectors():
    (found,) = run_layer(lambda network, tensor: network.add_matrix_multiply(tensor, VECTOR, tensor, VECTOR), DATA)
    np.testing.assert_allclose(found, (DATA * DATA).sum(3), rtol=1e-4)
    rows = normal(2, 4, 5)
    (found,) = run_layer(lambda network, v, m: network.add_matrix_multiply(v, VECTOR, m, NONE), rows, DATA)
    np.testing.assert_allclose(found, np.einsum("nck,nckm->ncm", rows, DATA), rtol=1e-4, atol=1e-5)


def test_matrix_product_of_dynamic_sizes():
    kernel = normal(1, 1, 6, 3)
    (found,) = run_layer(
        lambda network, tensor: network.add_matrix_multiply(tensor, NONE, constant(network, kernel), NONE),
        DATA,
        explicit=True,
        dynamic=True,
    )
    np.testing.assert_allclose(found, DATA @ kernel, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
@pytest.mark.parametrize(
    ("name", "function"), [("SUM", np.sum), ("PROD", np.prod), ("MAX", np.max), ("MIN", np.min), ("AVG", np.mean)]
)
def test_reduce(name, function, dtype, keep, explicit):
    if (name, dtype) == ("AVG", np.int32):
        dtype = np.float32  # a mean of integers is rounded, and how is not said
    data = DATA if dtype == np.float32 else RNG.integers(-3, 4, DATA.shape).astype(dtype)
    mask = 0b1010 if explicit else 0b101  # the same axes: a mask does not count an implicit batch
    (found,) = run_layer(
        lambda network, tensor: network.add_reduce(tensor, trt.ReduceOperation.__members__[name], mask, keep),
        data,
        explicit=explicit,
    )
    np.testing.assert_allclose(found, function(data, axis=(1, 3), keepdims=keep), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("name", ["MAX", "MIN"])
def test_topk_gives_values_and_places(name, explicit):
    values, places = run_layer(
        lambda network, tensor: network.add_topk(
            tensor, trt.TopKOperation.__members__[name], 2, 0b1000 >> (not explicit)
        ),
        DATA,
        explicit=explicit,
    )
    order = np.argsort(-DATA if name == "MAX" else DATA, axis=3)[..., :2]
    np.testing.assert_array_equal(places, order)
    assert places.dtype == np.int32
    np.testing.assert_array_equal(values, np.take_along_axis(DATA, order, 3))


def test_topk_takes_k_from_a_tensor():
    def add(network, tensor):
        layer = network.add_topk(tensor, trt.TopKOperation.MAX, 1, 0b100)
        layer.set_input(1, constant(network, np.array([3], np.int32)))
        assert layer.get_output(0).shape == (4, 5, 3)
        return layer

    np.testing.assert_array_equal(run_layer(add, DATA)[0], -np.sort(-DATA, 3)[..., :3])


INDICES = np.array([[2, 0, 2], [1, 3, 0]], np.int32)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_gather_along_an_axis(axis, explicit):
    (found,) = run_layer(
        lambda network, tensor: network.add_gather(tensor, constant(network, INDICES), axis - (not explicit)),
        DATA,
        explicit=explicit,
    )
    np.testing.assert_array_equal(found, DATA.take(INDICES, axis))


@pytest.mark.parametrize("axis", [0, 1])
def test_look_up_in_a_constant(axis):
    table = normal(7, 4)
    ids = np.array([[[3], [0]], [[1], [2]], [[3], [3]]], np.int32)
    (found,) = run_layer(lambda network, tensor: network.add_gather(constant(network, table), tensor, axis), ids)
    np.testing.assert_array_equal(found, np.stack([table.take(row, axis) for row in ids]))


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_gather_of_each_picture_by_its_own_indices(axis, explicit):
    def add(network, tensor, indices):
        layer = network.add_gather(tensor, indices, axis - (not explicit))
        if explicit:
            layer.num_elementwise_dims = 1
        return layer

    (found,) = run_layer(add, DATA, INDICES, explicit=explicit)
    np.testing.assert_array_equal(found, np.stack([x.take(i, axis - 1) for x, i in zip(DATA, INDICES, strict=True)]))


def test_gather_of_one_picture_for_all_indices():
    def add(network, tensor, indices):
        layer = network.add_gather(tensor, indices, 2)
        layer.num_elementwise_dims = 1
        return layer

    (found,) = run_layer(add, DATA[:1], INDICES, explicit=True)
    np.testing.assert_array_equal(found, np.stack([DATA[0].take(row, 1) for row in INDICES]))
    (found,) = run_layer(add, DATA, INDICES[:1], explicit=True)
    np.testing.assert_array_equal(found, DATA.take(INDICES[0], 2))


@pytest.mark.parametrize("shared", [0, 1])
def test_gather_in_n_dimensions(shared):
    points = RNG.integers(0, 4, (2, 3, 2)).astype(np.int32)

    def add(network, tensor, indices):
        layer = network.add_gather_v2(tensor, indices, trt.GatherMode.ND)
        layer.num_elementwise_dims = shared
        return layer

    data = DATA[:, :, :4, :4].repeat(2, 0)[:4] if not shared else DATA
    (found,) = run_layer(add, data, points, explicit=True)
    if shared:
        wanted = np.stack([x[i[:, 0], i[:, 1]] for x, i in zip(DATA, points, strict=True)])
    else:
        wanted = data[points[..., 0], points[..., 1]]
    np.testing.assert_array_equal(found, wanted)


def test_gather_of_elements():
    places = RNG.integers(0, 5, (2, 4, 3, 6)).astype(np.int32)

    def add(network, tensor, indices):
        layer = network.add_gather_v2(tensor, indices, trt.GatherMode.ELEMENT)
        layer.axis = 2
        return layer

    np.testing.assert_array_equal(run_layer(add, DATA, places, explicit=True)[0], np.take_along_axis(DATA, places, 2))


@pytest.mark.parametrize("explicit", [False, True])
def test_slice_in_steps_and_backwards(explicit):
    def add(network, tensor):
        whole, first, one = ([2], [0], [1]) if explicit else ([], [], [])
        return network.add_slice(tensor, [*first, 1, 0, 5], [*whole, 2, 3, 3], [*one, 1, 2, -2])

    np.testing.assert_array_equal(run_layer(add, DATA, explicit=explicit)[0], DATA[:, 1:3, 0:5:2, 5::-2])


def test_empty_slice():
    (found,) = run_layer(lambda network, tensor: network.add_slice(tensor, (0, 0, 0), (4, 0, 6), (1, 1, 1)), DATA)
    assert found.shape == (2, 4, 0, 6)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        (MODES.WRAP, {"mode": "wrap"}),
        (MODES.CLAMP, {"mode": "edge"}),
        (MODES.REFLECT, {"mode": "reflect"}),
        (MODES.FILL, {"constant_values": 0}),
    ],
)
@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_slice_outside_its_input(mode, options, explicit, dtype):
    data = (DATA * 10).astype(dtype)

    def add(network, tensor):
        whole, first, one = ([2], [0], [1]) if explicit else ([], [], [])
        layer = network.add_slice(tensor, [*first, -1, 0, -9], [*whole, 4, 7, 21], [*one, 1, 1, 1])
        layer.mode = mode
        return layer

    padded = np.pad(data, [(0, 0), (1, 0), (0, 2), (9, 6)], **options)[:, :4]
    np.testing.assert_array_equal(run_layer(add, data, explicit=explicit)[0], padded)


def test_slice_filled_with_a_value():
    def add(network, tensor):
        layer = network.add_slice(tensor, (0, 0, -2), (4, 5, 10), (1, 1, 1))
        layer.mode = trt.SliceMode.FILL
        layer.set_input(4, constant(network, np.full((1, 1, 1), 7, np.float32)))
        return layer

    wanted = np.pad(DATA, [(0, 0)] * 3 + [(2, 2)], constant_values=7)
    np.testing.assert_array_equal(run_layer(add, DATA)[0], wanted)


@pytest.mark.parametrize("dynamic", [False, True])
def test_slice_with_bounds_from_tensors(dynamic):
    def add(network, tensor, like):
        layer = network.add_slice(tensor, (0, 0, 0, 5), (1, 1, 1, 1), (1, 1, 1, -1))
        layer.set_input(2, network.add_shape(like).get_output(0))
        return layer

    (found,) = run_layer(add, DATA, DATA[:, :3, :, :6], explicit=True, dynamic=dynamic)
    np.testing.assert_array_equal(found, DATA[:, :3, :, ::-1])


@pytest.mark.parametrize("explicit", [False, True])
def test_a_stride_of_0_repeats_one_element(explicit):
    def add(network, tensor):
        whole, first, one = ([2], [0], [1]) if explicit else ([], [], [])
        return network.add_slice(tensor, [*first, 3, 0, 4], [*whole, 7, 2, 5], [*one, 0, 2, -1])

    wanted = np.repeat(DATA[:, 3:4, 0:4:2, 4::-1], 7, axis=1)
    np.testing.assert_array_equal(run_layer(add, DATA, explicit=explicit)[0], wanted)


def test_a_stride_of_0_from_a_tensor_repeats_one_element():
    def add(network, tensor):
        layer = network.add_slice(tensor, (0, 3, 0, 5), (2, 7, 5, 6), (1, 1, 1, 1))
        layer.set_input(3, constant(network, np.array([1, 0, 1, -1], np.int32)))
        return layer

    (found,) = run_layer(add, DATA, explicit=True)
    np.testing.assert_array_equal(found, np.repeat(DATA[:, 3:4, :, ::-1], 7, axis=1))


def test_sizes_of_a_shuffle_are_plain_numbers():
    class Counted(int):
        def __mul__(self, other):
            raise AssertionError("the number is a script's own")

        __rmul__ = __mul__

    def add(network, tensor):
        layer = network.add_shuffle(tensor)
        layer.reshape_dims = tuple(map(Counted, (5, 24)))
        layer.second_transpose = tuple(map(Counted, (1, 0)))
        return layer

    np.testing.assert_array_equal(run_layer(add, DATA)[0], DATA.reshape(2, 5, 24).swapaxes(1, 2))


def test_padding_adds_and_cuts_off():
    (found,) = run_layer(lambda network, tensor: network.add_padding_nd(tensor, (1, -2), (0, 3)), DATA)
    np.testing.assert_array_equal(found, np.pad(DATA[..., 2:], [(0, 0), (0, 0), (1, 0), (0, 3)]))


@pytest.mark.parametrize("dtype", [np.float32, np.int32, bool])
def test_concatenation_of_any_type(dtype):
    data = DATA.astype(dtype)

    def add(network, a, b):
        layer = network.add_concatenation([a, b])
        layer.axis = 2
        return layer

    np.testing.assert_array_equal(run_layer(add, data, data[..., :2])[0], np.concatenate([data, data[..., :2]], 3))


def test_constant_is_joined_to_each_picture():
    tail = normal(1, 5, 6)

    def add(network, tensor):
        return network.add_concatenation([constant(network, tail), tensor])

    np.testing.assert_array_equal(run_layer(add, DATA)[0], np.concatenate([tail[None].repeat(2, 0), DATA], 1))


@pytest.mark.parametrize("dynamic", [False, True])
def test_reshape_to_sizes_from_tensors(dynamic):
    def add(network, tensor):
        sizes = network.add_shape(tensor).get_output(0)
        batch = network.add_slice(sizes, (0,), (1,), (1,)).get_output(0)
        joined = network.add_concatenation([batch, constant(network, np.array([-1, 6], np.int32))]).get_output(0)
        layer = network.add_shuffle(tensor)
        layer.set_input(1, joined)
        assert layer.get_output(0).shape == ((-1, -1, 6) if dynamic else (2, 20, 6))
        assert joined.is_shape_tensor
        assert not tensor.is_shape_tensor
        return layer

    np.testing.assert_array_equal(run_layer(add, DATA, explicit=True, dynamic=dynamic)[0], DATA.reshape(2, 20, 6))


def test_reshape_copies_sizes_for_0_unless_told_otherwise():
    def add(network, tensor):
        layer = network.add_shuffle(tensor)
        layer.reshape_dims, layer.second_transpose = (0, -1), (1, 0)
        return layer

    np.testing.assert_array_equal(run_layer(add, DATA)[0], DATA.reshape(2, 4, 30).swapaxes(1, 2))

    def empty(network, tensor):
        layer = network.add_shuffle(tensor)
        layer.reshape_dims, layer.zero_is_placeholder = (3, 0), False
        return layer

    (found,) = run_layer(empty, DATA[:, :0], explicit=True)
    assert found.shape == (3, 0)


def test_setting_the_sizes_takes_the_place_of_a_tensor():
    network = trt.Builder(trt.Logger()).create_network(1)
    layer = network.add_shuffle(network.add_input("x", trt.float32, (2, 3)))
    layer.set_input(1, constant(network, np.array([3, 2], np.int32)))
    assert (layer.num_inputs, layer.get_output(0).shape) == (2, (3, 2))
    layer.reshape_dims = (6,)
    assert (layer.num_inputs, layer.get_output(0).shape) == (1, (6,))


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_one_hot(axis, dtype):
    def add(network, indices):
        values, depth = constant(network, np.array([2, 5], dtype)), constant(network, np.array(4, np.int32))
        return network.add_one_hot(indices, values, depth, axis)

    wanted = np.moveaxis(np.where(np.arange(4) == INDICES[..., None], 5, 2), 2, axis)
    np.testing.assert_array_equal(run_layer(add, INDICES, explicit=True)[0], wanted)


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda n, x: n.add_matrix_multiply(x, NONE, x, NONE), r"matrices of shapes \(4, 5, 6\) and \(4, 5, 6\)"),
        (lambda n, x: n.add_matrix_multiply(x, NONE, integers(n, 6, 2), NONE), "input 1, .* is INT32"),
        (lambda n, x: n.add_reduce(x, trt.ReduceOperation.SUM, 0b1000, True), "axes 0b1000"),
        (lambda n, x: n.add_topk(x, trt.TopKOperation.MAX, 9, 1), "the largest 9 of 4 elements"),
        (lambda n, x: n.add_topk(x, trt.TopKOperation.MAX, 1, 3), r"TopK along the axes \[0, 1\]"),
        (lambda n, x: n.add_gather(x, x, 0), "indices of type FLOAT"),
        (lambda n, x: n.add_gather(x, integers(n, 2), 3), "axis 3 of data"),
        (lambda n, x: n.add_gather_v2(x, integers(n, 2), trt.GatherMode.ND), "mode ND .* an implicit batch"),
        (lambda n, x: n.add_slice(x, (0, 0, 0), (4, 5, 7), (1, 1, 1)), "leave the input"),
        (lambda n, x: n.add_slice(x, (0, 0), (4, 5), (1, 1)), "an entry for each axis"),
        (lambda n, x: n.add_padding(x, (-3, 0), (-2, 0)), "nothing is left"),
        (
            lambda n, x: n.add_concatenation([x, n.add_reduce(x, trt.ReduceOperation.SUM, 4, True).get_output(0)]),
            "joined",
        ),
        (lambda n, x: n.add_concatenation([x, n.add_cast(x, trt.int32).get_output(0)]), "input 1, .* is INT32"),
        (lambda n, x: reshaped(n, x, (7, -1)), r"cannot take the shape \(7, -1\)"),
        (lambda n, x: reshaped(n, x, (-1, -1)), "more than one size open"),
        (lambda n, x: reshaped(n, x, (4, 5, 6, 0)), "has no size of"),
        (lambda n, x: n.add_shape(x), "Shape with an implicit batch"),
        (lambda n, x: transposed(n, x, (0, 0, 1)), r"the transposition \(0, 0, 1\)"),
    ],
)
def test_what_does_not_fit_is_named(add, message):
    with pytest.raises(NetworkError, match=message):
        run_layer(add, DATA)


def integers(network, *shape):
    return constant(network, np.zeros(shape, np.int32))


def reshaped(network, tensor, sizes):
    layer = network.add_shuffle(tensor)
    layer.reshape_dims = sizes
    return layer


def transposed(network, tensor, order):
    layer = network.add_shuffle(tensor)
    layer.first_transpose = order
    return layer
