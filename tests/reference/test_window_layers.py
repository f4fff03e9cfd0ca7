"""Convolution, deconvolution, pooling, padding and resize against PyTorch: modes of padding, 3-D, dynamic sizes."""

import numpy as np
import pytest
import torch
from networks import constant, run_layer
from torch.nn import functional

import trtflow.reference as trt
from trtflow.reference import NetworkError

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 4, 9, 8)).astype(np.float32)
VOLUMES = RNG.normal(size=(2, 4, 5, 6, 7)).astype(np.float32)
MODES = trt.PaddingMode


def weights(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def close(actual, expected, tolerance=1e-4):
    np.testing.assert_allclose(actual, np.asarray(expected), rtol=tolerance, atol=tolerance)


def same(x, window, stride, dilation, upper, value=0.0):
    """Pad the last axes as TensorRT's SAME modes say."""
    pads = []
    for axis, size in enumerate(x.shape[2:]):
        reach = dilation * (window[axis] - 1) + 1
        total = max((size - 1) // stride[axis] * stride[axis] + reach - size, 0)
        less, more = total // 2, total - total // 2
        pads = [*((less, more) if upper else (more, less)), *pads]
    return functional.pad(torch.tensor(x), pads, value=value)


@pytest.mark.parametrize(("explicit", "dynamic"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("mode", [MODES.SAME_UPPER, MODES.SAME_LOWER])
@pytest.mark.parametrize(("stride", "dilation"), [((1, 1), 1), ((2, 3), 1), ((1, 1), 2)])
def test_convolution_of_same_size(mode, stride, dilation, explicit, dynamic):
    kernel, bias = weights(6, 4, 4, 3), weights(6)

    def add(network, tensor):
        if dynamic:
            tensor.shape = (-1, 4, -1, -1)
        layer = network.add_convolution_nd(tensor, 6, (4, 3), kernel, bias)
        layer.stride_nd, layer.dilation_nd, layer.padding_mode = stride, (dilation, dilation), mode
        return layer

    padded = same(IMAGES, (4, 3), stride, dilation, mode == MODES.SAME_UPPER)
    wanted = functional.conv2d(padded, *map(torch.tensor, (kernel, bias)), stride, 0, dilation)
    close(run_layer(add, IMAGES, explicit=explicit, dynamic=dynamic)[0], wanted)


@pytest.mark.parametrize("explicit", [False, True])
def test_convolution_and_deconvolution_in_three_dimensions(explicit):
    kernel = weights(6, 2, 3, 2, 3)

    def convolution(network, tensor):
        layer = network.add_convolution_nd(tensor, 6, (3, 2, 3), kernel)
        layer.stride_nd, layer.padding_nd, layer.num_groups = (1, 2, 1), (1, 0, 1), 2
        return layer

    wanted = functional.conv3d(torch.tensor(VOLUMES), torch.tensor(kernel), None, (1, 2, 1), (1, 0, 1), 1, 2)
    close(run_layer(convolution, VOLUMES, explicit=explicit)[0], wanted)
    kernel = weights(4, 3, 3, 2, 3)

    def deconvolution(network, tensor):
        layer = network.add_deconvolution_nd(tensor, 6, (3, 2, 3), kernel)
        layer.stride_nd, layer.padding_nd, layer.num_groups = (1, 2, 1), (1, 0, 1), 2
        return layer

    wanted = functional.conv_transpose3d(torch.tensor(VOLUMES), torch.tensor(kernel), None, (1, 2, 1), (1, 0, 1), 0, 2)
    close(run_layer(deconvolution, VOLUMES, explicit=explicit)[0], wanted)


def test_dimensions_before_the_channels_are_a_batch():
    kernel = weights(3, 5, 3, 3)

    def add(network, tensor):
        convolution = network.add_convolution(tensor, 3, (3, 3), kernel).get_output(0)
        return network.add_pooling(convolution, trt.PoolingType.MAX, (2, 2))

    flat = torch.tensor(VOLUMES.reshape(8, 5, 6, 7))
    wanted = functional.max_pool2d(functional.conv2d(flat, torch.tensor(kernel)), 2, 1)
    close(run_layer(add, VOLUMES)[0], wanted.reshape(2, 4, *wanted.shape[1:]))
    rows = weights(3, 5 * 6 * 7)
    (found,) = run_layer(lambda network, tensor: network.add_fully_connected(tensor, 3, rows), VOLUMES)
    close(found[..., 0, 0], VOLUMES.reshape(2, 4, -1) @ rows.T)


@pytest.mark.parametrize("explicit", [False, True])
def test_kernel_and_bias_from_tensors(explicit):
    kernel, bias = weights(6, 4, 3, 3), weights(6)

    def add(network, tensor):
        layer = network.add_convolution(tensor, 6, (3, 3), None, None)
        layer.set_input(1, constant(network, kernel))
        layer.set_input(2, constant(network, bias))
        assert layer.num_inputs == 3
        return layer

    close(run_layer(add, IMAGES, explicit=explicit)[0], functional.conv2d(*map(torch.tensor, (IMAGES, kernel, bias))))


@pytest.mark.parametrize("mode", [MODES.SAME_UPPER, MODES.SAME_LOWER])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_deconvolution_of_same_size(mode, stride):
    kernel = weights(4, 3, 4, 4)

    def add(network, tensor):
        layer = network.add_deconvolution(tensor, 3, (4, 4), kernel)
        layer.stride, layer.padding_mode = (stride, stride), mode
        return layer

    (found,) = run_layer(add, IMAGES)
    assert found.shape[2:] == tuple(size * stride for size in IMAGES.shape[2:])
    cut = 4 - stride
    first = cut // 2 if mode == MODES.SAME_UPPER else cut - cut // 2
    whole = functional.conv_transpose2d(torch.tensor(IMAGES), torch.tensor(kernel), stride=stride)
    close(found, whole[..., first : first + found.shape[2], first : first + found.shape[3]])


@pytest.mark.parametrize(
    ("mode", "sizes"),
    [  # example 2 of TensorRT's description of its padding modes, and the explicit ones beside it
        (MODES.EXPLICIT_ROUND_DOWN, 5),
        (MODES.EXPLICIT_ROUND_UP, 6),
        (MODES.CAFFE_ROUND_DOWN, 5),
        (MODES.CAFFE_ROUND_UP, 5),
        (MODES.SAME_UPPER, 3),
        (MODES.SAME_LOWER, 3),
    ],
)
def test_sizes_of_pooling_modes(mode, sizes):
    network = trt.Builder(trt.Logger()).create_network()
    layer = network.add_pooling(network.add_input("x", trt.float32, (1, 6, 6)), trt.PoolingType.MAX, (3, 3))
    layer.padding, layer.stride, layer.padding_mode = (3, 3), (2, 2), mode
    assert layer.get_output(0).shape == (1, sizes, sizes)


def test_convolution_of_caffe_mode_uses_the_padding_before_twice_and_clips_nothing():
    network = trt.Builder(trt.Logger()).create_network()
    tensor = network.add_input("x", trt.float32, (1, 6, 6))
    layer = network.add_convolution(tensor, 1, (3, 3), weights(1, 1, 3, 3))
    layer.pre_padding, layer.stride, layer.padding_mode = (3, 3), (2, 2), MODES.CAFFE_ROUND_UP
    assert layer.get_output(0).shape == (1, 6, 6)


@pytest.mark.parametrize("mode", [MODES.SAME_UPPER, MODES.SAME_LOWER])
@pytest.mark.parametrize("explicit", [False, True])
def test_pooling_of_same_size(mode, explicit):
    upper = mode == MODES.SAME_UPPER

    def add(network, tensor, kind):
        layer = network.add_pooling_nd(tensor, kind, (3, 2))
        layer.stride_nd, layer.padding_mode = (2, 2), mode
        return layer

    (largest,) = run_layer(lambda n, x: add(n, x, trt.PoolingType.MAX), IMAGES, explicit=explicit)
    close(largest, functional.max_pool2d(same(IMAGES, (3, 2), (2, 2), 1, upper, -np.inf), (3, 2), 2))
    (mean,) = run_layer(lambda n, x: add(n, x, trt.PoolingType.AVERAGE), IMAGES, explicit=explicit)
    total = functional.avg_pool2d(same(IMAGES, (3, 2), (2, 2), 1, upper), (3, 2), 2)
    share = functional.avg_pool2d(same(np.ones_like(IMAGES), (3, 2), (2, 2), 1, upper), (3, 2), 2)
    close(mean, total / share)


def test_blend_and_three_dimensional_pooling():
    def add(network, tensor):
        layer = network.add_pooling_nd(tensor, trt.PoolingType.MAX_AVERAGE_BLEND, (2, 3, 2))
        layer.blend_factor, layer.stride_nd = 0.25, (1, 2, 2)
        return layer

    x = torch.tensor(VOLUMES)
    wanted = 0.75 * functional.max_pool3d(x, (2, 3, 2), (1, 2, 2)) + 0.25 * functional.avg_pool3d(
        x, (2, 3, 2), (1, 2, 2)
    )
    close(run_layer(add, VOLUMES)[0], wanted)


def test_type_of_pooling_and_activation_can_be_set():
    def add(network, tensor):
        pooling = network.add_pooling(tensor, trt.PoolingType.MAX, (2, 2))
        pooling.type = trt.PoolingType.AVERAGE
        layer = network.add_activation(pooling.get_output(0), trt.ActivationType.TANH)
        layer.type = trt.ActivationType.RELU
        assert (pooling.type, layer.type) == (trt.PoolingType.AVERAGE, trt.ActivationType.RELU)
        assert [item.type for item in network] == [trt.LayerType.POOLING, trt.LayerType.ACTIVATION]
        plain = network.get_layer(1)
        plain.__class__ = trt.IActivationLayer
        assert plain == layer
        assert plain.type == trt.ActivationType.RELU
        return layer

    close(run_layer(add, IMAGES)[0], functional.avg_pool2d(torch.tensor(IMAGES), 2, 1).relu())


@pytest.mark.parametrize(
    ("explicit", "dynamic", "by"),
    [(False, False, "shape"), (False, False, "scales"), (True, False, "shape"), (True, True, "scales")],
)
@pytest.mark.parametrize(
    ("mode", "coordinates", "options"),
    [
        ("NEAREST", "ASYMMETRIC", {"mode": "nearest"}),
        ("LINEAR", "HALF_PIXEL", {"mode": "bilinear"}),
        ("LINEAR", "ALIGN_CORNERS", {"mode": "bilinear", "align_corners": True}),
        ("CUBIC", "HALF_PIXEL", {"mode": "bicubic"}),
    ],
)
def test_resize(mode, coordinates, options, by, explicit, dynamic):
    def add(network, tensor):
        layer = network.add_resize(tensor)
        layer.resize_mode = trt.ResizeMode.__members__[mode]
        layer.coordinate_transformation = trt.ResizeCoordinateTransformation.__members__[coordinates]
        whole, ones = ([2, 4], [1, 1]) if explicit else ([4], [1])
        if by == "shape":
            layer.shape = (*whole, 18, 12)
        else:
            layer.scales = [*ones, 2, 1.5]
        return layer

    (found,) = run_layer(add, IMAGES, explicit=explicit, dynamic=dynamic)
    close(found, functional.interpolate(torch.tensor(IMAGES), (18, 12), **options))


@pytest.mark.parametrize(
    ("rounding", "places"),  # nearest to 0, 0.5, 1, 1.5, 2, 2.5
    [("FLOOR", "001122"), ("CEIL", "011222"), ("HALF_UP", "011222"), ("HALF_DOWN", "001122")],
)
def test_resize_to_the_nearest(rounding, places):
    data = np.array([[[[0.0, 1.0, 2.0]]]], np.float32)

    def add(network, tensor):
        layer = network.add_resize(tensor)
        layer.shape, layer.nearest_rounding = (1, 1, 1, 6), trt.ResizeRoundMode.__members__[rounding]
        return layer

    np.testing.assert_array_equal(run_layer(add, data, explicit=True)[0].ravel(), [int(place) for place in places])


def test_resize_to_the_size_of_another_tensor():
    def add(network, tensor, like):
        layer = network.add_resize(tensor)
        layer.set_input(1, network.add_shape(like).get_output(0))
        return layer

    like = np.zeros((2, 4, 18, 16), np.float32)
    for dynamic in (False, True):
        (found,) = run_layer(add, IMAGES, like, explicit=True, dynamic=dynamic)
        np.testing.assert_array_equal(found, IMAGES.repeat(2, 2).repeat(2, 3))


def two_kernels(network, tensor):
    layer = network.add_convolution(tensor, 6, (3, 3), weights(6, 4, 3, 3))
    layer.set_input(1, constant(network, weights(6, 4, 3, 3)))
    return layer


def with_scales(layer, scales):
    layer.scales = scales
    return layer


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda n, x: n.add_convolution(x, 4, (3, 3), weights(4, 2, 3, 3)), r"72 kernel weights, but its shape \(4, 4"),
        (lambda n, x: grouped(n, x, 3), "3 groups of 4 channels and 6 output maps"),
        (lambda n, x: n.add_convolution_nd(x, 4, (3,), weights(4, 4, 3)), r"a window \(3,\)"),
        (lambda n, x: n.add_pooling_nd(x, trt.PoolingType.MAX, (3, 3, 3)), r"not \(…, C, D, H, W\)"),
        (lambda n, x: n.add_pooling(x, trt.PoolingType.MAX, (10, 3)), "its window of 10 does not fit"),
        (lambda n, x: with_scales(n.add_resize(x), [2.0]), r"shape \(\) and scales \[2.0\]"),
        (lambda n, x: n.add_padding(x, (1, 1, 1), (0, 0, 0)), r"padding \(1, 1, 1\)"),
        (lambda n, x: n.add_convolution(x, 4, (3, 3), weights(4, 4, 3, 3)).set_input(3, x), "no input 3"),
        (two_kernels, "its kernel is both weights and a tensor"),
    ],
)
def test_what_does_not_fit_is_named(add, message):
    with pytest.raises(NetworkError, match=message):
        run_layer(add, IMAGES)


def grouped(network, tensor, count):
    layer = network.add_convolution(tensor, 6, (3, 3), weights(6, 1, 3, 3))
    layer.num_groups = count
    return layer


@pytest.mark.parametrize("add", ["add_convolution_nd", "add_scale"])
def test_channels_that_only_a_run_tells_are_refused(add):
    def define(network, tensor):
        if add == "add_scale":
            return network.add_scale(tensor, trt.ScaleMode.CHANNEL, weights(4), weights(4))
        return network.add_convolution_nd(tensor, 2, (3, 3), weights(2, 4, 3, 3))

    with pytest.raises(NetworkError, match="Its weights have a fixed size: fix the"):
        run_layer(define, IMAGES, explicit=True, dynamic=True)
