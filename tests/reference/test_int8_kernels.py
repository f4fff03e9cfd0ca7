"""What a CPU's integer kernels compute, held against ONNX Runtime on the lowered network as it stands."""

from collections import Counter
from functools import partial

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from networks import build
from onnx import TensorProto, helper, numpy_helper

import trtflow.reference as trt
from trtflow.reference.run import integer_kernels, products
from trtflow.reference.run.graph_index import Index
from trtflow.reference.run.kernels import for_cpu
from trtflow.reference.run.products import needs_care

RNG = np.random.default_rng(2)
CHANNELS = 16
KERNELS = RNG.normal(size=(4, CHANNELS, CHANNELS, 3, 3)).astype(np.float32) / 12
BIAS, FACTORS, SHIFT = (RNG.normal(size=CHANNELS).astype(np.float32) for _ in range(3))
FACTORS[3] = 0  # a channel that a normalisation switches off
X = RNG.normal(size=(2, CHANNELS, 12, 12)).astype(np.float32)
STEPS = {  # of a product with steps of both signs
    "scale": np.float32(0.1),
    "zero": np.uint8(128),
    "kernel_zero": np.int8(0),
    "steps": np.full((64, 64), 127, np.int8),
}


def convolution(network, tensor, index, *, scaled=False):
    layer = network.add_convolution(tensor, CHANNELS, (3, 3), KERNELS[index], BIAS)
    layer.padding = (1, 1)
    if not scaled:
        return layer.get_output(0)
    return network.add_scale(layer.get_output(0), trt.ScaleMode.CHANNEL, SHIFT, FACTORS).get_output(0)


def activation(network, tensor, kind, alpha=0.0, beta=0.0):
    layer = network.add_activation(tensor, kind)
    layer.alpha, layer.beta = alpha, beta
    return layer.get_output(0)


def relu(network, tensor):
    return activation(network, tensor, trt.ActivationType.RELU)


def normalised(network, tensor):
    tensor = relu(network, convolution(network, tensor, 0, scaled=True))
    return convolution(network, tensor, 1)


def residual(network, tensor):
    first = relu(network, convolution(network, tensor, 0))
    added = network.add_elementwise(
        convolution(network, first, 1, scaled=True), first, trt.ElementWiseOperation.SUM
    ).get_output(0)
    return convolution(network, relu(network, added), 2)


def leaky(network, tensor):
    tensor = activation(network, convolution(network, tensor, 0), trt.ActivationType.LEAKY_RELU, 0.1)
    return convolution(network, tensor, 1)


def clipped(network, tensor):
    tensor = activation(network, convolution(network, tensor, 0), trt.ActivationType.CLIP, 0.0, 6.0)
    return convolution(network, tensor, 1)


def clipped_both_ways(network, tensor):
    tensor = activation(network, convolution(network, tensor, 0), trt.ActivationType.CLIP, -0.5, 0.25)
    return convolution(network, tensor, 1)


def averaged(network, tensor):
    tensor = relu(network, convolution(network, tensor, 0))
    pool = network.add_pooling(tensor, trt.PoolingType.AVERAGE, (3, 3))
    pool.stride, pool.padding = (1, 1), (1, 1)
    return convolution(network, pool.get_output(0), 1)


def joined(network, tensor):
    first = relu(network, convolution(network, tensor, 0))
    second = relu(network, convolution(network, tensor, 1))
    both = network.add_concatenation([first, second]).get_output(0)
    return network.add_convolution(both, 4, (1, 1), np.resize(KERNELS, (4, 2 * CHANNELS))).get_output(0)


def apart(network, tensor):
    first = relu(network, convolution(network, tensor, 0))
    second = relu(network, network.add_convolution(tensor, CHANNELS, (1, 1), KERNELS[1, :, :, 1, 1]).get_output(0))
    both = network.add_concatenation([first, second]).get_output(0)
    return network.add_convolution(both, 4, (1, 1), np.resize(KERNELS, (4, 2 * CHANNELS))).get_output(0)


def squeezed(network, tensor):
    """Few channels between integers."""
    tensor = relu(network, network.add_convolution(tensor, 4, (1, 1), KERNELS[0, :4, :, 1, 1]).get_output(0))
    tensor = relu(network, network.add_convolution(tensor, CHANNELS, (1, 1), KERNELS[1, :, :4, 1, 1]).get_output(0))
    return convolution(network, tensor, 1)


def leaky_residual(network, tensor):
    first = activation(network, convolution(network, tensor, 0), trt.ActivationType.LEAKY_RELU, 0.1)
    second = activation(network, convolution(network, first, 1), trt.ActivationType.LEAKY_RELU, 0.1)
    added = network.add_elementwise(second, first, trt.ElementWiseOperation.SUM).get_output(0)
    third = activation(network, convolution(network, added, 2), trt.ActivationType.LEAKY_RELU, 0.1)
    return convolution(network, third, 3)


def pooled_floats(network, tensor):
    tensor = network.add_lrn(tensor, 5, 0.5, 0.75, 1.0).get_output(0)
    pool = network.add_pooling(tensor, trt.PoolingType.MAX, (2, 2))
    pool.stride = (2, 2)
    return convolution(network, pool.get_output(0), 1)


# what ONNX Runtime is to make of each, beside the last convolution, whose result is float
NETWORKS = {
    normalised: {"QLinearConv": 1},
    residual: {"QLinearConv": 2, "QLinearAdd": 1},
    leaky: {"QLinearConv": 1, "QLinearLeakyRelu": 1},
    clipped: {"QLinearConv": 1},
    clipped_both_ways: {"QLinearConv": 1},
    averaged: {"QLinearConv": 1, "QLinearAveragePool": 0, "AveragePool": 1, "QuantizeLinear": 2},  # floats are faster
    joined: {"QLinearConv": 1, "QLinearConcat": 1, "Split": 1},
    apart: {"QLinearConv": 2, "QLinearConcat": 1, "Split": 0},
    squeezed: {"QLinearConv": 2},
    leaky_residual: {"QLinearConv": 3, "QLinearLeakyRelu": 3, "QLinearAdd": 1},
    pooled_floats: {},
}


class Calibrator(trt.IInt8MinMaxCalibrator):
    """Serves one batch."""

    def __init__(self):
        super().__init__()
        self.batches = [X]

    def get_batch_size(self):
        return len(X)

    def get_batch(self, names):
        return [self.batches.pop().ctypes.data] if self.batches else None

    def read_calibration_cache(self):
        return None

    def write_calibration_cache(self, cache):
        pass


def fused(model, path):
    """Return how often each operator is in what ONNX Runtime makes of a model."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(path), 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def as_it_stands(plan):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(plan, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": X})[0]


@pytest.mark.parametrize("define", NETWORKS, ids=lambda define: define.__name__)
def test_integer_kernels_give_what_the_lowered_network_says(define, tmp_path):
    session = build(define, X.shape[1:], trt.BuilderFlag.INT8, calibrator=Calibrator())
    plan = bytes(session.engine.serialize())
    found, wanted = session.run({"x": X})["y"], as_it_stands(plan)
    exact = build(define, X.shape[1:]).run({"x": X})["y"]
    rounding = np.abs(wanted - exact).mean()
    assert rounding > 0
    assert np.abs(found - wanted).mean() < 0.1 * rounding
    assert rounding < 0.05 * np.abs(exact).mean()
    operators = fused(for_cpu(onnx.load_from_string(plan)), tmp_path / "fused.onnx")
    assert {name: operators[name] for name in NETWORKS[define]} == NETWORKS[define]
    assert operators["QuantizeLinear"] == NETWORKS[define].get("QuantizeLinear", 1)  # the input alone


def test_steps_without_negative_values_count_from_nought():
    session = build(residual, X.shape[1:], trt.BuilderFlag.INT8, calibrator=Calibrator())
    model = for_cpu(onnx.load_from_string(bytes(session.engine.serialize())))
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    zeros = Counter(int(stored[node.input[2]]) for node in model.graph.node if node.op_type == "QuantizeLinear")
    assert zeros == {0: 2, 128: 2}  # both ReLUs; the input and the summand
    assert not needs_care(model)


def without_vnni(monkeypatch, define):
    """Return a plan in INT8, and what a processor without VNNI is given of it."""
    monkeypatch.setattr(integer_kernels, "overflows", lambda: True)
    plan = bytes(build(define, X.shape[1:], trt.BuilderFlag.INT8, calibrator=Calibrator()).engine.serialize())
    return plan, for_cpu(onnx.load_from_string(plan))


def kernels_of(model):
    """Return the kernels that integer products read, in their order."""
    index = Index(model.graph)
    kernels = [index.producers.get(node.input[1]) for node in model.graph.node if node.op_type == "Conv"]
    return [index.array(kernel.input[0]) for kernel in kernels if kernel is not None]


def test_steps_behind_a_leaky_relu_count_from_its_lowest_and_sums_of_them_from_theirs(monkeypatch):
    _, model = without_vnni(monkeypatch, leaky_residual)
    index = Index(model.graph)
    quantisers = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    zeros = Counter(int(index.array(node.input[2])) for node in quantisers)
    (summed,) = set(zeros) - {128, 13}
    assert zeros == {128: 4, 13: 3, summed: 1}  # the input and three that a leaky ReLU reads; ceil(0.1 * 128) is 13
    assert 13 < summed < 50
    clips = [node for node in model.graph.node if node.op_type == "Clip"]
    assert [int(index.array(name)) for node in clips for name in node.input[1:]] == [0, summed + 127]


def clashing(network, tensor, *, read_twice=False):
    """A kernel with 1 and 0.9 beside each other in each row but in other columns: 240 steps, and 234 are too large."""
    kernel = np.zeros((CHANNELS, CHANNELS, 1, 1), np.float32)
    kernel[::2, :2, 0, 0], kernel[1::2, 6:8, 0, 0] = (1, 0.9), (-0.9, -1)
    kernel[:, 10:, 0, 0] = KERNELS[0, :, 10:, 1, 1]
    tensor = activation(network, convolution(network, tensor, 0), trt.ActivationType.LEAKY_RELU, 0.1)
    result = network.add_convolution(tensor, CHANNELS, (1, 1), kernel).get_output(0)
    result = activation(network, result, trt.ActivationType.LEAKY_RELU, 0.1)
    result = convolution(network, result, 1)
    if not read_twice:
        return result
    square = network.add_elementwise(tensor, tensor, trt.ElementWiseOperation.PROD).get_output(0)
    return network.add_elementwise(result, square, trt.ElementWiseOperation.SUM).get_output(0)


def test_channels_whose_products_could_overflow_are_no_neighbours(monkeypatch):
    plan, model = without_vnni(monkeypatch, clashing)
    assert [kernel.dtype.name for kernel in kernels_of(model)] == ["uint8", "int8"]  # the first reads both signs
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": X})[0], as_it_stands(plan), rtol=1e-4, atol=1e-5)


def test_channels_that_another_layer_reads_keep_their_places(monkeypatch):
    _, model = without_vnni(monkeypatch, partial(clashing, read_twice=True))
    assert [kernel.dtype.name for kernel in kernels_of(model)] == ["uint8", "uint8"]


def convolve(steps, kernel, zero, bias):
    """Return what an integer convolution makes of bytes, in steps of 64 from 128."""
    rows = np.ones(len(kernel), np.float32)
    stored = [np.float32(1), np.uint8(zero), kernel, rows, rows.astype(np.int8) * 0, np.float32(64), np.uint8(128)]
    stored.append((bias * rows).astype(np.int32))
    names = [f"w{place}" for place in range(len(stored))]
    source, target = (helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in ("x", "y"))
    node = helper.make_node("QLinearConv", ["x", *names], ["y"])
    tensors = [numpy_helper.from_array(np.array(value), name) for name, value in zip(names, stored, strict=True)]
    graph = helper.make_graph([node], "product", [source], [target], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": steps})[0]


@pytest.mark.parametrize(("place", "second", "fit"), [(4, 107, True), (4, 108, False), (5, 127, True)])
def test_a_kernel_fits_where_no_two_products_that_are_added_leave_sixteen_bits(place, second, fit):
    """Of bytes up to 140: two channels from an even one on may have 234 steps, others are added elsewhere."""
    kernel = np.zeros((CHANNELS, CHANNELS, 3, 3), np.int8)
    kernel[:, place], kernel[:, place + 1] = 127, second
    assert products.fits(helper.make_node("Conv", ["x", "k"], ["y"]), kernel, 13) is fit
    steps, products_of_a_row = np.full((1, CHANNELS, 6, 6), 140, np.uint8), 9 * (127 + second) * 127
    exact = (convolve(steps, kernel, 13, -products_of_a_row) == 128).all()
    assert exact == (fit or not products.overflows())


@pytest.mark.parametrize("processor", [True, False], ids=["without VNNI", "with VNNI"])
def test_care_is_taken_where_products_overflow_alone(processor, monkeypatch):
    """Kernels behind steps of both signs stay int8 where nothing overflows, as uint8 is slower there."""
    monkeypatch.setattr(products, "overflows", lambda: processor)
    x, kernel = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 64]) for name in ("x", "y"))
    steps = [numpy_helper.from_array(np.array(value), name) for name, value in STEPS.items()]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["steps", "scale", "kernel_zero"], ["k"]),
        helper.make_node("MatMul", ["d", "k"], ["y"]),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "product", [x], [kernel], steps), opset_imports=[helper.make_opsetid("", 17)]
    )
    assert needs_care(model) is processor


def test_overflow_is_what_products_of_large_steps_show():
    """Every product is exact where int8 kernels are read with steps up to 127, whatever the processor."""
    a, b = np.full((1, 64), 127, np.uint8), np.full((64, 1), 127, np.int8)
    names = [("a", TensorProto.UINT8, (1, 64)), ("y", TensorProto.INT32, None)]
    source, target = (helper.make_tensor_value_info(*name) for name in names)
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    graph = helper.make_graph([node], "products", [source], [target], [numpy_helper.from_array(b, "b")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"a": a})[0] == 64 * 127 * 127


@pytest.mark.parametrize("beta", [0.5, 0.75, 1.0, 0.6])
@pytest.mark.parametrize("window", [3, 5])
def test_lrn_is_pytorchs(beta, window):
    def define(network, tensor):
        return network.add_lrn(tensor, window, 0.3, beta, 2.0).get_output(0)

    found = build(define, X.shape[1:]).run({"x": X})["y"]
    wanted = torch.nn.functional.local_response_norm(torch.tensor(X), window, 0.3, beta, 2.0).numpy()
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-7)
