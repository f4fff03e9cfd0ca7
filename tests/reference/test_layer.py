"""What all layers and tensors share, and the network around them."""

import numpy as np
import pytest
from networks import constant, run_layer

import trtflow.reference as trt
from trtflow.reference import BuildError, NetworkError

DATA = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
EXPLICIT = 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)


@pytest.fixture
def network():
    return trt.Builder(trt.Logger()).create_network(EXPLICIT)


def exp(network, tensor):
    return network.add_unary(tensor, trt.UnaryOperation.EXP)


def test_values_of_enumerations():
    layers = ["CONVOLUTION", "UNARY", "PADDING", "MATRIX_MULTIPLY", "PLUGIN_V2", "SELECT", "QUANTIZE", "CAST"]
    assert [int(trt.LayerType.__members__[name]) for name in layers] == [0, 11, 12, 17, 22, 31, 33, 47]
    assert len(trt.LayerType.__members__) == 48
    assert [int(role) for role in trt.WeightsRole.__members__.values()] == list(range(6))
    assert [order.name for order in trt.UffInputOrder.__members__.values()] == ["NCHW", "NHWC", "NC"]
    assert int(trt.ElementWiseOperation.LESS) == 13
    assert int(trt.PaddingMode.CAFFE_ROUND_UP) == 5
    assert trt.SliceMode.DEFAULT == trt.SampleMode.STRICT_BOUNDS
    assert trt.ResizeMode is trt.InterpolationMode


def test_every_layer_is_exported_and_has_its_own_type():
    classes = [getattr(trt, name) for name in dir(trt) if name.startswith("I") and name.endswith("Layer")]
    abstract = (trt.ILayer, trt.ILoopBoundaryLayer, trt.IIfConditionalBoundaryLayer)
    named = [kind for kind in classes if kind not in abstract]
    assert len({kind.layer_type for kind in named}) == len(named) == 47


def test_shape_of_an_input_can_change_and_everything_behind_follows(network):
    tensor = network.add_input("x", trt.float32, (1, 3, 4, 5))
    last = exp(network, exp(network, tensor).get_output(0)).get_output(0)
    assert last.shape == (1, 3, 4, 5)
    tensor.shape = (8, 3, -1, 5)
    assert last.shape == (8, 3, -1, 5)
    tensor.dtype = trt.float16
    assert last.dtype == trt.float16


def test_networks_may_be_deeper_than_the_stack(network):
    tensor = network.add_input("x", trt.float32, (1, 3))
    for _ in range(3000):
        tensor = exp(network, tensor).get_output(0)
    assert tensor.shape == (1, 3)
    assert tensor.dtype == trt.float32


def test_a_layer_that_reads_its_own_output_is_an_error(network):
    first = exp(network, network.add_input("x", trt.float32, (1, 3)))
    second = exp(network, first.get_output(0))
    first.set_input(0, second.get_output(0))
    with pytest.raises(NetworkError, match="its inputs depend on its own output"):
        _ = second.get_output(0).shape


def test_metadata_and_types_of_outputs(network):
    layer = exp(network, network.add_input("x", trt.float32, (1, 3)))
    assert (layer.metadata, layer.get_output_type(0), layer.output_type_is_set(0)) == ("", trt.float32, False)
    layer.metadata = "[note]"
    layer.set_output_type(0, trt.float16)
    assert (layer.metadata, layer.get_output_type(0), layer.output_type_is_set(0)) == ("[note]", trt.float16, True)
    assert layer.get_output(0).dtype == trt.float32
    layer.reset_output_type(0)
    assert not layer.output_type_is_set(0)
    assert network.add_topk(layer.get_output(0), trt.TopKOperation.MAX, 1, 2).get_output_type(1) == trt.int32


def test_output_type_rounds_what_a_layer_gives():
    def add(network, tensor):
        layer = exp(network, tensor)
        layer.set_output_type(0, trt.float16)
        return layer

    (found,) = run_layer(add, DATA)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, found.astype(np.float16))
    np.testing.assert_allclose(found, np.exp(DATA), rtol=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("dtype", [trt.float16, trt.int32, trt.bool])
def test_type_of_an_output_binding(precision, dtype):
    def add(network, tensor):
        layer = exp(network, tensor)
        layer.get_output(0).dtype = dtype
        again = network.add_unary(layer.get_output(0), trt.UnaryOperation.LOG)
        return [layer.get_output(0), again.get_output(0)]

    found, same = run_layer(add, DATA, precision=precision)
    tolerance = 2e-3 if precision == "fp16" or dtype == trt.float16 else 1e-6
    np.testing.assert_allclose(found, np.exp(DATA).astype(trt.nptype(dtype)), rtol=tolerance)
    np.testing.assert_allclose(same, DATA, atol=1e-2 if precision == "fp16" else 1e-5)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_type_of_an_input_binding(precision):
    data = DATA.astype(np.float16)
    (found,) = run_layer(exp, data, precision=precision)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, np.exp(data.astype(np.float32)), rtol=2e-3)


def test_weights_can_be_set_to_arrays(network):
    tensor = network.add_input("x", trt.float32, (1, 3, 4, 5))
    layer = network.add_convolution_nd(tensor, 2, (3, 3), np.zeros((2, 3, 3, 3), np.float32))
    layer.kernel, layer.bias = np.ones((2, 3, 3, 3), np.float32), None
    np.testing.assert_array_equal(layer.kernel, np.ones(54, np.float32))  # flat, as TensorRT gives it
    assert (layer.kernel.size, layer.bias.size) == (54, 0)


def test_both_names_of_windows(network):
    layer = network.add_convolution(
        network.add_input("x", trt.float32, (1, 3, 9, 9)), 2, (3, 5), np.zeros(90, np.float32)
    )
    layer.stride_nd, layer.padding_nd, layer.dilation_nd = (2, 1), (1, 2), (1, 2)
    assert (layer.kernel_size, layer.kernel_size_nd) == ((3, 5), (3, 5))
    assert (layer.stride, layer.padding, layer.dilation) == ((2, 1), (1, 2), (1, 2))
    assert layer.pre_padding == layer.post_padding == (1, 2)


def test_tensors_keep_what_is_only_recorded(network):
    tensor = network.add_input("x", trt.float32, (-1, 3))
    assert tensor.location == trt.TensorLocation.DEVICE
    assert tensor.allowed_formats == (1 << len(trt.TensorFormat.__members__)) - 1
    tensor.allowed_formats = 1 << int(trt.TensorFormat.LINEAR)
    tensor.set_dimension_name(0, "batch")
    assert (tensor.allowed_formats, tensor.get_dimension_name(0), tensor.get_dimension_name(1)) == (1, "batch", None)
    assert tensor.is_execution_tensor
    assert not tensor.is_shape_tensor


def test_only_inputs_that_nothing_reads_can_be_removed(network):
    used, unused = (network.add_input(name, trt.float32, (1, 3)) for name in ("used", "unused"))
    layer = exp(network, used)
    network.remove_tensor(unused)
    assert [network.get_input(index).name for index in range(network.num_inputs)] == ["used"]
    with pytest.raises(NetworkError, match=r"'used': layer '.*' reads this tensor"):
        network.remove_tensor(used)
    with pytest.raises(NetworkError, match="no input of the network"):
        network.remove_tensor(layer.get_output(0))


def test_inputs_that_are_left_out(network):
    layer = network.add_slice(network.add_input("x", trt.float32, (4,)), (0,), (2,), (1,))
    sizes = constant(network, np.array([3], np.int32))
    layer.set_input(2, sizes)
    assert (layer.num_inputs, layer.get_input(1), layer.get_input(2)) == (3, None, sizes)
    assert layer.get_output(0).shape == (3,)
    with pytest.raises(NetworkError, match=r"no input 5. Slice has inputs 0 to 4"):
        layer.set_input(5, sizes)


def test_int8_needs_a_range_for_a_binding():
    def add(network, tensor):
        layer = exp(network, tensor)
        layer.get_output(0).dtype = trt.int8
        return layer

    with pytest.raises(BuildError, match="DataType Int8 in network without Q/DQ layers must have dynamic range set"):
        run_layer(add, DATA)


def test_weights_can_be_set_after_a_layer_is_added():
    def define(network, tensor):
        layer = network.add_fully_connected(tensor, 1, np.ones(1, np.float32))  # as scripts do that set attributes
        layer.num_output_channels, layer.kernel, layer.bias = 2, np.arange(6, dtype=np.float32), np.float32([1, 2])
        return layer

    (found,) = run_layer(define, np.ones((2, 3, 1, 1), np.float32))
    np.testing.assert_allclose(found.reshape(2, 2), [[4, 14], [4, 14]])


def test_absent_weights_are_an_empty_array(network):
    tensor = network.add_input("x", trt.float32, (1, 3, 4, 5))
    layer = network.add_convolution_nd(tensor, 2, (3, 3), np.zeros((2, 3, 3, 3), np.float32))
    assert (layer.bias.shape, layer.bias.dtype, layer.kernel.shape) == ((0,), np.float32, (54,))


def test_a_resize_that_is_not_told_sizes_keeps_them(network):
    (found,) = run_layer(lambda network, tensor: network.add_resize(tensor), DATA)
    np.testing.assert_array_equal(found, DATA)
    layer = network.add_resize(network.add_input("x", trt.float32, (-1, 2, -1, 4)))
    assert layer.get_output(0).shape == (-1, 2, -1, 4)


def test_a_scale_takes_its_channel_axis_by_position(network):
    shift, scale, power = np.float32([2, 3, 4, 5]), np.float32([1, 10, 1, 1]), np.ones(4, np.float32)

    def define(network, tensor):
        return network.add_scale_nd(tensor, trt.ScaleMode.CHANNEL, shift, scale, power, 1)

    (found,) = run_layer(define, DATA)  # of an implicit batch: axis 1 is the rows
    np.testing.assert_allclose(found, DATA * scale[:, None] + shift[:, None], rtol=1e-6)
    with pytest.raises(TypeError, match="channel_axis"):
        network.add_scale_nd(network.add_input("x", trt.float32, (2, 1, 1, 2)), trt.ScaleMode.UNIFORM)


def test_a_shuffle_tells_what_it_was_not_told_as_tensorrt_does(network):
    layer = network.add_shuffle(network.add_input("x", trt.float32, (2, 3, 4)))
    assert list(layer.first_transpose) == list(layer.second_transpose) == list(range(8))
    with pytest.raises(ValueError, match="should return >= 0"):
        len(layer.reshape_dims)
    layer.first_transpose = trt.Permutation([2, 0, 1])  # eight entries, of which three are read
    assert layer.get_output(0).shape == (4, 2, 3)
    layer.reshape_dims = (4, 6)
    assert (layer.reshape_dims, layer.get_output(0).shape) == ((4, 6), (4, 6))
    other = network.add_shuffle(network.add_input("y", trt.float32, (2, 3, 4)))
    other.first_transpose, other.second_transpose = layer.first_transpose, layer.second_transpose
    assert other.get_output(0).shape == (4, 2, 3)
