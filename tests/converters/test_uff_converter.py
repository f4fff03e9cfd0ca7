"""TensorFlow to UFF: the whole of a LeNet, constants, custom nodes, options, and what cannot be converted."""

import os
import re
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_graphs import constant, frozen, lenet, normal, v1
from uff_conversions import FLOAT, INT, Converted, convert, picture

from trtflow.converters.uff import from_tensorflow, from_tensorflow_frozen_model
from trtflow.converters.uff.command import main
from trtflow.formats import FormatError, UserError
from trtflow.formats.uff import read_uff, value_of
from trtflow.graphsurgeon import create_node, create_plugin_node

ROOT = Path(__file__).resolve().parents[2]


def test_lenet_is_as_in_nvidias_file():
    uff = convert(lenet)
    found = [(node.id, node.operation, list(node.inputs)) for node in uff.nodes.values() if node.operation != "Const"]
    assert found == [
        ("MarkOutput_0", "MarkOutput", ["out"]),
        ("out", "Binary", ["matmul2", "bout"]),
        ("matmul2", "FullyConnected", ["Relu_2", "wout"]),
        ("Relu_2", "Activation", ["add1"]),
        ("add1", "Binary", ["matmul1", "bd1"]),
        ("matmul1", "FullyConnected", ["reshape1", "wd1"]),
        ("reshape1", "Reshape", ["maxpool2", "reshape1/shape"]),
        ("maxpool2", "Pool", ["Relu_1"]),
        ("Relu_1", "Activation", ["conv2_bias"]),
        ("conv2_bias", "Binary", ["conv2", "bc2"]),
        ("conv2", "Conv", ["maxpool1", "wc2"]),
        ("maxpool1", "Pool", ["Relu"]),
        ("Relu", "Activation", ["conv1_bias"]),
        ("conv1_bias", "Binary", ["conv1", "bc1"]),
        ("conv1", "Conv", ["in", "wc1"]),
        ("in", "Input", []),
    ]
    assert uff.fields("in") == {"dtype": FLOAT, "shape": []}
    assert uff.fields("conv1") == {"strides": [1, 1], "dilation": [1, 1], "inputs_orders": "orders_N+C_+CK"}
    assert uff.fields("maxpool1") == {
        "func": "max",
        "kernel": [2, 2],
        "strides": [2, 2],
        "inputs_orders": "orders_N+C",
    }
    assert uff.fields("matmul1") == {"inputs_orders": "orders_NC_CK"}
    assert uff.fields("wc1") == {"dtype": FLOAT, "shape": [5, 5, 1, 20]}
    assert uff.array("wc1").size == 500
    np.testing.assert_array_equal(uff.array("reshape1/shape"), [-1, 800])
    assert uff.array("reshape1/shape").dtype == INT
    graph = uff.graph
    assert (graph.version, graph.descriptor_core_version, graph.graphs[0].id) == (1, 1 + 1, "main")
    assert [(item.id, item.version, item.optional) for item in graph.descriptors] == [
        ("tensorflow_extension", 1, False)
    ]
    orders = {key for key in graph.referenced_data if key.startswith("orders_")}
    assert orders == {"orders_N+C", "orders_N+C_+CK", "orders_NC_CK"}


def test_what_depends_on_no_input_is_computed_ahead():
    def build():
        data = picture()
        moments = tf.math.rsqrt(constant("variance", 4) ** 2 + 0.001) * constant("gamma", 4)
        left, right = tf.split(tf.range(8.0), 2)
        tf.add(tf.add(data * moments, left), right, name="out")

    uff = convert(build, strict=True)
    assert {node.operation for node in uff.nodes.values()} == {"MarkOutput", "Binary", "Const", "Input"}
    values = [uff.array(uff.nodes[name].inputs[1]) for name in ("out", uff.nodes["out"].inputs[0])]
    np.testing.assert_array_equal(values, [[4, 5, 6, 7], [0, 1, 2, 3]])


def test_sizes_of_a_known_shape_are_computed_ahead():
    def build():
        data = picture(1, 8, 8, 4)
        height = tf.cast(tf.shape(data)[1], tf.float32)
        tf.divide(data, height, name="out")

    uff = convert(build, strict=True)
    assert uff.array(uff.nodes["out"].inputs[1]) == 8


def test_random_numbers_are_not_computed_ahead(capsys):
    uff = convert(lambda: tf.add(picture(), tf.random.uniform((4,), seed=1), name="out"))
    assert "_RandomUniform" in {node.operation for node in uff.nodes.values()}
    assert "RandomUniform" in capsys.readouterr().err


def test_a_number_given_by_default_is_taken_and_a_picture_is_an_input():
    def build():
        rate = v1.placeholder_with_default(2.0, (), name="rate")
        data = v1.placeholder_with_default(np.zeros((1, 4), np.float32), (None, 4), name="in")
        tf.multiply(data, rate, name="out")

    uff = convert(build)
    assert {name: node.operation for name, node in uff.nodes.items() if name in ("in", "rate")} == {
        "in": "Input",
        "rate": "Const",
    }
    assert uff.fields("in")["shape"] == [-1, 4]


def test_nodes_without_effect_are_left_out():
    def build():
        data = picture()
        checked = v1.check_ops.assert_positive(data) if hasattr(v1, "check_ops") else v1.assert_positive(data)
        with tf.control_dependencies([checked]):
            passed = tf.identity(tf.debugging.check_numerics(tf.stop_gradient(data), "bad"))
        tf.nn.relu(passed, name="out")

    uff = convert(build)
    assert list(uff.nodes) == ["MarkOutput_0", "out", "in"]


def test_wide_numbers_become_narrow():
    def build():
        tf.gather(picture(), tf.constant([1, 2**40], tf.int64), axis=1, name="picked")
        tf.cast(tf.cast(picture(name="x"), tf.float64) * tf.constant(0.5, tf.float64), tf.float32, name="half")

    uff = convert(build, ["picked", "half"])
    arrays = {name: uff.array(name) for name, node in uff.nodes.items() if node.operation == "Const"}
    assert {array.dtype for array in arrays.values()} == {INT, FLOAT}
    assert [array[1] for array in arrays.values() if array.ndim] == [2**31 - 1]
    assert uff.fields("picked")["indices_dtype"] == INT


def unknown():
    """Two nodes of one operation and one of another that UFF lacks."""
    data = tf.raw_ops.Erf(x=tf.raw_ops.Erf(x=picture(), name="erf1"), name="erf2")
    tf.raw_ops.MaxPoolWithArgmax(input=data, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID", name="out")


def test_unknown_operation_becomes_a_custom_one(capsys):
    uff = convert(unknown)
    assert uff.nodes["erf1"].operation == "_Erf"
    assert uff.fields("erf1") == {"T": FLOAT}
    fields = uff.fields("out")
    assert fields.pop("Targmax", "none") == np.dtype(np.int64)
    assert fields == {
        "T": FLOAT,
        "include_batch_in_index": False,
        "ksize": [1, 2, 2, 1],
        "padding": "b'VALID'",
        "strides": [1, 2, 2, 1],
    }
    assert [item.id for item in uff.graph.descriptors] == ["tensorflow_extension", "custom"]
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == [
        "warning: UFF has no operation MaxPoolWithArgmax; custom nodes _MaxPoolWithArgmax: out",
        "warning: UFF has no operation Erf; custom nodes _Erf: erf2, erf1",
    ]


def test_unknown_operation_under_strict():
    with pytest.raises(UserError, match=r"node 'out' \(MaxPoolWithArgmax\): UFF has no such operation.*graphsurgeon"):
        convert(unknown, strict=True)


def test_plugin_keeps_its_fields_with_their_types(capsys):
    graphdef = frozen(lambda: picture(1, 8, 8, 4))
    graphdef.node.append(
        create_plugin_node(
            "clip", "CustomClipPlugin", inputs=["in"], clipMin=0.0, clipMax=6.0, order=[0, 2, 1], label="x", flag=True
        )
    )
    uff = Converted(from_tensorflow(graphdef, ["clip"], strict=True))
    assert uff.nodes["clip"].operation == "_CustomClipPlugin"
    fields = uff.fields("clip")
    assert fields["clipMin_u_float"] == 0.0
    assert fields["clipMax_u_float"] == 6.0
    assert fields["order_u_ilist"] == [0, 2, 1]
    assert fields["flag_u_int"] == 1
    assert capsys.readouterr().err == ""


def test_concat_as_graphsurgeon_makes_it():
    """An axis as an attribute, as uff_ssd's config.py has it; TensorFlow could not take such a node."""
    graphdef = frozen(lambda: tf.nn.relu(picture(1, 8, 8, 4), name="relu"))
    graphdef.node.append(create_node("concat", op="ConcatV2", inputs=["relu", "in"], dtype=tf.float32, axis=2))
    uff = Converted(from_tensorflow(graphdef, quiet=True, strict=True))
    assert (uff.nodes["concat"].operation, uff.fields("concat")) == ("Concat", {"axis": 2})
    assert list(uff.nodes["concat"].inputs) == ["relu", "in"]


def test_shapes_are_known_beside_a_plugin():
    def build():
        data = picture()
        tf.concat([data, tf.nn.relu(data)], -1, name="joined")
        tf.nn.relu(v1.placeholder(tf.float32, (), name="rois"), name="behind")

    graphdef = frozen(build)
    plugin = create_plugin_node("rois", "RPROI_TRT", inputs=["joined"], poolingH=7)
    next(node for node in graphdef.node if node.name == "rois").CopyFrom(plugin)
    uff = Converted(from_tensorflow(graphdef, ["behind"], quiet=True, strict=True))
    assert uff.fields("joined") == {"axis": 3}
    assert list(uff.nodes["behind"].inputs) == ["rois"]


def test_later_output_of_a_node():
    def build():
        _, places = tf.math.top_k(picture(None, 10), 3, name="top")
        tf.add(tf.cast(places, tf.float32), 1.0, name="out")

    uff = convert(build)
    assert any(list(node.inputs) == ["top_1"] for node in uff.nodes.values())


def test_later_output_whose_name_is_taken():
    def build():
        _, places = tf.math.top_k(picture(None, 10), 3, name="top")
        tf.add(tf.cast(places, tf.float32), tf.constant(normal(3), name="top_1"), name="out")

    with pytest.raises(UserError, match="top:1 top_1, which is the name of another node"):
        convert(build)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: tf.pad(picture(), [(1, 1)] * 4, "REFLECT", name="out"), "pads with other values than 0"),
        (lambda: tf.pad(picture(), [(1, 1)] * 4, constant_values=1, name="out"), "pads with other values than 0"),
        (
            lambda: tf.matmul(picture(2, 2), picture(2, 2, name="b"), name="out"),
            "its second matrix, 'b', is not constant",
        ),
        (lambda: tf.gather(picture(), [[0]], axis=1, batch_dims=1, name="out"), "gathers for each element"),
        (
            lambda: v1.nn.conv2d(picture(), constant("w", 3, 3, 4, 6), 1, [(0, 0), (0, 1), (0, 0), (0, 0)], name="out"),
            "differs from side to side",
        ),
        (lambda: tf.tile(picture(), [2, 1, 1, 1], name="out"), "cannot repeat the batch"),
    ],
)
def test_what_uff_cannot_say_is_named(build, message):
    with pytest.raises(UserError, match=f"node '.*{re.escape(message)}"):
        convert(build)


def test_variable_is_refused():
    def build():
        tf.add(picture(), v1.Variable(np.float32(1), name="v", use_resource=False, trainable=False), name="out")

    with pytest.raises(UserError, match=r"node 'v' \(VariableV2\): it is a variable. Freeze the graph"):
        convert(build)


def test_outputs_are_those_that_no_other_reads():
    def build():
        data = picture()
        tf.nn.relu(data, name="first")
        tf.nn.sigmoid(data, name="second")
        v1.placeholder(tf.float32, (), name="keep_prob")

    data, inputs, outputs = from_tensorflow(frozen(build), quiet=True, return_graph_info=True)
    assert [node.inputs[0] for node in Converted(data).graph.graphs[0].nodes[:2]] == ["first", "second"]
    assert ([node.name for node in inputs], [node.name for node in outputs]) == (["in"], ["first", "second"])


def test_output_that_is_not_there():
    with pytest.raises(UserError, match=r"no node 'Output' in the graph. Close to it are .*out.*convert-to-uff -l"):
        convert(lambda: tf.nn.relu(picture(), name="out"), ["Output"])


def test_option_that_nvidias_passes_over_is_told(capsys):
    """Polygraphy's `--uff` gives `save_preprocessed`, which NVIDIA's converter never had."""
    given = convert(lambda: tf.nn.relu(picture(), name="out"), save_preprocessed="x", more=1)
    assert given.nodes.keys() == {"MarkOutput_0", "out", "in"}
    first, second = capsys.readouterr().err.splitlines()
    assert first == (
        "warning: from_tensorflow has no option 'save_preprocessed', and passes it over as NVIDIA's does. "
        "Did you mean write_preprocessed?"
    )
    assert second.startswith("warning: from_tensorflow has no option 'more'")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.pb"
    path.write_bytes(
        frozen(lambda: tf.nn.relu(tf.multiply(picture(), 2.0, name="scaled"), name="out")).SerializeToString()
    )
    return path


def test_command(model, capsys):
    main(arguments=[str(model), "-t", "-O", "out", "--write_preprocessed", "-d"])
    shown = capsys.readouterr().out
    assert "Activation out <- scaled" in shown
    assert 'operation: "Activation"' in shown
    assert model.with_suffix(".pbtxt").read_text() in shown
    assert [node.id for node in read_uff(model.with_suffix(".uff")).graphs[0].nodes][:2] == ["MarkOutput_0", "out"]
    written = v1.GraphDef.FromString(model.with_suffix(".preprocessed.pb").read_bytes())
    assert [node.name for node in written.node] == ["in", "scaled/y", "scaled", "out"]


def test_command_sets_an_input(model, tmp_path):
    main(arguments=[str(model), "-q", "-o", str(tmp_path / "x.uff"), "-I", "scaled,data,float32,-1,3,8,8"])
    nodes = read_uff(tmp_path / "x.uff").graphs[0].nodes
    assert [(node.id, node.operation, list(node.inputs)) for node in nodes] == [
        ("MarkOutput_0", "MarkOutput", ["out"]),
        ("out", "Activation", ["data"]),
        ("data", "Input", []),
    ]
    assert value_of(nodes[2].fields["shape"]) == [-1, 3, 8, 8]


def test_command_lists_nodes(model, capsys):
    main(arguments=[str(model), "-l"])
    assert capsys.readouterr().out.splitlines() == [
        '1 Placeholder: "in"',
        '2 Const: "scaled/y"',
        '3 Mul: "scaled"',
        '4 Relu: "out"',
    ]
    assert not model.with_suffix(".uff").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("scaled,data", "is no input: write name,new_name,dtype"),
        ("scaled,data,float31,1", "is no input: write name,new_name,dtype"),
        ("scaled,out,float32,1", "has a node 'out' already"),
        ("scale,data,float32,1", "no node 'scale' in the graph. Close to it are scaled"),
    ],
)
def test_command_with_an_input_that_is_none(model, setting, message):
    with pytest.raises(UserError, match=message):
        main(arguments=[str(model), "-q", "-I", setting])


def test_command_with_a_preprocessor(model, tmp_path):
    config = tmp_path / "config.py"
    config.write_text(
        "import graphsurgeon as gs\n"
        "import tensorflow as tf\n"
        "plugin = gs.create_plugin_node(name='double', op='Double_TRT', dtype=tf.float32, factor=2)\n"
        "def preprocess(dynamic_graph):\n"
        "    dynamic_graph.collapse_namespaces({'scaled': plugin})\n"
    )
    main(arguments=[str(model), "-q", "-p", str(config), "-O", "out", "--strict"])
    nodes = {node.id: node for node in read_uff(model.with_suffix(".uff")).graphs[0].nodes}
    assert nodes["double"].operation == "_Double_TRT"
    assert value_of(nodes["double"].fields["factor_u_int"]) == 2
    assert list(nodes["out"].inputs) == ["double"]
    assert "graphsurgeon" not in sys.modules


@pytest.mark.parametrize(("text", "message"), [("x = 1\n", "no function preprocess"), (None, "no such file")])
def test_command_with_a_preprocessor_that_is_none(model, tmp_path, text, message):
    if text is not None:
        (tmp_path / "config.py").write_text(text)
    with pytest.raises(UserError, match=f"config.py.*{message}"):
        main(arguments=[str(model), "-q", "-p", str(tmp_path / "config.py")])


@pytest.mark.parametrize("data", [b"", b"no graph at all", b"\x08\x01\x10\x02"])
def test_file_that_is_no_frozen_graph(tmp_path, data):
    (tmp_path / "model.pb").write_bytes(data)
    with pytest.raises(FormatError, match="model.pb.*(freeze|Freeze)"):
        from_tensorflow_frozen_model(tmp_path / "model.pb")
