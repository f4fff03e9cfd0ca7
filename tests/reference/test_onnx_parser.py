"""The ONNX parser: onnx's own node tests, TensorRT's layers where there are any, and errors with their nodes."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case import base
from onnx.backend.test.case.node import collect_testcases

import trtflow.reference as trt
from trtflow.runtime.session import Session

QUIET = trt.Logger(trt.Logger.INTERNAL_ERROR)
CASES = """
abs acos add add_bcast and2d asin atan averagepool_2d_pads averagepool_2d_same_upper
basic_conv_with_padding batchnorm_example ceil clip concat_3d_axis_1 conv_with_strides_padding argmax_keepdims_example
convtranspose cos depthtospace_example div einsum_transpose elu equal erf exp expand_dim_changed
flatten_axis1 floor gather_0 gather_elements_0 gathernd_example_int32 gemm_all_attributes
gemm_default_matrix_bias globalaveragepool globalmaxpool greater hardsigmoid identity
instancenorm_example leakyrelu less log logsoftmax_axis_1 lstm_defaults lrn matmul_2d matmul_3d maxpool_2d_pads
maxpool_2d_same_lower mean_example min_example mod_mixed_sign_float32 mul_bcast neg not_2d or2d
pow prelu_broadcast reciprocal relu reshape_negative_dim
round selu shape sigmoid sign sin softmax_axis_2 softplus softsign
spacetodepth_example sqrt sub sum_example tanh thresholdedrelu tile transpose_all_permutations_0
where_example xor2d
"""
BEYOND = """
cumsum_1d hardmax_axis_0 onehot_with_axis qlinearmatmul_2D_uint8_float32 resize_upsample_scales_nearest squeeze
unsqueeze_axis_1
"""


def parsed(model, expect=True, beyond=False):
    builder = trt.Builder(QUIET)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.OnnxParser(network, QUIET)
    parser.beyond_tensorrt = beyond
    data = model if isinstance(model, bytes) else model.SerializeToString()
    errors = "" if parser.parse(data) else "\n".join(str(parser.get_error(i)) for i in range(parser.num_errors))
    assert bool(errors) is not expect, errors
    return builder, network, parser


def run(model, feeds, precision=None, beyond=False):
    builder, network, _ = parsed(model, beyond=beyond)
    config = builder.create_builder_config()
    if precision == "fp16":
        config.set_flag(trt.BuilderFlag.FP16)
    engine = trt.Runtime(QUIET).deserialize_cuda_engine(builder.build_serialized_network(network, config))
    return Session(trt, engine).run(feeds)


@pytest.fixture(scope="module")
def node_tests():
    """Cases by name: those that are asked for, for most of the time that all take goes into poolings in NumPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base._Exporter, "__init__", make_asked)
        return {case.name.removeprefix("test_"): case for case in collect_testcases(None)}


def make_asked(cls, name, bases, members, make=base._Exporter.__init__):
    """Let a class of onnx's make its cases, but for functions that name cases and none that is asked for."""
    asked = [f"test_{case}" for case in (CASES + BEYOND).split()]

    def is_wanted(export):
        texts = [value for value in export.__func__.__code__.co_consts if isinstance(value, str)]
        named = tuple(text for text in texts if text.startswith("test_"))
        return not named or any(case.startswith(named) for case in asked)  # a variable may end a name

    make(cls, name, bases, {key: of for key, of in members.items() if not key.startswith("export") or is_wanted(of)})


@pytest.mark.parametrize(("name", "beyond"), [(name, False) for name in CASES.split()])
def test_node_of_onnx(node_tests, name, beyond):
    case = node_tests.get(name)
    if case is None:
        pytest.fail(f"this version of onnx has no node test {name}")
    inputs, outputs = case.data_sets[0]
    feeds = {value.name: array for value, array in zip(case.model.graph.input, inputs, strict=True)}
    found = run(case.model, feeds, beyond=beyond)
    for value, wanted in zip(case.model.graph.output, outputs, strict=True):
        assert found[value.name].shape == wanted.shape
        np.testing.assert_allclose(found[value.name].astype(wanted.dtype), wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", BEYOND.split())
def test_what_tensorrt_refuses_runs_where_the_user_asks_for_it(node_tests, name):
    _, _, parser = parsed(node_tests[name].model, expect=False)
    operator = node_tests[name].model.graph.node[0].op_type
    assert operator in parser.get_error(0).desc()
    test_node_of_onnx(node_tests, name, beyond=True)
    parser = parsed(node_tests[name].model, beyond=True)[2]
    assert parser.used_beyond_tensorrt == [operator]


def small_model(*nodes, shape=(2, 3, 8, 8), opset=17, outputs=("y",), weights=None):
    """A model of one input x; weights by name."""
    constants = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    for value in made:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    graph = helper.make_graph(list(nodes), "test", inputs, made, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def classifier():
    rng = np.random.default_rng(0)
    weights = {
        "k": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "kb": rng.normal(size=4).astype(np.float32),
        "w": rng.normal(size=(64, 5)).astype(np.float32),
        "wb": rng.normal(size=5).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "k", "kb"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("MaxPool", ["r"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "w", "wb"], ["g"], "fc"),
        helper.make_node("Softmax", ["g"], ["y"], "prob"),
    ]
    return small_model(*nodes, weights=weights)


def test_layers_have_tensorrts_types_and_onnxs_names():
    _, network, _ = parsed(classifier())
    named = {layer.name: layer.type.name for layer in network}
    wanted = {"conv": "CONVOLUTION", "relu": "ACTIVATION", "pool": "POOLING", "flat": "SHUFFLE", "prob": "SOFTMAX"}
    assert wanted.items() <= named.items()
    assert named["fc"] == "ELEMENTWISE"
    assert "MATRIX_MULTIPLY" in named.values()
    assert [network.get_output(0).name, tuple(network.get_output(0).shape)] == ["y", (2, 5)]


@pytest.mark.parametrize(("precision", "tolerance"), [(None, 1e-5), ("fp16", 2e-2)])
def test_classifier_as_onnx_runtime_has_it(precision, tolerance):
    data = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(classifier().SerializeToString(), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": data})
    np.testing.assert_allclose(run(classifier(), {"x": data}, precision)["y"], wanted, atol=tolerance)


def test_constant_shapes_are_folded():
    nodes = [
        helper.make_node("Shape", ["w"], ["s"]),
        helper.make_node("Gather", ["s", "i"], ["n"]),
        helper.make_node("Concat", ["m", "n"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["y"], "reshape"),
    ]
    weights = {"w": np.zeros((5, 12), np.float32), "i": np.array([1]), "m": np.array([-1])}
    _, network, _ = parsed(small_model(*nodes, weights=weights))
    assert [layer.name for layer in network] == ["reshape"]
    assert tuple(network.get_output(0).shape) == (32, 12)


def test_weights_in_a_file_beside_the_model_are_found(tmp_path):
    onnx.save(classifier(), tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0)
    network = trt.Builder(QUIET).create_network(1)
    assert trt.OnnxParser(network, QUIET).parse_from_file(str(tmp_path / "m.onnx"))
    assert network.num_layers > 5


@pytest.mark.parametrize("opset", [7, 9, 10, 13])
def test_doubling_is_a_resize_layer_in_every_opset(opset):
    """Upsample of the guide's days, with its scales as an attribute and as an input, and the two forms of Resize."""
    scales = np.array([1, 1, 2, 2], np.float32)
    node = {
        7: helper.make_node("Upsample", ["x"], ["y"], "up", scales=scales.tolist()),
        9: helper.make_node("Upsample", ["x", "s"], ["y"], "up"),
        10: helper.make_node("Resize", ["x", "s"], ["y"], "up"),
        13: helper.make_node(
            "Resize",
            ["x", "", "s"],
            ["y"],
            "up",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
    }[opset]
    model = small_model(node, opset=opset, weights={} if opset == 7 else {"s": scales})
    assert [layer.type for layer in parsed(model)[1]] == [trt.LayerType.RESIZE]
    data = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(run(model, {"x": data})["y"], data.repeat(2, 2).repeat(2, 3))


@pytest.mark.parametrize("coordinates", ["asymmetric", "half_pixel", "align_corners"])
def test_linear_resize_as_onnx_runtime_has_it(coordinates):
    node = helper.make_node(
        "Resize", ["x", "", "s"], ["y"], "up", mode="linear", coordinate_transformation_mode=coordinates
    )
    model = small_model(node, opset=13, weights={"s": np.array([1, 1, 2, 3], np.float32)})
    data = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [layer.type for layer in parsed(model)[1]] == [trt.LayerType.RESIZE]
    np.testing.assert_allclose(run(model, {"x": data})["y"], session.run(None, {"x": data})[0], atol=1e-5)


def test_upsampling_by_an_input_is_told():
    nodes = [helper.make_node("Abs", ["x"], ["a"]), helper.make_node("Upsample", ["x", "a"], ["y"], "up")]
    errors = parsed(small_model(*nodes, shape=(4,), opset=9), expect=False)[2]
    assert "'up' (Upsample): Invalid Node - up. Its input 'a' makes a shape" in errors.get_error(0).desc()


def test_unknown_operators_are_told_each_with_its_node():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "fine"),
        helper.make_node("Swirl", ["a"], ["b"], "first", domain="acme"),
        helper.make_node("Relu", ["b"], ["c"], "behind"),
        helper.make_node("Twist", ["a"], ["y"], "second"),
    ]
    _, _, parser = parsed(small_model(*nodes), expect=False)
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    assert [error.node() for error in errors] == [1, 2, 3]
    assert errors[0].code() == trt.ErrorCode.UNSUPPORTED_NODE
    assert "node 1, 'first' (Swirl): Plugin not found" in errors[0].desc()
    assert "There is no operator 'Swirl' of domain 'acme' in opset 17" in errors[0].desc()
    assert "Its input 'b' could not be parsed" in errors[1].desc()
    assert "There is no operator 'Twist' in opset 17" in errors[2].desc()
    parser.clear_errors()
    assert parser.num_errors == 0


def test_missing_initializer_and_output():
    _, _, parser = parsed(small_model(helper.make_node("Add", ["x", "w"], ["y"], "sum")), expect=False)
    assert "input 'w' of node: name: sum OpType: Add is not output of any previous nodes" in parser.get_error(0).desc()
    model = small_model(helper.make_node("Relu", ["x"], ["y"]), outputs=("z",))
    assert "Graph output 'z' is not an output of any node" in parsed(model, expect=False)[2].get_error(0).desc()


def test_damaged_and_missing_models(tmp_path):
    data = classifier().SerializeToString()
    assert parsed(data[:-50], expect=False)[2].get_error(0).code() == trt.ErrorCode.MODEL_DESERIALIZE_FAILED
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert not parser.parse_from_file(str(tmp_path / "none.onnx"))
    assert "none.onnx: no such file" in parser.get_error(0).desc()


def test_implicit_batch_is_refused():
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(), QUIET)
    assert not parser.parse(classifier().SerializeToString())
    assert "EXPLICIT_BATCH" in parser.get_error(0).desc()


def test_supported_operators():
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert parser.supports_operator("Conv")
    assert parser.supports_operator("LSTM")
    assert not parser.supports_operator("Swirl")
