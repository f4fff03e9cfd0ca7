"""Every layer against PyTorch, in a network with an implicit batch."""

import numpy as np
import pytest
import torch
from torch.nn import functional

import trtflow.reference as trt

RNG = np.random.default_rng(0)


def weights(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 1, 1, 2), (1, 3, 3, 1)])
def test_convolution(run, stride, padding, dilation, groups):
    x, kernel, bias = weights(2, 4, 11, 9), weights(6, 4 // groups, 3, 3), weights(6)

    def define(network, tensor):
        layer = network.add_convolution(tensor, 6, (3, 3), kernel, bias)
        layer.stride, layer.padding, layer.dilation = (stride,) * 2, (padding,) * 2, (dilation,) * 2
        layer.num_groups = groups
        return layer.get_output(0)

    expected = functional.conv2d(*map(torch.tensor, (x, kernel, bias)), stride, padding, dilation, groups)
    close(run(define, x), expected)


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding"), [(75, 2, 2, 0), (19, 3, 1, 1), (7, 3, 2, 1), (6, 3, 2, 0)]
)
def test_max_pooling_rounds_up_as_caffe_does(run, size, window, stride, padding):
    x = weights(1, 2, size, size)

    def define(network, tensor):
        layer = network.add_pooling(tensor, trt.PoolingType.MAX, (window, window))
        layer.stride, layer.padding = (stride, stride), (padding, padding)
        layer.padding_mode = trt.PaddingMode.CAFFE_ROUND_UP
        return layer.get_output(0)

    close(run(define, x), functional.max_pool2d(torch.tensor(x), window, stride, padding, ceil_mode=True))


@pytest.mark.parametrize("excludes", [True, False])
def test_average_pooling(run, excludes):
    x = weights(1, 2, 8, 8)

    def define(network, tensor):
        layer = network.add_pooling(tensor, trt.PoolingType.AVERAGE, (2, 2))
        layer.stride, layer.padding, layer.average_count_excludes_padding = (2, 2), (1, 1), excludes
        return layer.get_output(0)

    close(run(define, x), functional.avg_pool2d(torch.tensor(x), 2, 2, 1, count_include_pad=not excludes))


def test_fully_connected_flattens_channels_rows_columns(run):
    x, kernel, bias = weights(3, 2, 4, 5), weights(7, 40), weights(7)
    result = run(lambda network, tensor: network.add_fully_connected(tensor, 7, kernel, bias).get_output(0), x)
    assert result.shape == (3, 7, 1, 1)
    close(result[..., 0, 0], x.reshape(3, 40) @ kernel.T + bias, 1e-4)


def test_shuffle_transposes_then_reshapes(run):
    x = weights(2, 3, 4, 5)

    def define(network, tensor):
        layer = network.add_shuffle(tensor)
        layer.first_transpose, layer.reshape_dims, layer.second_transpose = (1, 2, 0), (0, -1), (1, 0)
        return layer.get_output(0)

    close(run(define, x), x.transpose(0, 2, 3, 1).reshape(2, 4, 15).transpose(0, 2, 1))


def test_scale_by_channel_with_power(run):
    x, shift, factor = np.abs(weights(2, 3, 2, 2)), np.abs(weights(3)), np.abs(weights(3))

    def define(network, tensor):
        power = np.float32([2, 2, 2])
        return network.add_scale(tensor, trt.ScaleMode.CHANNEL, shift, factor, power).get_output(0)

    close(run(define, x), (x * factor[:, None, None] + shift[:, None, None]) ** 2)


def test_softmax_lrn_concat_and_elementwise(run):
    x = weights(2, 6, 3, 3)

    def define(network, tensor):
        normalised = network.add_lrn(tensor, 3, 0.5, 0.75, 1.0).get_output(0)
        softmax = network.add_softmax(normalised).get_output(0)
        total = network.add_elementwise(softmax, tensor, trt.ElementWiseOperation.SUM).get_output(0)
        return network.add_concatenation([total, normalised]).get_output(0)

    normalised = functional.local_response_norm(torch.tensor(x), 3, 0.5, 0.75, 1.0)
    close(run(define, x), torch.cat([normalised.softmax(1) + torch.tensor(x), normalised], 1))


def test_constant_is_broadcast_over_the_batch(run):
    x, mean = weights(3, 1, 2, 2), weights(1, 2, 2)

    def define(network, tensor):
        constant = network.add_constant((1, 2, 2), mean).get_output(0)
        return network.add_elementwise(tensor, constant, trt.ElementWiseOperation.SUB).get_output(0)

    close(run(define, x), x - mean)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (trt.ActivationType.RELU, torch.relu),
        (trt.ActivationType.SIGMOID, torch.sigmoid),
        (trt.ActivationType.TANH, torch.tanh),
    ],
)
def test_activations(run, kind, expected):
    x = weights(2, 1, 3, 3)
    close(run(lambda network, tensor: network.add_activation(tensor, kind).get_output(0), x), expected(torch.tensor(x)))


def test_half_precision_rounds_every_tensor(run):
    x, kernel = weights(1, 3, 8, 8), weights(3, 3, 3, 3)

    def define(network, tensor):
        for _ in range(3):
            layer = network.add_convolution(tensor, 3, (3, 3), kernel)
            layer.padding = (1, 1)
            tensor = network.add_activation(layer.get_output(0), trt.ActivationType.RELU).get_output(0)
        return tensor

    rounded = torch.tensor(x).half().float()
    for _ in range(3):
        rounded = functional.conv2d(rounded, torch.tensor(kernel).half().float(), padding=1).relu().half().float()
    result = run(define, x, trt.BuilderFlag.FP16)
    exact = run(define, x)
    assert (result == result.astype(np.float16)).all()
    close(result, rounded, 2e-3)
    assert np.abs(result - exact).max() > np.abs(result - rounded.numpy()).max()


def test_layer_that_does_not_fit_is_named(run):
    def define(network, tensor):
        layer = network.add_convolution(tensor, 4, (3, 3), weights(4, 5, 3, 3))
        layer.name = "conv1"
        return layer.get_output(0)

    with pytest.raises(trt.NetworkError, match=r"layer 'conv1': 180 kernel weights, but its shape \(4, 3, 3, 3\)"):
        run(define, weights(1, 3, 8, 8))


def test_weights_of_a_product_may_be_set_behind_its_making(run):
    kernel, bias = weights(5, 3, 4, 4), weights(5)

    def define(network, tensor):
        layer = network.add_fully_connected(tensor, 1, np.zeros(1, np.float32), np.zeros(1, np.float32))
        layer.num_output_channels, layer.kernel, layer.bias = 5, kernel, bias
        return layer.get_output(0)

    x = weights(2, 3, 4, 4)
    close(run(define, x).reshape(2, 5), x.reshape(2, -1) @ kernel.reshape(5, -1).T + bias)

    def wrong(network, tensor):
        return network.add_fully_connected(tensor, 5, kernel[:4]).get_output(0)

    with pytest.raises(trt.NetworkError, match="192 kernel weights, but 5 outputs of an input"):
        run(wrong, x)


def test_two_tensors_of_one_name_are_an_error(run):
    def define(network, tensor):
        first = network.add_activation(tensor, trt.ActivationType.RELU).get_output(0)
        first.name = "y"
        return network.add_activation(first, trt.ActivationType.RELU).get_output(0)

    with pytest.raises(trt.NetworkError, match="a second tensor is named 'y'"):
        run(define, weights(1, 3, 2, 2))
