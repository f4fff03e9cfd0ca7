"""Models that are wrong: the parser answers False, says why with the node, and raises nothing."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import trtflow.reference as trt

QUIET = trt.Logger(trt.Logger.INTERNAL_ERROR)
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def model(*nodes, shape=(2, 3, 8, 8), opset=17, weights=None, output=(FLOAT, None), kind=FLOAT):
    """A model of one input x and one output y; weights are arrays or tensors by name."""
    stored = [
        numpy_helper.from_array(value, name) if isinstance(value, np.ndarray) else value
        for name, value in (weights or {}).items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "wrong",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", *output)],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(operator, *inputs, **attributes):
    return helper.make_node(operator, list(inputs) or ["x"], ["y"], "wrong", **attributes)


def errors_of(data):
    """Parse bytes, which must fail; return code, node and text of the first error."""
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert parser.parse(data) is False
    assert parser.num_errors > 0
    error = parser.get_error(0)
    return error.code().name, error.node(), error.desc()


def typed(tensor_type, size=4):
    return TensorProto(name="w", data_type=tensor_type, dims=[4], raw_data=b"\0" * size)


def external():
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[8], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


KERNEL = np.ones((4, 3, 3, 3), np.float32)
WRONG = {
    "MaxPool without kernel_shape": (model(node("MaxPool")), "kernel_shape"),
    "initializer of a wrong size": (model(node("Add", "x", "w"), weights={"w": typed(FLOAT, 5)}), "'w'|size|raw"),
    "unknown type of an initializer": (model(node("Add", "x", "w"), weights={"w": typed(99)}), "data type|'w'|99"),
    "unknown type of an input": (model(node("Relu"), kind=77), "number 77"),
    "a list for axis": (model(node("Softmax", axis=[1, 2])), "axis"),
    "weights in a file that is not told": (model(node("Add", "x", "w"), weights={"w": external()}), "weights.bin|w"),
    "an opset of the far future": (model(node("Relu"), opset=2**40), "opset_version=17"),
    "strides of 0": (model(node("Conv", "x", "w", strides=[0, 0]), weights={"w": KERNEL}), "wrong"),
    "a perm that is too short": (model(node("Transpose", perm=[1, 0])), "wrong"),
    "an axis that there is not": (model(node("Softmax", axis=9)), "wrong"),
    "a kernel of other channels": (model(node("Conv", "x", "w"), weights={"w": KERNEL[:, :2]}), "wrong"),
    "groups that do not divide": (model(node("Conv", "x", "w", group=2), weights={"w": KERNEL}), "wrong"),
    "sizes that do not fit": (model(node("Reshape", "x", "w"), weights={"w": np.array([5, 7])}), "wrong"),
    "matrices that do not fit": (model(node("MatMul", "x", "w"), weights={"w": KERNEL}), "wrong"),
    "tensors that do not fit": (model(node("Add", "x", "w"), weights={"w": KERNEL}), "wrong"),
    "pads of a wrong number": (model(node("Pad", "x", "w"), weights={"w": np.array([1, 1])}), "wrong"),
    "a cast to an unknown type": (model(node("Cast", to=99)), "wrong"),
    "a string": (model(node("Cast", to=TensorProto.STRING), output=(TensorProto.STRING, None)), "Unsupported data"),
    "a gather along no axis": (model(node("Gather", "x", "w", axis=7), weights={"w": np.array([0])}), "wrong"),
    "an If without branches": (model(node("If", "w"), weights={"w": np.array(True)}), "then_branch|else_branch"),
    "a value that nothing gives": (model(node("Add", "x", "nowhere")), "nowhere"),
    "an output that nothing gives": (model(helper.make_node("Relu", ["x"], ["z"])), "'y'"),
    "no nodes": (model(), "no ONNX graph"),
    "an output of another type": (model(node("Shape"), output=(FLOAT, None)), "INT32"),
    "a sizes' type of floats": (model(node("Reshape", "x", "w"), weights={"w": np.float32([2, 192])}), "wrong"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_models_are_answered(name):
    wrong, words = WRONG[name]
    _, _, text = errors_of(wrong.SerializeToString())
    assert any(word in text for word in words.split("|")), text


@pytest.mark.parametrize("data", [b"", b"no model", bytes(range(256)), b"\x08\x07\x3a\xff\xff\xff\xff\x0f"])
def test_bytes_that_are_no_model(data):
    code, place, _ = errors_of(data)
    assert (code, place) == ("MODEL_DESERIALIZE_FAILED", -1)


def test_a_folder_is_no_model(tmp_path):
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert not parser.parse_from_file(str(tmp_path))
    assert str(tmp_path) in parser.get_error(0).desc()


def test_damaged_models_raise_nothing_and_pass_only_where_onnx_passes_them():
    """Every byte of a model in turn is another: what onnx's checker refuses is refused."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Softmax", ["c"], ["s"], "soft", axis=1),
        helper.make_node("Reshape", ["s", "t"], ["y"], "flat"),
    ]
    weights = {"w": KERNEL[:1], "t": np.array([2, -1])}
    whole = model(*nodes, weights=weights, output=(FLOAT, (2, 64))).SerializeToString()
    taken = 0
    for place in range(0, len(whole), 3):
        damaged = whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :]
        parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
        if parser.parse(damaged):
            taken += 1
            onnx.checker.check_model(onnx.load_from_string(damaged))
    assert 0 < taken < len(whole) // 3  # floats of the kernel may be others


def test_the_first_error_is_tensorrts_and_names_its_node():
    relu = helper.make_node("Relu", ["x"], ["a"], "fine")
    hard = helper.make_node("Hardmax", ["a"], ["y"], "hard")
    code, place, text = errors_of(model(relu, hard).SerializeToString())
    assert (code, place) == ("UNSUPPORTED_NODE", 1)
    words = "Plugin not found, are the plugin name, version, and namespace correct?"
    assert text.startswith(f"node 1, 'hard' (Hardmax): {words}")
    assert "beyond_tensorrt" in text


def test_supports_model_tells_the_runs_of_nodes_between_those_refused():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "first"),
        helper.make_node("Hardmax", ["a"], ["b"], "hard"),
        helper.make_node("Relu", ["x"], ["y"], "second"),
    ]
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    taken, runs = parser.supports_model(model(*nodes).SerializeToString())
    assert (taken, runs) == (False, [([0], False), ([2], False)])
    assert parser.network.num_layers == 0
    assert parser.supports_model(model(node("Relu")).SerializeToString()) == (True, [([0], True)])


def test_supports_model_counts_no_node_for_the_input_that_it_lacks():
    """As TensorRT's importer does, so that Polygraphy can cut the model there; two are at fault, two follow one."""
    nodes = [
        helper.make_node("Hardmax", ["x"], ["a"], "hard"),
        helper.make_node("Add", ["x", "a"], ["b"], "follows"),
        helper.make_node("Hardmax", ["b"], ["c"], "hard too"),
        helper.make_node("Relu", ["c"], ["y"], "follows too"),
    ]
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert parser.supports_model(model(*nodes).SerializeToString()) == (False, [([1], False), ([3], False)])


def test_what_tensorrt_does_not_promise_it_takes_all_the_same():
    """Sizes of what these give depend on values, so that who cuts a model is to keep them out."""
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("NonZero", ["a"], ["y"])]
    data = model(*nodes, output=(INT64, None)).SerializeToString()
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert parser.supports_model(data) == (False, [([0], False)])
    assert parser.num_errors == 0
    assert parser.parse(data)
    names = ("NonMaxSuppression", "NonZero", "RoiAlign", "BatchedNMS_TRT", "EfficientNMS_TRT", "Conv")
    assert [parser.supports_operator(name) for name in names] == [False, False, False, False, True, True]
    parser.beyond_tensorrt = True
    assert parser.supports_operator("NonZero")


def test_supports_model_leaves_out_what_reads_a_wrong_input():
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Cast", ["w"], ["b"], to=FLOAT)]
    wrong = model(*nodes, helper.make_node("Add", ["a", "b"], ["y"]))
    wrong.graph.input.append(helper.make_tensor_value_info("w", TensorProto.INT16, [1]))
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert parser.supports_model(wrong.SerializeToString()) == (False, [([0], False), ([2], False)])
    error = parser.get_error(0)
    assert (error.code(), error.node(), error.file()) == (trt.ErrorCode.UNSUPPORTED_NODE, -1, "w")


def test_a_model_with_weight_descriptors_goes_behind_what_is_there():
    network = trt.Builder(QUIET).create_network(1)
    network.add_activation(network.add_input("before", trt.float32, (2,)), trt.ActivationType.RELU)
    parser = trt.OnnxParser(network, QUIET)
    assert not parser.parse(model(node("Relu")).SerializeToString())
    assert parser.parse_with_weight_descriptors(model(node("Relu")).SerializeToString())
    assert [network.num_layers, network.num_inputs] == [2, 2]


@pytest.mark.parametrize("broken", ["gone", "short", "a folder"])
def test_weights_in_another_file_that_cannot_be_read(tmp_path, broken):
    path, weights = tmp_path / "m.onnx", tmp_path / "w.bin"
    whole = model(node("Add", "x", "w"), weights={"w": np.ones(8, np.float32)})
    onnx.save(whole, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    data = path.read_bytes()
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert parser.supports_model(data, str(path))[0]
    weights.unlink()
    if broken == "short":
        weights.write_bytes(b"1234")
    elif broken == "a folder":
        weights.mkdir()
    for parse in (lambda: parser.parse_from_file(str(path)), lambda: parser.parse(data, str(path))):
        parser.clear_errors()
        assert parse() is False
        error = parser.get_error(0)
        assert (error.code(), error.node()) == (trt.ErrorCode.UNSUPPORTED_NODE, -1)
        assert error.desc().startswith(f"Failed to import initializer. {path}: its weights lie in another file")


def test_what_is_no_buffer_is_a_type_error():
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    for data in ("text", 5, None):
        with pytest.raises(TypeError):
            parser.parse(data)
    assert parser.parse(memoryview(model(node("Relu")).SerializeToString()))


def test_a_network_takes_one_model():
    parser = trt.OnnxParser(trt.Builder(QUIET).create_network(1), QUIET)
    assert parser.parse(model(node("Relu")).SerializeToString())
    assert not parser.parse(model(node("Relu")).SerializeToString())
    assert "non-empty network" in parser.get_error(0).desc()
