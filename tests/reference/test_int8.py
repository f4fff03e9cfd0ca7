"""INT8 as TensorRT defines it: symmetric steps, one scale a tensor, one a row of weights."""

import ctypes

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from networks import build
from torch.nn import functional

import trtflow.reference as trt
from trtflow.formats import FormatError
from trtflow.formats.calibration_table import CalibrationTable

RNG = np.random.default_rng(1)
# the first has too few channels for integer kernels, the second runs in them, the third's result is not quantised
SHAPES = [(16, 3, 3, 3), (16, 16, 3, 3), (16, 16, 3, 3)]
KERNELS = [RNG.normal(size=shape).astype(np.float32) for shape in SHAPES]
BIAS = RNG.normal(size=16).astype(np.float32)


def convolutions(network, tensor):
    for index, kernel in enumerate(KERNELS):
        layer = network.add_convolution(tensor, 16, (3, 3), kernel, BIAS)
        layer.padding, layer.name = (1, 1), f"conv{index}"
        relu = network.add_activation(layer.get_output(0), trt.ActivationType.RELU)
        relu.name, relu.get_output(0).name = f"relu{index}", f"feature{index}"
        pool = network.add_pooling(relu.get_output(0), trt.PoolingType.MAX, (2, 2))
        pool.stride, pool.get_output(0).name = (2, 2), f"pool{index}"
        tensor = pool.get_output(0)
    return tensor


class Calibrator:
    """Serves batches from memory and keeps the table."""

    def __init__(self, batches, table=b""):
        self.batches, self.table = list(batches), table

    def get_batch_size(self):
        return len(self.batches[0])

    def get_batch(self, names):
        if not self.batches:
            return None
        self.current = self.batches.pop(0)  # keeps the memory alive
        return [self.current.ctypes.data]

    def read_calibration_cache(self):
        return self.table

    def write_calibration_cache(self, cache):
        self.table = bytes(cache)


def calibrator(base, *batches, table=b""):
    return type("Test", (Calibrator, base), {})(batches, table)


def images(count):
    return RNG.normal(size=(count, 3, 16, 16)).astype(np.float32)


def fake_quantise(values, scale):
    return np.clip(np.rint(values / scale), -128, 127) * scale


def test_table_has_tensorrts_entries_in_network_order():
    made = calibrator(trt.IInt8EntropyCalibrator2, images(2))
    build(convolutions, (3, 16, 16), trt.BuilderFlag.INT8, calibrator=made)
    table = CalibrationTable.from_bytes(made.table, "table")
    before = [f"(Unnamed Layer* {index}) [Convolution]_output" for index in (0, 3, 6)]
    inner = [before[0], "feature0", "pool0", before[1], "feature1", "pool1", before[2], "feature2"]
    assert list(table.scales) == ["x", *inner, "y"]
    assert table.scales["pool0"] == table.scales["feature0"]
    assert (table.version, table.algorithm) == ("8600", "EntropyCalibration2")


def test_calibration_after_fusion_leaves_the_fused_tensor_out():
    made = calibrator(trt.IInt8EntropyCalibrator, images(2))
    build(convolutions, (3, 16, 16), trt.BuilderFlag.INT8, calibrator=made)
    names = list(CalibrationTable.from_bytes(made.table, "table").scales)
    assert names == ["x", "feature0", "pool0", "feature1", "pool1", "feature2", "y"]


@pytest.mark.parametrize("kind", [trt.PoolingType.MAX, trt.PoolingType.AVERAGE])
def test_a_clip_has_the_scale_of_its_bound_and_a_pool_that_of_its_calibrated_input(kind):
    """As in TensorRT's table of TensorFlow's SSD: a pool behind a ReLU6 has the scale that batches gave the ReLU6."""

    def clipped(network, tensor):
        clip = network.add_activation(tensor, trt.ActivationType.CLIP)
        clip.alpha, clip.beta, clip.get_output(0).name = 0, 6, "clip"
        pool = network.add_pooling(clip.get_output(0), kind, (2, 2))
        pool.stride = (2, 2)
        return pool.get_output(0)

    made = calibrator(trt.IInt8EntropyCalibrator2, np.full((1, 3, 16, 16), 2, np.float32))
    build(clipped, (3, 16, 16), trt.BuilderFlag.INT8, calibrator=made)
    scales = CalibrationTable.from_bytes(made.table, "table").scales
    assert scales["clip"] == np.float32(6) / np.float32(127)
    assert scales["y"] == scales["x"] == pytest.approx(2 / 127, rel=1e-3)


def test_integer_kernels_compute_what_the_definition_says():
    x = images(2)
    made = calibrator(trt.IInt8MinMaxCalibrator, x)
    session = build(convolutions, (3, 16, 16), trt.BuilderFlag.INT8, calibrator=made)
    scales = CalibrationTable.from_bytes(made.table, "table").scales
    value = fake_quantise(x, scales["x"])
    for index, kernel in enumerate(KERNELS):
        step = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / 127
        value = (
            functional.conv2d(*map(torch.tensor, (value, fake_quantise(kernel, step), BIAS)), padding=1).relu().numpy()
        )
        if index < 2:
            value = fake_quantise(value, scales[f"feature{index}"])
        value = functional.max_pool2d(torch.tensor(value), 2, 2).numpy()
    result = session.run({"x": x})["y"]
    step = scales["feature1"] * np.abs(KERNELS[2]).max()
    assert np.abs(result - value).max() <= 2 * step  # a tie in rounding moves one input step
    assert np.abs(result - value).mean() < 0.05 * step


def test_lowered_network_is_plain_onnx_with_symmetric_int8():
    made = calibrator(trt.IInt8MinMaxCalibrator, images(2))
    session = build(convolutions, (3, 16, 16), trt.BuilderFlag.INT8, calibrator=made)
    model = onnx.load_from_string(bytes(session.engine.serialize()))
    onnx.checker.check_model(model, full_check=True)
    zeros = {node.input[2] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert zeros
    assert all(stored[name].dtype == np.int8 and stored[name] == 0 for name in zeros)
    x = images(1)
    portable = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    ours = session.run({"x": x})["y"]
    assert np.abs(portable - ours).mean() < 0.02 * np.abs(portable).mean()


def test_dynamic_ranges_replace_calibration():
    def define(network, tensor):
        output = convolutions(network, tensor)
        for name in ("x", "feature0", "pool0", "feature1", "pool1"):
            found = [t for layer in network for t in (*layer.inputs, *layer.outputs) if t.name == name]
            found[0].set_dynamic_range(-150, 150)
        return output

    x = images(1)
    close_to = build(convolutions, (3, 16, 16)).run({"x": x})["y"]
    result = build(define, (3, 16, 16), trt.BuilderFlag.INT8).run({"x": x})["y"]
    assert np.abs(result - close_to).mean() < 0.3 * np.abs(close_to).mean()
    assert np.abs(result - close_to).max() > 0


def test_missing_range_names_the_tensor():
    with pytest.raises(trt.BuildError, match=r"5 tensors that have none, first 'x'"):
        build(convolutions, (3, 16, 16), trt.BuilderFlag.INT8)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("8600", "8502"), "made by TRT-8502"),
        (lambda text: text.replace("MinMax", "Entropy"), "made by TRT-8600-EntropyCalibration,"),
        (lambda text: text.replace("feature0", "other"), "first 'feature0'"),
        (lambda text: text.replace("TRT-", "TRT"), "not a calibration table"),
    ],
)
def test_wrong_table_is_refused(edit, message):
    made = calibrator(trt.IInt8MinMaxCalibrator, images(1))
    build(convolutions, (3, 16, 16), trt.BuilderFlag.INT8, calibrator=made)
    edited = calibrator(trt.IInt8MinMaxCalibrator, table=edit(made.table.decode()).encode())
    with pytest.raises((FormatError, trt.BuildError), match=message):
        build(convolutions, (3, 16, 16), trt.BuilderFlag.INT8, calibrator=edited)


def test_calibrator_without_batches_is_an_error():
    empty = calibrator(trt.IInt8MinMaxCalibrator)
    empty.get_batch_size = lambda: 1
    with pytest.raises(trt.BuildError, match="gave no batch"):
        build(convolutions, (3, 16, 16), trt.BuilderFlag.INT8, calibrator=empty)


def test_bindings_may_be_any_contiguous_memory():
    session = build(convolutions, (3, 16, 16))
    x = images(1)
    source, target = (ctypes.c_float * x.size)(*x.ravel()), (ctypes.c_float * (16 * 2 * 2))()
    assert session.context.execute(1, [ctypes.addressof(source), ctypes.addressof(target)])
    np.testing.assert_array_equal(np.array(target).reshape(1, 16, 2, 2), session.run({"x": x})["y"])
