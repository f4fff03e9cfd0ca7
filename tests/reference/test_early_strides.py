"""Strides of single points, taken on the steps in front of the convolutions that have them."""

import importlib.util

import numpy as np
import onnx
import onnxruntime
import pytest
from networks import build
from test_int8_kernels import Calibrator, X, convolution, relu

import trtflow.reference as trt
from trtflow.reference.run import providers
from trtflow.reference.run.early_strides import stride_early


def pointwise(network, tensor, maps, stride):
    rng = np.random.default_rng([maps, *stride])
    kernel = rng.normal(size=(maps, tensor.shape[0], 1, 1)).astype(np.float32) / 4
    layer = network.add_convolution_nd(tensor, maps, (1, 1), kernel, np.zeros(maps, np.float32))
    layer.stride_nd = stride
    return layer.get_output(0)


def stage(network, tensor):
    """The begin of a stage of ResNet-50: both its branches pass over every other point of what they read."""
    tensor = relu(network, convolution(network, tensor, 0))
    left = relu(network, pointwise(network, tensor, 6, (2, 2)))
    right = pointwise(network, tensor, 6, (2, 2))
    added = network.add_elementwise(pointwise(network, left, 6, (1, 1)), right, trt.ElementWiseOperation.SUM)
    return relu(network, added.get_output(0))


def uneven(network, tensor):
    """Two strides of one value, and a reader of all its points."""
    tensor = relu(network, convolution(network, tensor, 0))
    parts = [pointwise(network, tensor, 4, stride) for stride in ((2, 1), (1, 3), (1, 1))]
    for part in parts:
        network.mark_output(part)
    return pointwise(network, relu(network, parts[0]), 4, (1, 2))


def lowered(define):
    engine = build(define, X.shape[1:], trt.BuilderFlag.INT8, calibrator=Calibrator()).engine
    return onnx.load_from_string(bytes(engine.serialize()))


def run(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": X})


def single_strides(model):
    """Return the strides of convolutions of a single point, and those of pools of one."""
    found = {"Conv": [], "MaxPool": []}
    for node in model.graph.node:
        told = {item.name: list(item.ints) for item in node.attribute}
        if node.op_type in found and set(told["kernel_shape"]) == {1}:
            found[node.op_type].append(tuple(told["strides"]))
    return found


@pytest.mark.parametrize(("define", "pools"), [(stage, [(2, 2)]), (uneven, [(1, 2), (1, 3), (2, 1)])])
def test_values_stay_to_the_last_digit_and_one_pool_serves_all_of_a_stride(define, pools):
    before = lowered(define)
    after = onnx.ModelProto()
    after.CopyFrom(before)
    stride_early(after)
    onnx.checker.check_model(after, full_check=True)
    assert {stride for stride in single_strides(before)["Conv"] if stride != (1, 1)} == set(pools)
    assert set(single_strides(after)["Conv"]) == {(1, 1)}
    assert sorted(single_strides(after)["MaxPool"]) == pools
    for wanted, found in zip(run(before), run(after), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_strides_of_floats_and_of_wider_kernels_stay():
    def wide(network, tensor):
        layer = network.add_convolution_nd(tensor, 4, (3, 3), np.ones((4, X.shape[1], 3, 3), np.float32))
        layer.stride_nd = (2, 2)
        return layer.get_output(0)

    floats = build(stage, X.shape[1:]).engine
    for model in (lowered(wide), onnx.load_from_string(bytes(floats.serialize()))):
        before = model.SerializeToString()
        stride_early(model)
        assert model.SerializeToString() == before


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
def test_openvino_computes_all_of_them_in_integers(monkeypatch):
    """What it would compute is asked, and nothing is computed: that would be wrong on a processor without VNNI."""
    monkeypatch.setattr(providers, "overflows", lambda: False)
    session = providers.OpenVinoSession(providers.fitted(lowered(stage), providers.OPENVINO))
    nodes = session._compiled.get_runtime_model().get_ordered_ops()
    told = [{name: value.astype(str) for name, value in node.get_rt_info().items()} for node in nodes]
    kinds = [each["primitiveType"] for each in told if each["layerType"] == "Convolution"]
    assert len(kinds) == 4
    assert all(kind.lower().endswith("i8") for kind in kinds), kinds
