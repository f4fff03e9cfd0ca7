"""Half precision in every layer of floats; INT8 and calibration in networks that have more than convolutions."""

import numpy as np
import pytest
from networks import constant, run_layer

import trtflow.reference as trt
from trtflow.formats.calibration_table import CalibrationTable
from trtflow.runtime.session import Session

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(2, 4, 6, 6)).astype(np.float32)
KERNEL = RNG.normal(size=(4, 4, 3, 3)).astype(np.float32)
NONE = trt.MatrixOperation.NONE


def gathered(network, tensor):
    return network.add_gather(tensor, constant(network, np.array([2, 0], np.int32)), 1)


def resized(network, tensor):
    layer = network.add_resize(tensor)
    layer.resize_mode, layer.scales = trt.ResizeMode.LINEAR, [1, 1.5, 2]
    return layer


def sliced(network, tensor):
    layer = network.add_slice(tensor, (0, -1, 0), (4, 8, 6), (1, 1, 1))
    layer.mode = trt.SampleMode.FILL
    return layer


def blended(network, tensor):
    layer = network.add_pooling(tensor, trt.PoolingType.MAX_AVERAGE_BLEND, (2, 2))
    layer.blend_factor = 0.5
    return layer


LAYERS = {
    "convolution": lambda n, x: n.add_convolution(x, 4, (3, 3), KERNEL, KERNEL[:, 0, 0, 0]),
    "deconvolution": lambda n, x: n.add_deconvolution(x, 4, (3, 3), KERNEL),
    "fully connected": lambda n, x: n.add_fully_connected(x, 3, np.resize(DATA, (3, 144))),
    "matrix multiply": lambda n, x: n.add_matrix_multiply(x, NONE, constant(n, DATA[0, :1, :, :5]), NONE),
    "pooling": blended,
    "lrn": lambda n, x: n.add_lrn(x, 3, 0.5, 0.75, 1.0),
    "scale": lambda n, x: n.add_scale(x, trt.ScaleMode.CHANNEL, KERNEL[:, 0, 0, 0], KERNEL[:, 1, 0, 0]),
    "softmax": lambda n, x: n.add_softmax(x),
    "reduce": lambda n, x: n.add_reduce(x, trt.ReduceOperation.AVG, 0b110, True),
    "topk": lambda n, x: [n.add_topk(x, trt.TopKOperation.MAX, 3, 0b100).get_output(0)],
    "gather": gathered,
    "slice": sliced,
    "padding": lambda n, x: n.add_padding(x, (1, 1), (1, 0)),
    "resize": resized,
    "elementwise": lambda n, x: n.add_elementwise(x, constant(n, DATA[0]), trt.ElementWiseOperation.PROD),
    "parametric relu": lambda n, x: n.add_parametric_relu(x, constant(n, np.full((4, 1, 1), 0.3, np.float32))),
    "concatenation": lambda n, x: n.add_concatenation([x, constant(n, DATA[0])]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_compute_in_half_precision(name):
    (exact,) = run_layer(LAYERS[name], DATA)
    (half,) = run_layer(LAYERS[name], DATA, precision="fp16")
    np.testing.assert_array_equal(half, half.astype(np.float16))
    assert 0 < np.abs(half - exact).max() <= 4e-3 * np.abs(exact).max()


def test_choice_in_half_precision_with_an_explicit_batch():
    def add(network, a, b):
        greater = network.add_elementwise(a, b, trt.ElementWiseOperation.GREATER).get_output(0)
        return network.add_select(greater, a, b)

    (half,) = run_layer(add, DATA, DATA[:, ::-1].copy(), explicit=True, precision="fp16")
    np.testing.assert_array_equal(half, np.maximum(DATA, DATA[:, ::-1]).astype(np.float16))


def test_a_constant_is_rounded_only_for_layers_in_half_precision():
    third = np.full((1, 1, 1), 1 / 3, np.float32)

    def add(network, tensor):
        shared = constant(network, third)
        exact = network.add_elementwise(tensor, shared, trt.ElementWiseOperation.PROD)
        half = network.add_elementwise(tensor, shared, trt.ElementWiseOperation.PROD)
        exact.precision = trt.float32
        return [exact.get_output(0), half.get_output(0)]

    exact, half = run_layer(add, np.ones((1, 1, 1, 1), np.float32), precision="fp16")
    assert exact.item() == np.float32(1 / 3)
    assert half.item() == np.float16(1 / 3)


def test_integers_are_not_rounded_to_half_precision():
    numbers = np.array([[[4097, 100_003]], [[70_001, -5]]], np.int32)

    def add(network, tensor):
        total = network.add_elementwise(
            tensor, constant(network, np.array([[1]], np.int32)), trt.ElementWiseOperation.SUM
        )
        return network.add_reduce(total.get_output(0), trt.ReduceOperation.SUM, 0b10, True)

    (found,) = run_layer(add, numbers, precision="fp16")
    np.testing.assert_array_equal(found, (numbers + 1).sum(2, keepdims=True))


class Batches:
    """Serves batches of several inputs and keeps the table."""

    def __init__(self, *batches):
        trt.IInt8MinMaxCalibrator.__init__(self)
        self.batches, self.table = list(batches), b""

    def get_batch_size(self):
        return 2

    def get_batch(self, names):
        if not self.batches:
            return None
        self.current = self.batches.pop(0)  # keeps the memory alive
        return [self.current[name].ctypes.data for name in names]

    def read_calibration_cache(self):
        return self.table

    def write_calibration_cache(self, cache):
        self.table = bytes(cache)


def build(define, *flags, calibrator=None):
    builder = trt.Builder(trt.Logger())
    builder.max_batch_size = 2
    network = builder.create_network()
    define(network)
    config = builder.create_builder_config()
    for flag in flags:
        config.set_flag(flag)
    config.int8_calibrator = calibrator
    plan = builder.build_serialized_network(network, config)
    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))


def mixed(network):
    """Add picked channels, a constant, an INT8 convolution, a deconvolution, a product and the largest places."""
    data = network.add_input("data", trt.float32, DATA.shape[1:])
    picked = network.add_gather(data, network.add_input("places", trt.int32, (3,)), 0).get_output(0)
    picked.name = "picked"
    joined = network.add_concatenation([picked, constant(network, DATA[0, :1])]).get_output(0)
    joined.name = "joined"
    convolution = network.add_convolution(joined, 4, (3, 3), KERNEL).get_output(0)
    convolution.name = "convolution"
    larger = network.add_deconvolution(convolution, 4, (3, 3), KERNEL).get_output(0)
    larger.name = "larger"
    product = network.add_matrix_multiply(larger, NONE, constant(network, DATA[0, :1, :, :5]), NONE).get_output(0)
    product.name = "product"
    best = network.add_topk(product, trt.TopKOperation.MAX, 1, 0b100)
    for index in (0, 1):
        best.get_output(index).name = f"best{index}"
        network.mark_output(best.get_output(index))


def feeds():
    return {"data": DATA, "places": np.array([[3, 1, 0], [0, 2, 2]], np.int32)}


def test_calibration_leaves_integers_and_constants_out():
    kind = type("Calibrator", (Batches, trt.IInt8MinMaxCalibrator), {})
    calibrator = kind(feeds())
    session = build(mixed, trt.BuilderFlag.INT8, calibrator=calibrator)
    scales = CalibrationTable.from_bytes(calibrator.table, "table").scales
    assert list(scales) == ["data", "picked", "joined", "convolution", "larger", "product", "best0"]
    exact, found = build(mixed).run(feeds())["best0"], session.run(feeds())["best0"]
    assert 0 < np.abs(found - exact).max() < 0.05 * np.abs(exact).max()


def test_ranges_are_needed_for_what_int8_layers_read_and_nothing_else():
    def define(network, ranges):
        mixed(network)
        for layer in network:
            for tensor in (*layer.inputs, *layer.outputs):
                if tensor.name in ranges:
                    tensor.set_dynamic_range(-4, 4)

    build(lambda network: define(network, ("data", "picked", "joined", "convolution")), trt.BuilderFlag.INT8)
    with pytest.raises(trt.BuildError, match="1 tensors that have none, first 'picked'"):
        build(lambda network: define(network, ("data", "joined", "convolution")), trt.BuilderFlag.INT8)


def test_int8_and_half_precision_together():
    kind = type("Calibrator", (Batches, trt.IInt8MinMaxCalibrator), {})
    session = build(mixed, trt.BuilderFlag.INT8, trt.BuilderFlag.FP16, calibrator=kind(feeds()))
    exact, found = build(mixed).run(feeds())["best0"], session.run(feeds())["best0"]
    np.testing.assert_array_equal(found, found.astype(np.float16))
    assert np.abs(found - exact).max() < 0.05 * np.abs(exact).max()


def test_convolution_with_a_kernel_from_a_tensor_stays_in_floats():
    def define(network):
        data = network.add_input("data", trt.float32, DATA.shape[1:])
        first = network.add_convolution(data, 4, (3, 3), KERNEL).get_output(0)
        second = network.add_convolution(first, 4, (3, 3), None)
        second.set_input(1, constant(network, KERNEL))
        second.get_output(0).name = "y"
        network.mark_output(second.get_output(0))
        data.set_dynamic_range(-4, 4)

    exact = build(define).run({"data": DATA})["y"]
    found = build(define, trt.BuilderFlag.INT8).run({"data": DATA})["y"]
    assert 0 < np.abs(found - exact).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("channels", "maps", "groups", "steps"), [(3, 24, 3, False), (6, 6, 2, False), (4, 4, 4, True)]
)
def test_convolutions_of_thin_groups_stay_in_floats(channels, maps, groups, steps):
    """TensorRT 8.6 has no INT8 kernel for them, but for one map of each channel."""

    def define(network):
        data = network.add_input("data", trt.float32, (channels, 9, 9))
        kernel = np.random.default_rng(0).normal(size=(maps, channels // groups, 3, 3)).astype(np.float32)
        layer = network.add_convolution(data, maps, (3, 3), kernel)
        layer.num_groups = groups
        layer.get_output(0).name = "y"
        network.mark_output(layer.get_output(0))
        data.set_dynamic_range(-4, 4)

    x = np.random.default_rng(1).normal(size=(2, channels, 9, 9)).astype(np.float32)
    exact, found = build(define).run({"data": x})["y"], build(define, trt.BuilderFlag.INT8).run({"data": x})["y"]
    assert (np.abs(found - exact).max() > 1e-3) == steps
