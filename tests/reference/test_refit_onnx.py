"""Refit by the names that an ONNX model gives its weights."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import trtflow.reference as trt
from trtflow.runtime.session import Session

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 3, 7, 7)).astype(np.float32)
SHAPES = {"w0": (4, 3, 3, 3), "b0": (4,), "wl": (5, 4, 1, 1), "m": (25, 6)}


def model_of(weights):
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c"], "first"),
        helper.make_node("Conv", ["c", "wl"], ["d"], "last"),
        helper.make_node("Reshape", ["d", "shape"], ["r"], "reshape"),
        helper.make_node("MatMul", ["r", "m"], ["y"], "product"),
    ]
    stored = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    stored.append(numpy_helper.from_array(np.array([2, -1, 25]), "shape"))
    values = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def weights_of(seed):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


@pytest.fixture
def engine():
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    network = builder.create_network(1)
    parser = trt.OnnxParser(network, builder.logger)
    assert parser.parse(model_of(weights_of(0)).SerializeToString()), parser.get_error(0)
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.REFIT)
    return trt.Runtime(builder.logger).deserialize_cuda_engine(builder.build_serialized_network(network, config))


def test_weights_have_the_models_names(engine):
    refitter = trt.Refitter(engine, engine.logger)
    assert refitter.get_all_weights() == ["w0", "b0", "wl", "m"]
    assert refitter.get_missing_weights() == []
    assert refitter.set_named_weights("w0", weights_of(1)["w0"])
    assert refitter.get_missing_weights() == ["b0"]
    assert not refitter.refit_cuda_engine()
    assert refitter.get_missing() == (["first"], [trt.WeightsRole.BIAS])


def test_new_weights_are_those_of_another_model(engine):
    refitter = trt.Refitter(engine, engine.logger)
    other = weights_of(1)
    for name, array in other.items():
        assert refitter.set_named_weights(name, array)
    assert refitter.refit_cuda_engine()
    wanted = onnxruntime.InferenceSession(model_of(other).SerializeToString()).run(None, {"x": X})[0]
    np.testing.assert_allclose(Session(trt, engine).run({"x": X})["y"], wanted, rtol=1e-4, atol=1e-4)


def test_other_names_and_sizes_are_refused(engine):
    refitter = trt.Refitter(engine, engine.logger)
    assert not refitter.set_named_weights("w1", weights_of(1)["w0"])
    assert not refitter.set_named_weights("w0", weights_of(1)["wl"])
    assert refitter.refit_cuda_engine()
