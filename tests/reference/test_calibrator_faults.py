"""What a calibrator returns wrongly is named, with what TensorRT would do; NaN in batches and weights is counted."""

import numpy as np
import pytest
from networks import build
from test_int8 import calibrator

import trtflow.reference as trt
from trtflow.formats import FormatError
from trtflow.runtime.build import build_plan

BATCH = np.random.default_rng(3).normal(size=(2, 3, 4, 4)).astype(np.float32)
KERNEL = np.random.default_rng(4).normal(size=(16, 3, 3, 3)).astype(np.float32)


def convolution(network, tensor, kernel=KERNEL):
    layer = network.add_convolution(tensor, 16, (3, 3), kernel)
    layer.name = "conv"
    return layer.get_output(0)


def calibrate(given, size=2):
    """Build with a calibrator whose first batch is what is given."""
    made = calibrator(trt.IInt8MinMaxCalibrator, BATCH)
    answers = iter([given, None])
    made.get_batch, made.get_batch_size = lambda names: next(answers), lambda: size
    build(convolution, (3, 4, 4), trt.BuilderFlag.INT8, calibrator=made)
    return made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            BATCH.ctypes.data,
            "of type int, not a list of addresses. TensorRT would take that for the end of the batches",
        ),
        (True, "of type bool, not a list"),
        ("x", "of type str, not a list"),
        ({BATCH.ctypes.data}, "of type set, not a list"),
        ([BATCH.ctypes.data] * 2, "2 addresses for 1 inputs, 'x'. TensorRT would take the first"),
        ([0], r"batch 1 of input 'x', \(2, 3, 4, 4\) FLOAT: its address is null. TensorRT would fail"),
        ([8], "cannot be read. TensorRT would fail with an illegal memory access"),
        ([BATCH.ctypes.data + 1], "is not a multiple of 4"),
        (["x"], "'x' is no address. TensorRT would take that for the end of the batches"),
        ([1.5], "is no address"),
        ([None], "is no address"),
        ([BATCH], "is no address"),
    ],
    ids=["number", "bool", "text", "set", "two", "null", "unmapped", "unaligned", "word", "fraction", "none", "array"],
)
def test_batches_that_are_none(given, message):
    with pytest.raises(trt.BuildError, match=message):
        calibrate(given)


def test_as_many_addresses_as_inputs():
    def two(trt_module, network):
        inputs = [network.add_input(name, trt_module.float32, (4,)) for name in "ab"]
        layer = network.add_elementwise(*inputs, trt_module.ElementWiseOperation.SUM)
        network.mark_output(layer.get_output(0))

    made = calibrator(trt.IInt8MinMaxCalibrator, np.ones((1, 4), np.float32))
    with pytest.raises(trt.BuildError, match="1 addresses for 2 inputs, 'a', 'b'. TensorRT would read the others from"):
        build_plan(trt, two, "int8", 1, calibrator=made)


@pytest.mark.parametrize("given", [np.array([BATCH.ctypes.data]), (BATCH.ctypes.data,), [np.uint64(BATCH.ctypes.data)]])
def test_addresses_that_tensorrt_takes(given):
    assert calibrate(given).table


@pytest.mark.parametrize("end", [None, [], ()])
def test_all_ends_are_ends(end):
    with pytest.raises(trt.BuildError, match="gave no batch"):
        calibrate(end)


@pytest.mark.parametrize("size", [0, -1, None, "2", 1.5, True])
def test_a_size_of_batches_that_is_none(size):
    with pytest.raises(trt.BuildError, match="get_batch_size returned .* not a number of pictures from 1 on"):
        calibrate([BATCH.ctypes.data], size)


@pytest.mark.parametrize(("size", "fits"), [(1, False), (2, True), (3, True)])
def test_a_batch_is_held_against_the_calibration_profile(size, fits, capsys):
    def explicit(trt_module, network):
        network.mark_output(convolution(network, network.add_input("x", trt_module.float32, (-1, 3, 4, 4))))

    def build_it():
        builder = trt.Builder(trt.Logger())
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
        explicit(trt, network)
        config, profile = builder.create_builder_config(), builder.create_optimization_profile()
        profile.set_shape("x", (1, 3, 4, 4), (2, 3, 4, 4), (4, 3, 4, 4))
        config.add_optimization_profile(profile)
        config.set_flag(trt.BuilderFlag.INT8)
        batches = np.ones((size, 3, 4, 4), np.float32)
        config.int8_calibrator = calibrator(trt.IInt8MinMaxCalibrator, batches)
        return builder.build_serialized_network(network, config)

    if fits:
        assert build_it()
        assert ("batches have 3 pictures, but input 'x' takes 2" in capsys.readouterr().err) == (size == 3)
    else:
        with pytest.raises(
            trt.BuildError, match=r"get_batch_size returned 1, .* would read 2 pictures at each address"
        ):
            build_it()


@pytest.mark.parametrize("cache", ["TRT-8600-MinMaxCalibration\n", 7, ["x"]])
def test_a_cache_that_holds_no_bytes(cache):
    made = calibrator(trt.IInt8MinMaxCalibrator, BATCH, table=cache)
    with pytest.raises(trt.BuildError, match="not bytes or None. TensorRT would pass over it and calibrate again"):
        build(convolution, (3, 4, 4), trt.BuilderFlag.INT8, calibrator=made)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_cache_may_be_any_memory(kind):
    table = calibrate([BATCH.ctypes.data]).table
    again = calibrator(trt.IInt8MinMaxCalibrator, table=kind(table))
    build(convolution, (3, 4, 4), trt.BuilderFlag.INT8, calibrator=again)
    assert again.batches == []
    broken = calibrator(trt.IInt8MinMaxCalibrator, table=kind(b"\xff"))
    with pytest.raises(FormatError, match="it is no text"):
        build(convolution, (3, 4, 4), trt.BuilderFlag.INT8, calibrator=broken)


def test_values_of_batches_that_are_no_numbers_are_counted_by_tensor(capsys):
    batch = BATCH.copy()
    batch[0, 0, 0, 0] = np.nan
    calibrate([batch.ctypes.data])
    said = capsys.readouterr().err
    assert "calibration: tensor 'x' had 1 values that are no numbers (NaN or infinite) in 1 batches" in said
    assert "calibration: tensor 'y' had 16 values" in said


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_counted_by_layer(capsys, value):
    kernel = KERNEL.copy()
    kernel[2, 0, 0] = value
    session = build(lambda network, tensor: convolution(network, tensor, kernel), (3, 4, 4))
    assert "layer 'conv': 3 of 432 values are no numbers (NaN or infinite) in its kernel" in capsys.readouterr().err
    assert not np.isfinite(session.run({"x": BATCH})["y"][:, 2]).any()


NAN = np.full(3, np.nan, np.float32)
ONES = np.ones(3, np.float32)


def summed(values):
    """Return a layer that adds a constant."""

    def add(network, tensor):
        constant = network.add_constant(values.shape, values).get_output(0)
        return network.add_elementwise(tensor, constant, trt.ElementWiseOperation.SUM)

    return add


def leaky(network, tensor):
    layer = network.add_activation(tensor, trt.ActivationType.LEAKY_RELU)
    layer.alpha = float("nan")
    return layer


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            summed(np.full((3, 1, 1), np.nan, np.float32)),
            "3 of 3 values are no numbers (NaN or infinite) in its constant",
        ),
        (
            lambda network, tensor: network.add_scale(tensor, trt.ScaleMode.CHANNEL, ONES, ONES, NAN),
            "3 of 3 values are no numbers (NaN or infinite) in its power",
        ),
        (leaky, "its alpha is no number (NaN)"),
        (lambda network, tensor: network.add_lrn(tensor, 5, 1e-4, 0.75, float("nan")), "its bias is no number (NaN)"),
        (summed(np.full((3, 1, 1), -np.inf, np.float32)), ""),  # a mask, as attention has it
    ],
)
def test_constants_and_attributes_that_are_nan_are_counted_too(capsys, make, told):
    build(lambda network, tensor: make(network, tensor).get_output(0), (3, 4, 4))
    said = capsys.readouterr().err
    assert told in said
    assert bool(told) == ("no number" in said)


@pytest.mark.parametrize("ends", [(np.nan, 1), (-1, np.nan), (-np.inf, 1), (-1, np.inf), (2, 1)])
def test_a_range_that_is_none_is_not_taken(ends):
    """TensorRT asks for ends that are finite and in order."""
    network = trt.Builder(trt.Logger()).create_network()
    tensor = network.add_input("x", trt.float32, (3,))
    assert tensor.set_dynamic_range(-2, 2)
    assert not tensor.set_dynamic_range(*ends)
    assert tensor.dynamic_range == (-2, 2)


def test_int8_knows_no_nan_in_weights():
    kernel = KERNEL.copy()
    kernel[2, 0, 0] = np.nan
    made = calibrator(trt.IInt8MinMaxCalibrator, BATCH)
    with pytest.raises(
        trt.NetworkError, match=r"layer 'conv': its kernel cannot be INT8: 3 of 432 values are no numbers"
    ):
        build(
            lambda network, tensor: convolution(network, tensor, kernel),
            (3, 4, 4),
            trt.BuilderFlag.INT8,
            calibrator=made,
        )


def test_methods_that_raise_are_told_and_passed_over(capsys):
    """As TensorRT's bindings do; methods of TensorRT 5.0's scripts have other parameters."""
    wanted = calibrate([BATCH.ctypes.data]).table
    made = calibrator(trt.IInt8MinMaxCalibrator, BATCH)
    given = []

    def read(length):
        raise AssertionError

    def write(cache):
        given.append(bytes(cache))
        raise PermissionError(13, "Permission denied", "table")

    made.read_calibration_cache, made.write_calibration_cache = read, write
    build(convolution, (3, 4, 4), trt.BuilderFlag.INT8, calibrator=made)
    assert given == [wanted]
    said = capsys.readouterr().err
    assert "Exception caught in read_calibration_cache(): TypeError" in said
    assert "Since TensorRT 5.1 read_calibration_cache takes nothing" in said
    assert "Exception caught in write_calibration_cache(): PermissionError: [Errno 13]" in said
    assert "the table is not kept" in said
