"""Models as others leave them: what TensorRT's parser does not ask for is not asked for here, and what it changes is
told. Values are ONNX Runtime's on the same file, where it reads it."""

import numpy as np
import onnx
import onnx_table
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import trtflow.reference as trt
from trtflow.runtime.session import Session

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
QUIET = trt.Logger(trt.Logger.INTERNAL_ERROR)
MICROSOFT = helper.make_opsetid("com.microsoft", 1)


def model(*nodes, shape=(3, 4), weights=None, outputs=("y",), others=(), kind=FLOAT, opset=13):
    """A model of one input x; weights are arrays by name."""
    graph = helper.make_graph(
        list(nodes),
        "found",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *others], ir_version=8)


def run(made, feeds):
    """Return the outputs that the reference gives, and its warnings."""
    (kind, found), told = onnx_table.answer(made.SerializeToString(), feeds)
    assert kind == "ran", found
    return found, [message for severity, message in told if severity == trt.Logger.WARNING]


def same_as_onnx_runtime(made):
    """Assert that the reference gives what ONNX Runtime gives on the same file; return its warnings."""
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(5)
    feeds = {item.name: rng.normal(size=item.shape).astype(np.float32) for item in session.get_inputs()}
    found, warnings = run(made, feeds)
    for name, wanted in zip([item.name for item in session.get_outputs()], session.run(None, feeds), strict=True):
        assert found[name].shape == wanted.shape
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-6)
    return warnings


def refused(made):
    """Return the errors of a model that is refused."""
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert parser.parse(made.SerializeToString()) is False
    return [parser.get_error(index) for index in range(parser.num_errors)]


def test_nodes_out_of_order_are_sorted_and_errors_name_the_place_that_they_have():
    nodes = [
        helper.make_node("Tanh", ["b"], ["y"], "last"),
        helper.make_node("Mul", ["x", "a"], ["b"], "middle"),
        helper.make_node("Relu", ["x"], ["a"], "first"),
    ]
    warnings = same_as_onnx_runtime(model(*nodes))
    assert any("sorts them" in message for message in warnings)
    hard = helper.make_node("Hardmax", ["a"], ["c"], "hard")
    error = refused(model(hard, *nodes))[0]
    assert error.node() == 0
    assert "'hard'" in error.desc()


def test_a_graph_that_an_inner_one_reads_from_comes_before_it():
    branch = [
        helper.make_graph(
            [helper.make_node(kind, ["a", "x"], ["z"])], kind, [], [helper.make_empty_tensor_value_info("z")]
        )
        for kind in ("Add", "Sub")
    ]
    nodes = [
        helper.make_node("If", ["positive"], ["y"], then_branch=branch[0], else_branch=branch[1]),
        helper.make_node("Greater", ["sum", "nought"], ["positive"]),
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Exp", ["x"], ["a"]),
    ]
    same_as_onnx_runtime(model(*nodes, weights={"nought": np.float32(0)}))


def test_nodes_in_a_circle_are_refused_in_tensorrts_words():
    made = model(
        helper.make_node("Add", ["x", "b"], ["a"], "one"),
        helper.make_node("Relu", ["a"], ["b"], "other"),
        outputs=("b",),
    )
    error = refused(made)[0]
    assert error.code() == trt.ErrorCode.INVALID_GRAPH
    assert "Failed to sort the model topologically." in error.desc()
    assert "'other'" in error.desc()


@pytest.mark.parametrize(
    ("operator", "inputs", "weights"),
    [
        ("Pad", ["x", "w"], {"w": np.array([1, 0, 0, 2])}),
        ("Trilu", ["x"], {}),
        ("QuantizeLinear", ["x", "w", "z"], {"w": np.float32(0.05), "z": np.int8(0)}),
    ],
)
def test_an_operator_of_another_domain_is_onnxs_of_that_name_and_a_warning_says_so(operator, inputs, weights):
    nodes = [helper.make_node(operator, inputs, ["a"], "other", domain="com.microsoft")]
    if operator == "QuantizeLinear":
        nodes.append(helper.make_node("DequantizeLinear", ["a", "w", "z"], ["y"], domain="com.microsoft"))
    else:
        nodes.append(helper.make_node("Identity", ["a"], ["y"], domain="ai.onnx"))
    made = model(
        *nodes, weights=weights, others=[MICROSOFT, helper.make_opsetid("ai.onnx", 13)][: 1 + len(nodes)], opset=14
    )
    del made.opset_import[2:]
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"x": np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)}
    found, warnings = run(made, feeds)
    np.testing.assert_allclose(found["y"], session.run(None, feeds)[0], atol=1e-6)
    assert any("com.microsoft" in message and operator in message for message in warnings)


def test_an_operator_of_another_domain_that_tensorrt_has_not_is_refused():
    made = model(helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"), others=[MICROSOFT])
    assert "Plugin not found" in refused(made)[0].desc()


def test_a_graph_without_a_name_is_taken():
    made = model(helper.make_node("Relu", ["x"], ["y"]))
    made.graph.name = ""
    same_as_onnx_runtime(made)


def test_functions_that_no_node_calls_are_passed_over_and_others_refused():
    function = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [MICROSOFT]
    )
    function.opset_import[0].CopyFrom(helper.make_opsetid("", 13))
    own = helper.make_opsetid("own", 1)
    made = model(helper.make_node("Relu", ["x"], ["y"]), others=[own])
    made.functions.append(function)
    same_as_onnx_runtime(made)
    made.graph.node[0].CopyFrom(helper.make_node("Twice", ["x"], ["y"], domain="own"))
    assert "inline_local_functions" in refused(made)[0].desc()


def test_an_output_that_is_an_input_renames_the_input_as_tensorrt_does():
    made = model(helper.make_node("Relu", ["x"], ["y"]), outputs=("y", "x", "y"))
    data = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)
    found, warnings = run(made, {"__x": data})
    np.testing.assert_array_equal(found["x"], data)
    np.testing.assert_array_equal(found["y"], np.maximum(data, 0))
    assert any("__x" in message for message in warnings)


@pytest.mark.parametrize("shape", [(0, 4), (0, 0), (2, 0), (0, 4, 1)])
def test_empty_constants_are_read_with_all_their_sizes(shape):
    small = helper.make_node("Reshape", ["w", "flat"], ["v"])
    join = helper.make_node("Concat", ["r", "v"], ["y"], axis=0)
    nodes = [helper.make_node("Reshape", ["x", "flat"], ["r"]), small, join]
    same_as_onnx_runtime(model(*nodes, weights={"w": np.zeros(shape, np.float32), "flat": np.array([-1])}))


def test_more_dimensions_than_tensorrt_has_are_refused_and_named():
    nine = model(helper.make_node("Relu", ["x"], ["y"], "deep"), shape=[1] * 9)
    assert "'x' has 9 dimensions" in refused(nine)[0].desc()
    inside = model(helper.make_node("Reshape", ["x", "s"], ["y"], "deep"), weights={"s": np.array([3, 4] + [1] * 7)})
    error = refused(inside)[0]
    assert (error.node(), error.code()) == (0, trt.ErrorCode.UNSUPPORTED_GRAPH)
    assert "'y' has 9 dimensions" in error.desc()
    weights = model(helper.make_node("Add", ["x", "w"], ["y"]), weights={"w": np.ones([1] * 9, np.float32)})
    assert "Failed to import initializer" in refused(weights)[0].desc()


def test_numbers_beyond_int32_are_clamped_with_a_warning():
    made = model(
        helper.make_node("Mul", ["x", "w"], ["y"]), kind=INT64, shape=(2,), weights={"w": np.array([2**40, -5])}
    )
    found, warnings = run(made, {"x": np.array([1, 3], np.int32)})
    np.testing.assert_array_equal(found["y"], [2**31 - 1, -15])
    assert any("'w'" in message and "INT32" in message for message in warnings)


def test_the_first_of_several_opsets_counts_with_a_warning():
    made = model(helper.make_node("Softmax", ["x"], ["y"]), shape=(2, 3, 4), others=[helper.make_opsetid("", 11)])
    data = np.random.default_rng(5).normal(size=(2, 3, 4)).astype(np.float32)
    found, warnings = run(made, {"x": data})
    np.testing.assert_allclose(found["y"].sum(-1), np.ones((2, 3)), atol=1e-5)
    assert any("13, 11" in message for message in warnings)


def test_a_fault_that_nothing_foresees_names_its_node(monkeypatch):
    from trtflow.reference.record.onnx import parse  # noqa: PLC0415 - for this fault alone

    monkeypatch.setitem(parse.OPERATORS, "Relu", lambda *_: 1 // 0)
    error = refused(model(helper.make_node("Relu", ["x"], ["y"], "odd")))[0]
    assert (error.code(), error.node()) == (trt.ErrorCode.INTERNAL_ERROR, 0)
    assert "'odd'" in error.desc()


def test_checked_models_stay_checked():
    made = model(helper.make_node("Relu", ["x"], ["y"]), weights={"w": np.ones(2, np.float32)})
    made.graph.initializer.append(made.graph.initializer[0])
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(made)
    assert "not unique" in refused(made)[0].desc()


def test_initializers_of_a_file_of_version_3_need_not_be_inputs():
    made = model(helper.make_node("Add", ["x", "w"], ["y"]), weights={"w": np.float32([1, 2, 3, 4])})
    made.ir_version = 3
    found, _ = run(made, {"x": np.ones((3, 4), np.float32)})
    np.testing.assert_array_equal(found["y"], np.tile(np.float32([2, 3, 4, 5]), (3, 1)))


def test_a_model_of_no_nodes_gives_its_input_back():
    made = model(outputs=("x",))
    data = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_array_equal(run(made, {"__x": data})[0]["x"], data)


def test_typed_data_count_where_raw_data_are_empty():
    made = model(helper.make_node("Constant", [], ["w"], value=helper.make_tensor("w", FLOAT, [4], [1, 2, 3, 4])))
    made.graph.node.append(helper.make_node("Add", ["x", "w"], ["y"]))
    made.graph.node[0].attribute[0].t.raw_data = b""
    found, _ = run(made, {"x": np.ones((3, 4), np.float32)})
    np.testing.assert_array_equal(found["y"], np.tile(np.float32([2, 3, 4, 5]), (3, 1)))


def declared(name, shape):
    return helper.make_tensor_value_info(name, FLOAT, shape)


def loop_body(carried):
    """A body that adds the rows of x, which it reads from around it, and declares what it carries."""
    nodes = [
        helper.make_node("Gather", ["x", "i"], ["row"], axis=0),
        helper.make_node("Add", ["s", "row"], ["t"]),
        helper.make_node("Identity", ["c"], ["d"]),
    ]
    inputs = [
        helper.make_tensor_value_info("i", INT64, []),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        declared("s", carried),
    ]
    outputs = [helper.make_tensor_value_info("d", TensorProto.BOOL, []), declared("t", carried)]
    return helper.make_graph(nodes, "body", inputs, outputs)


@pytest.mark.parametrize("carried", [[4], [7], None])
@pytest.mark.parametrize("untyped", [False, True])
def test_what_the_graph_of_a_loop_declares_is_not_read(carried, untyped):
    body = loop_body(carried)
    if untyped:
        body.value_info.append(onnx.ValueInfoProto(name="x", type=onnx.TypeProto()))
        body.value_info.append(onnx.ValueInfoProto(name="row"))
    loop = helper.make_node("Loop", ["m", "on", "z"], ["y"], body=body)
    made = model(loop, weights={"m": np.array(3), "on": np.array(True), "z": np.zeros(4, np.float32)})
    data = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_allclose(run(made, {"x": data})[0]["y"], data.sum(0), atol=1e-6)


def test_a_condition_that_a_loop_reads_and_is_not_given_is_refused_as_by_tensorrt():
    """Measured on an H200: an assertion that the input of a node is registered."""
    loop = helper.make_node("Loop", ["m", "", "z"], ["y"], body=loop_body([4]))
    (error,) = refused(model(loop, weights={"m": np.array(3), "z": np.zeros(4, np.float32)}))
    assert error.code() == trt.ErrorCode.INVALID_GRAPH
    assert "Node input was not registered." in error.desc()


def test_inputs_of_a_branch_are_the_values_around_it():
    branches = [
        helper.make_graph(
            [helper.make_node(kind, ["x"], ["z"])], kind, [declared("x", [3, 4])], [declared("z", [3, 4])]
        )
        for kind in ("Neg", "Abs")
    ]
    choice = helper.make_node("If", ["positive"], ["y"], then_branch=branches[0], else_branch=branches[1])
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "nought"], ["positive"]),
        choice,
    ]
    made = model(*nodes, weights={"nought": np.float32(0)})
    data = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)
    for feed in (data, -data):
        wanted = -feed if feed.sum() > 0 else np.abs(feed)
        np.testing.assert_array_equal(run(made, {"x": feed})[0]["y"], wanted)


@pytest.mark.parametrize("shape", [[3, 4], [9], None])
def test_a_declared_shape_does_not_count_where_sizes_are_fed(shape):
    """TensorRT does not read it: what is fed decides."""
    made = model(helper.make_node("Reshape", ["x", "s"], ["y"]), shape=(12,))
    made.graph.input.append(helper.make_tensor_value_info("s", INT64, [2]))
    made.graph.output[0].CopyFrom(declared("y", shape))
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1)
    assert trt.OnnxParser(network, logger).parse(made.SerializeToString())
    assert tuple(network.get_output(0).shape) == (-1, -1)
    profile, config = builder.create_optimization_profile(), builder.create_builder_config()
    profile.set_shape_input("s", [1, 1], [3, 4], [12, 12])
    config.add_optimization_profile(profile)
    engine = trt.Runtime(logger).deserialize_cuda_engine(builder.build_serialized_network(network, config))
    data = np.arange(12, dtype=np.float32)
    with Session(trt, engine) as session:
        for sizes in ([2, 6], [12, 1], [3, 4]):
            found = session.run({"x": data, "s": np.array(sizes, np.int32)})["y"]
            np.testing.assert_array_equal(found, data.reshape(sizes))


def test_an_operator_that_tensorrt_has_not_is_refused_as_such_in_every_opset():
    made = model(helper.make_node("DFT", ["x", "", "a"], ["y"]), weights={"a": np.array(1)}, shape=(1, 4, 1), opset=20)
    assert "Plugin not found" in refused(made)[0].desc()
