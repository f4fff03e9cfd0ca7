"""Slices beyond their input whose bounds or sizes are open until run time, and sizes computed of shapes, against NumPy
and PyTorch."""

import numpy as np
import pytest
import torch
from networks import constant, run_layer

import trtflow.reference as trt

RNG = np.random.default_rng(3)
DATA = RNG.normal(size=(2, 3, 5)).astype(np.float32)
MODES = trt.SampleMode
SUM, PROD, SUB, LESS = (trt.ElementWiseOperation.__members__[name] for name in ("SUM", "PROD", "SUB", "LESS"))
# the word for each mode in NumPy's pad, with which elements before and behind are as TensorRT has them
PADS = {"WRAP": "wrap", "CLAMP": "edge", "REFLECT": "reflect", "FILL": "constant"}


def numbers(network, *values):
    return constant(network, np.array(values, np.int32))


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("given", ["tensors", "attributes"])
@pytest.mark.parametrize("mode", PADS)
def test_elements_outside_are_what_the_mode_says(mode, given, dynamic):
    """Two more elements before and three behind the last axis, one more at both ends of the middle one."""

    def add(network, tensor):
        start, size = (0, -1, -2), (2, 5, 10)
        layer = network.add_slice(tensor, start, size, (1, 1, 1))
        layer.mode = MODES.__members__[mode]
        if given == "tensors":
            grown = network.add_elementwise(network.add_shape(tensor).get_output(0), numbers(network, 0, 2, 5), SUM)
            layer.set_input(1, numbers(network, *start))
            layer.set_input(2, grown.get_output(0))
        return layer

    (found,) = run_layer(add, DATA, explicit=True, dynamic=dynamic)
    np.testing.assert_array_equal(found, np.pad(DATA, ((0, 0), (1, 1), (2, 3)), PADS[mode]))


def test_a_fill_of_ones_and_a_step_of_two():
    def add(network, tensor):
        layer = network.add_slice(tensor, (0, 0, 0), (2, 3, 4), (1, 1, 2))
        layer.mode = MODES.FILL
        layer.set_input(4, constant(network, np.float32(7)))
        return layer

    (found,) = run_layer(add, DATA, explicit=True, dynamic=True)
    np.testing.assert_array_equal(found, np.pad(DATA, ((0, 0), (0, 0), (0, 3)), constant_values=7)[:, :, ::2])


def test_a_batch_that_is_implicit_is_not_sliced():
    def add(network, tensor):
        layer = network.add_slice(tensor, (0, 0), (1, 1), (1, 1))
        layer.mode = MODES.WRAP
        layer.set_input(1, numbers(network, 1, -1))
        layer.set_input(2, numbers(network, 4, 7))
        return layer

    (found,) = run_layer(add, DATA)
    np.testing.assert_array_equal(found, DATA[:, np.arange(1, 5) % 3][:, :, np.arange(-1, 6) % 5])


def test_a_tile_of_a_tensor_whose_sizes_are_open():
    def add(network, tensor):
        sizes = network.add_elementwise(network.add_shape(tensor).get_output(0), numbers(network, 2, 1, 3), PROD)
        layer = network.add_slice(tensor, (0, 0, 0), (1, 1, 1), (1, 1, 1))
        layer.mode = MODES.WRAP
        layer.set_input(1, numbers(network, 0, 0, 0))
        layer.set_input(2, sizes.get_output(0))
        return layer

    (found,) = run_layer(add, DATA, explicit=True, dynamic=True)
    np.testing.assert_array_equal(found, torch.tile(torch.from_numpy(DATA), (2, 1, 3)).numpy())


def test_sizes_that_are_chosen_or_computed_are_known_where_their_parts_are():
    """-1 stands for the input's size in the numbers that another selects; one open size leaves the others known."""
    builder = trt.Builder(trt.Logger())
    network = builder.create_network(1)
    tensor = network.add_input("x", trt.float32, (-1, 6, 8))
    shape, wanted = network.add_shape(tensor).get_output(0), numbers(network, -1, 1, 8)
    open_ones = network.add_elementwise(wanted, numbers(network, 0, 0, 0), LESS).get_output(0)
    chosen = network.add_select(open_ones, shape, wanted).get_output(0)
    cut = network.add_slice(tensor, (0, 0, 0), (1, 1, 1), (1, 1, 1))
    cut.set_input(2, chosen)
    assert tuple(cut.get_output(0).shape) == (-1, 1, 8)
    less = network.add_elementwise(chosen, numbers(network, 0, 0, 3), SUB).get_output(0)
    cut.set_input(2, less)
    assert tuple(cut.get_output(0).shape) == (-1, 1, 5)
    count = network.add_reduce(network.add_slice(shape, [1], [2], [1]).get_output(0), trt.ReduceOperation.PROD, 1, True)
    flat = network.add_shuffle(tensor)
    flat.set_input(1, network.add_concatenation([numbers(network, -1), count.get_output(0)]).get_output(0))
    assert tuple(flat.get_output(0).shape) == (-1, 48)


def test_shapes_behind_chosen_sizes_let_one_axis_go():
    """As an index of one element does, behind a batch that is open."""

    def add(network, tensor):
        shape, wanted = network.add_shape(tensor).get_output(0), numbers(network, -1, 1, 5)
        open_ones = network.add_elementwise(wanted, numbers(network, 0, 0, 0), LESS).get_output(0)
        cut = network.add_slice(tensor, (0, 2, 0), (1, 1, 1), (1, 1, 1))
        cut.set_input(2, network.add_select(open_ones, shape, wanted).get_output(0))
        layer = network.add_shuffle(cut.get_output(0))
        layer.reshape_dims = (cut.get_output(0).shape[0], 5)
        return layer

    (found,) = run_layer(add, DATA, explicit=True)
    np.testing.assert_array_equal(found, DATA[:, 2])


def test_a_product_of_a_float_and_a_half_float_is_a_float():
    def add(network, one, other):
        return network.add_elementwise(one, other, PROD)

    half = np.float16([[1.5, -2]])
    (found,) = run_layer(add, half, np.float32([[3, 0.25]]), explicit=True)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[4.5, -0.5]])


def test_selu_has_its_constants_where_none_are_set():
    (found,) = run_layer(lambda network, tensor: network.add_activation(tensor, trt.ActivationType.SELU), DATA)
    np.testing.assert_allclose(found, torch.nn.functional.selu(torch.from_numpy(DATA)).numpy(), atol=1e-6)


@pytest.mark.answers
def test_a_stride_of_too_few_numbers_is_told_and_the_layer_keeps_its_own():
    told = []

    class Told(trt.ILogger):
        def __init__(self):
            super().__init__()

        def log(self, severity, message):
            told.append((severity, message))

    network = trt.Builder(Told()).create_network(1)
    tensor = network.add_input("x", trt.float32, (1, 1, 6, 6))
    layer = network.add_convolution_nd(tensor, 1, (3, 1), np.ones(3, np.float32))
    layer.stride_nd = (2, 1)
    layer.stride_nd = (3,)
    layer.dilation_nd = (1, 1, 1)
    assert tuple(layer.stride_nd) == (2, 1)
    assert tuple(layer.get_output(0).shape) == (1, 1, 2, 6)
    assert [severity for severity, _ in told] == [trt.ILogger.ERROR] * 2
    assert "stride" in told[0][1]
    assert "dilation" in told[1][1]


def test_the_compiled_module_of_nvidias_package_is_there():
    assert trt.tensorrt.ITensor is trt.ITensor
