"""Networks that quantise themselves, with quantize and dequantize layers."""

import numpy as np
import pytest
import torch
from networks import constant, run_layer
from torch.nn import functional

import trtflow.reference as trt
from trtflow.reference import BuildError, NetworkError

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(2, 3, 6, 6)).astype(np.float32)
KERNEL = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
STEP = np.float32(0.02)


def steps(values, scale):
    return np.clip(np.rint(values / np.float32(scale)), -128, 127).astype(np.int8)


@pytest.mark.parametrize("explicit", [False, True])
def test_steps_are_rounded_to_even_and_clipped(explicit):
    data = np.array([[0.5, 1.5, -0.5, -2.5, 126.6, 200, -127.6, -300]], np.float32) / 4

    def add(network, tensor):
        return network.add_quantize(tensor, constant(network, np.float32(0.25)))

    (found,) = run_layer(add, data, explicit=explicit, precision="int8")
    np.testing.assert_array_equal(found, [[0, 2, 0, -2, 127, 127, -128, -128]])
    assert found.dtype == np.int8


@pytest.mark.parametrize("explicit", [False, True])
def test_one_scale_for_each_index_of_an_axis(explicit):
    scales = np.array([0.01, 0.02, 0.04], np.float32)

    def add(network, tensor):
        row = constant(network, scales)
        quantised = network.add_quantize(tensor, row)
        back = network.add_dequantize(quantised.get_output(0), row)
        quantised.axis = back.axis = 1 if explicit else 0
        return [quantised.get_output(0), back.get_output(0)]

    found, values = run_layer(add, DATA, explicit=explicit, precision="int8")
    shaped = scales[:, None, None]
    np.testing.assert_array_equal(found, steps(DATA, shaped))
    np.testing.assert_array_equal(values, steps(DATA, shaped) * shaped)


@pytest.mark.parametrize("explicit", [False, True])
def test_convolution_of_quantised_data_and_kernel(explicit):
    scales = np.abs(KERNEL).max((1, 2, 3)) / np.float32(127)

    def pair(network, tensor, scale, axis):
        quantised = network.add_quantize(tensor, scale)
        back = network.add_dequantize(quantised.get_output(0), scale)
        quantised.axis = back.axis = axis
        return back.get_output(0)

    def add(network, tensor):
        layer = network.add_convolution_nd(pair(network, tensor, constant(network, STEP), -1), 4, (3, 3), None)
        layer.set_input(1, pair(network, constant(network, KERNEL), constant(network, scales), 0))
        return layer

    (found,) = run_layer(add, DATA, explicit=explicit, precision="int8")
    data, kernel = steps(DATA, STEP) * STEP, steps(KERNEL, scales[:, None, None, None]) * scales[:, None, None, None]
    np.testing.assert_allclose(found, functional.conv2d(torch.tensor(data), torch.tensor(kernel)), rtol=1e-4, atol=1e-4)


def test_no_other_tensor_is_quantised_and_the_calibrator_is_not_asked():
    def add(network, tensor):
        quantised = network.add_quantize(tensor, constant(network, STEP)).get_output(0)
        value = network.add_dequantize(quantised, constant(network, STEP)).get_output(0)
        return network.add_convolution_nd(value, 4, (3, 3), KERNEL)

    class Calibrator(trt.IInt8MinMaxCalibrator):
        def get_batch_size(self):
            raise AssertionError

    builder = trt.Builder(trt.Logger())
    network = builder.create_network(1)
    network.mark_output(add(network, network.add_input("x", trt.float32, DATA.shape)).get_output(0))
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.INT8)
    config.int8_calibrator = Calibrator()
    assert builder.build_serialized_network(network, config)
    (found,) = run_layer(add, DATA, explicit=True, precision="int8")
    wanted = functional.conv2d(torch.tensor(steps(DATA, STEP) * STEP), torch.tensor(KERNEL))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_int8_must_be_allowed():
    with pytest.raises(BuildError, match=r"Allow INT8 with config.set_flag\(BuilderFlag.INT8\)"):
        run_layer(lambda network, tensor: network.add_quantize(tensor, constant(network, STEP)), DATA)


def quantise(network, tensor, scale, axis=-1):
    layer = network.add_quantize(tensor, scale)
    layer.axis = axis
    return layer


def shifted(network, tensor):
    layer = network.add_quantize(tensor, constant(network, STEP))
    layer.set_input(2, constant(network, np.int8(3)))
    return layer


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda n, x: quantise(n, x, x), "its scale 'x0'. It must be a constant"),
        (lambda n, x: quantise(n, x, constant(n, np.float32(0))), "scale coefficients must all be positive"),
        (lambda n, x: quantise(n, x, constant(n, np.float32([1, 2]))), r"2 scales along axis -1 of an input"),
        (lambda n, x: quantise(n, x, constant(n, np.float32([1, 2])), 0), r"2 scales along axis 0 of an input"),
        (shifted, "its zero point .*: TensorRT only supports symmetric quantization"),
        (lambda n, x: n.add_dequantize(x, constant(n, STEP)), "input 0, 'x0', is FLOAT. Dequantize takes INT8"),
    ],
)
def test_what_does_not_fit_is_named(add, message):
    with pytest.raises(NetworkError, match=message):
        run_layer(add, DATA, precision="int8")
