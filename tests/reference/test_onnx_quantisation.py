"""QuantizeLinear and DequantizeLinear of ONNX models as layers, held against ONNX Runtime with the model as it is."""

import re

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import trtflow.reference as trt
from trtflow.reference import BuildError
from trtflow.runtime.session import Session

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 16, 9, 8)).astype(np.float32)
KERNEL = RNG.normal(size=(32, 16, 3, 3)).astype(np.float32)
SECOND = RNG.normal(size=(8, 32, 1, 1)).astype(np.float32)
STEP = np.float32(0.05)
BIAS = RNG.normal(size=32).astype(np.float32)
ROWS = np.abs(KERNEL).max((1, 2, 3)) / np.float32(127)


def model_of(nodes, initializers, opset=17, shape=("N", 16, 9, 8)):
    values = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in initializers.items()]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def pair(value, scale, zero="zero", axis=None, zeros_given=True):
    """Return the two nodes of a pair and the name of what they give."""
    attributes = {} if axis is None else {"axis": axis}
    step = [scale, zero] if zeros_given else [scale]
    names = [f"{value}_q", f"{value}_dq"]
    nodes = [
        helper.make_node("QuantizeLinear", [value, *step], names[:1], f"{value} q", **attributes),
        helper.make_node("DequantizeLinear", [names[0], *step], names[1:], f"{value} dq", **attributes),
    ]
    return nodes, names[1]


def network_of(rows=True, opset=17, constants=False):
    """Return a model of two convolutions, their inputs and kernels in pairs."""
    stored = {"w": KERNEL, "b": BIAS, "v": SECOND, "s": np.float32(0.05), "t": np.float32(0.4), "u": np.float32(0.02)}
    stored |= {"zero": np.int8(0), "rows": ROWS if rows else np.float32(ROWS.max())}
    stored["zeros"] = np.zeros(stored["rows"].shape, np.int8)
    axis = 0 if rows else None
    parts = [
        pair("x", "s"),
        pair("w", "rows", "zeros", axis),
        (
            [helper.make_node("Conv", ["x_dq", "w_dq", "b"], ["c"], "first", kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
            None,
        ),
        ([helper.make_node("Relu", ["c"], ["r"], "relu")], None),
        pair("r", "t"),
        pair("v", "u"),
        ([helper.make_node("Conv", ["r_dq", "v_dq"], ["y"], "second", kernel_shape=[1, 1])], None),
    ]
    nodes = [node for added, _ in parts for node in added]
    if constants:  # in nodes, as PyTorch writes zero points
        values = {name: stored.pop(name) for name in ("zero", "zeros", "rows")}
        first = [
            helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(array)))
            for name, array in values.items()
        ]
        nodes = first + nodes
    return model_of(nodes, stored, opset)


def engine_of(model, *flags):
    """Return the engine and the network of a model, for the shape of X."""
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    network = builder.create_network(1)
    parser = trt.OnnxParser(network, builder.logger)
    assert parser.parse(model.SerializeToString()), parser.get_error(0)
    config = builder.create_builder_config()
    for flag in flags:
        config.set_flag(flag)
    if -1 in network.get_input(0).shape:
        profile = builder.create_optimization_profile()
        profile.set_shape("x", *[X.shape] * 3)
        config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    return trt.Runtime(builder.logger).deserialize_cuda_engine(plan), network


def run_onnx(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feeds)[0]


def optimised(engine, folder):
    """Return the operators that ONNX Runtime runs an engine with."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(folder / "optimised.onnx"), 3
    onnxruntime.InferenceSession(
        engine.model.SerializeToString(), options, disabled_optimizers=["WeightBiasQuantization"]
    )
    return [node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node]


FORMS = [(False, 10), (False, 13), (True, 13), (True, 17)]  # whether there is a scale for each row, and the opset


@pytest.mark.parametrize("constants", [False, True])
@pytest.mark.parametrize(("rows", "opset"), FORMS)
def test_convolutions_in_pairs_run_in_integer_kernels(tmp_path, rows, opset, constants):
    model = network_of(rows, opset, constants)
    engine, network = engine_of(model, trt.BuilderFlag.INT8)
    kinds = [layer.type for layer in network]
    assert kinds.count(trt.LayerType.QUANTIZE) == kinds.count(trt.LayerType.DEQUANTIZE) == 4
    wanted = run_onnx(model if opset > 10 else network_of(rows, 13, constants), {"x": X})
    found = Session(trt, engine).run({"x": X})["y"]
    # a sum on the edge of two steps of what lies between the convolutions may fall to either side
    assert np.abs(found - wanted).max() <= 0.4 * np.abs(SECOND).max() * 2
    assert np.abs(found - wanted).mean() < 1e-3 * np.abs(wanted).mean()
    assert "QLinearConv" in optimised(engine, tmp_path)
    precisions = {layer["name"]: layer["precision"] for layer in engine.layers}
    assert precisions["first"] == precisions["second"] == "INT8"
    assert precisions["relu"] == "FLOAT"


def test_half_precision_leaves_products_of_steps_exact():
    model = network_of()
    engine, _ = engine_of(model, trt.BuilderFlag.INT8, trt.BuilderFlag.FP16)
    assert {layer["name"]: layer["precision"] for layer in engine.layers}["second"] == "INT8"
    wanted, found = run_onnx(model, {"x": X}), Session(trt, engine).run({"x": X})["y"]
    assert np.abs(found - wanted).mean() < 2e-3 * np.abs(wanted).mean()


def test_a_kernel_in_a_pair_needs_the_attribute_kernel_shape():
    """As TensorRT 8.6.0 has it; where kernels are constants it finds their sizes itself."""
    model = network_of()
    (second,) = [node for node in model.graph.node if node.name == "second"]
    del second.attribute[:]
    parser = trt.OnnxParser(trt.Builder(trt.Logger()).create_network(1), trt.Logger(trt.Logger.INTERNAL_ERROR))
    assert not parser.parse(model.SerializeToString())
    assert "misaligns with the input kernel shape" in parser.get_error(0).desc()


def test_int8_must_be_allowed_in_the_configuration():
    with pytest.raises(BuildError, match="Int8 precision has been set for a layer or layer output, but int8 is not"):
        engine_of(network_of())


@pytest.mark.parametrize("axis", [1, -3])
def test_one_scale_for_each_channel_of_a_tensor(axis):
    stored = {"s": np.linspace(0.01, 0.05, 16).astype(np.float32), "zero": np.zeros(16, np.int8)}
    nodes, last = pair("x", "s", axis=axis)
    model = model_of([*nodes, helper.make_node("Relu", [last], ["y"])], stored)
    engine, _ = engine_of(model, trt.BuilderFlag.INT8)
    np.testing.assert_array_equal(Session(trt, engine).run({"x": X})["y"], run_onnx(model, {"x": X}))


def without_zero(given):
    """Return a model of a pair whose zero point is a nought of a type, or left out."""
    stored = {"s": STEP} | ({"zero": np.zeros((), given)} if given else {})
    nodes, last = pair("x", "s", zeros_given=bool(given))
    return model_of([*nodes, helper.make_node("Relu", [last], ["y"])], stored)


STACKS = [((16, 24), 1), ((1, 16, 24), 2), ((1, 1, 16, 24), -1), ((3, 16, 24), 2), ((3, 16, 24), 0), ((1, 16, 24), 1)]


@pytest.mark.parametrize(("shape", "axis"), STACKS)
def test_products_with_stacks_of_kernels_that_have_several_scales(shape, axis):
    """ONNX Runtime's integer product takes several scales of a matrix alone."""
    kernel, rank = RNG.normal(size=shape).astype(np.float32), len(shape)
    scale = np.abs(kernel).max(tuple(a for a in range(rank) if a != axis % rank)) / np.float32(127)
    stored = {"w": kernel, "f": scale, "o": np.zeros(scale.shape, np.int8), "s": np.float32(0.02), "zero": np.int8(0)}
    nodes = [*pair("x", "s")[0], *pair("w", "f", "o", axis)[0], helper.make_node("MatMul", ["x_dq", "w_dq"], ["y"])]
    x = RNG.normal(size=(*([3] * (max(rank, 3) - 2)), 5, 16)).astype(np.float32)
    model = model_of(nodes, stored, shape=x.shape)
    engine, _ = engine_of(model, trt.BuilderFlag.INT8)
    with Session(trt, engine) as session:
        found = session.run({"x": x})["y"]
    np.testing.assert_allclose(found, run_onnx(model, {"x": x}), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("given", ["", "uint8", "int8"])
def test_a_zero_point_that_is_left_out_or_uint8_is_the_0_of_int8(given):
    """ONNX means uint8 without one; TensorRT has INT8 only, which is the same where values are not below 0."""
    model = without_zero(given)
    engine, network = engine_of(model, trt.BuilderFlag.INT8)
    assert network.get_layer(1).get_output(0).dtype in (trt.int8, trt.float32)
    values = np.abs(X)
    np.testing.assert_array_equal(Session(trt, engine).run({"x": values})["y"], run_onnx(model, {"x": values}))
    steps = np.clip(np.rint(X / np.float32(0.05)), -128, 127) * np.float32(0.05)
    np.testing.assert_allclose(Session(trt, engine).run({"x": X})["y"], steps.clip(0), rtol=1e-6)


def quantised_otherwise(zero, scale=STEP, axis=None):
    nodes, last = pair("x", "s", axis=axis)
    return model_of([*nodes, helper.make_node("Relu", [last], ["y"])], {"s": scale, "zero": zero})


def dequantised(values):
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "zero"], ["dq"], "w dq"),
        helper.make_node("Conv", ["x", "dq"], ["y"], "conv"),
    ]
    return model_of(nodes, {"w": values, "s": STEP, "zero": np.zeros((), values.dtype)})


REFUSED = {
    "zero_point_3": quantised_otherwise(np.int8(3)),
    "zero_point_128": quantised_otherwise(np.uint8(128)),
    "scale_0": quantised_otherwise(np.int8(0), np.float32(0)),
    "two_scales_one_zero": quantised_otherwise(np.int8(0), np.float32([1, 2])),
    "five_scales": quantised_otherwise(np.zeros(5, np.int8), np.ones(5, np.float32), 1),
    "int8_weights": dequantised(np.ones((4, 16, 1, 1), np.int8)),
    "int32_weights": dequantised(np.ones((4, 16, 1, 1), np.int32)),
}
MESSAGES = {
    "zero_point_3": "TensorRT only supports symmetric quantization",
    "zero_point_128": "TensorRT only supports symmetric quantization",
    "scale_0": "Scale coefficients must all be positive",
    "two_scales_one_zero": "The scale and zero point must have the same volume",
    "five_scales": "The number of scales is not equal to the number of output channels",
    "int8_weights": "w: invalid weights type of Int8.*AddQDQPairToWeight",
    "int32_weights": "only activation datatypes allowed",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_tensorrt_refuses_is_refused_in_its_words(name):
    parser = trt.OnnxParser(trt.Builder(trt.Logger()).create_network(1), trt.Logger(trt.Logger.INTERNAL_ERROR))
    assert not parser.parse(REFUSED[name].SerializeToString())
    assert re.search(MESSAGES[name], parser.get_error(0).desc())
    assert parser.get_error(0).code() == trt.ErrorCode.INVALID_NODE
    assert parser.get_error(0).node() == 0
