"""graphsurgeon: searching, changing, collapsing, and nodes for plugins, as users' config.py files call it."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import tensorflow as tf

import trtflow.graphsurgeon as gs
from trtflow.converters.uff import from_tensorflow
from trtflow.formats import FormatError
from trtflow.formats.uff import value_of
from trtflow.formats.uff.files import parsed
from trtflow.nvidia import nvidia_names


def small_graph():
    """x -> block/conv -> block/bias -> block/relu -> Identity -> two heads."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [1, 8, 8, 3], name="x")
        with tf.name_scope("block"):
            value = tf.nn.conv2d(x, tf.ones([3, 3, 3, 4]), 1, "SAME", name="conv")
            value = tf.nn.relu(tf.nn.bias_add(value, tf.zeros([4]), name="bias"), name="relu")
        value = tf.identity(value, name="pass")
        tf.nn.softmax(value, name="head/softmax")
        tf.reduce_mean(value, [1, 2], name="head/mean")
    return graph.as_graph_def()


def names(nodes):
    return [node.name for node in nodes]


def run(graph, feeds, output):
    """Return what TensorFlow computes for a node of a graph."""
    with tf.Graph().as_default() as imported, tf.compat.v1.Session(graph=imported) as session:
        tf.import_graph_def(graph.as_graph_def(), name="")
        return session.run(f"{output}:0", {f"{name}:0": value for name, value in feeds.items()})


def test_searches():
    graph = gs.StaticGraph(small_graph())
    assert names(graph.graph_inputs) == ["x"]
    assert sorted(names(graph.graph_outputs)) == ["head/mean", "head/softmax"]
    assert names(graph.find_nodes_by_op("Relu")) == ["block/relu"]
    assert names(graph.find_nodes_by_op(["Relu", "BiasAdd"])) == ["block/bias", "block/relu"]
    relu = graph.node_map["block/relu"]
    assert names(graph.find_node_inputs(relu)) == ["block/bias"]
    assert names(graph.find_node_inputs_by_op(relu, "Conv2D")) == []
    assert names(graph.find_node_inputs_by_op(graph["block/bias"], {"Conv2D", "Const"})) == [
        "block/conv",
        "block/zeros",
    ]
    assert names(graph.find_node_inputs_by_name(graph["block/bias"], "con.*")) == ["block/conv"]
    assert names(graph.node_outputs["pass"]) == ["head/softmax", "head/mean"]
    (chain,) = graph.find_node_chains_by_op(["Conv2D", "BiasAdd", ["Relu", "Relu6"]])
    assert names(chain) == ["block/conv", "block/bias", "block/relu"]


def test_a_name_is_matched_without_its_namespaces_and_a_path_with_them():
    graph = gs.StaticGraph(small_graph())
    assert names(graph.find_nodes_by_name("relu")) == ["block/relu"]
    assert names(graph.find_nodes_by_name(["bias", "sof.*"])) == ["block/bias", "head/softmax"]
    assert names(graph.find_nodes_by_name("block/relu")) == names(graph.find_nodes_by_name("el")) == []
    assert names(graph.find_nodes_by_path("block/relu")) == ["block/relu"]
    assert names(graph.find_nodes_by_path("block/[br].*")) == ["block/bias", "block/relu"]
    assert names(graph.find_nodes_by_path({"relu", "block"})) == []


def test_a_graph_is_a_sequence_of_its_nodes():
    graph = gs.StaticGraph(small_graph())
    assert len(graph) == len(list(graph)) == len(graph.as_graph_def().node)
    assert graph["pass"].name == "pass"
    assert graph[0].name == "x"
    assert names(gs.DynamicGraph(graph)) == names(graph)


def test_nodes_are_the_graphs_own_and_stay_so():
    given = small_graph()
    graph = gs.DynamicGraph(given)
    softmax = graph["head/softmax"]
    graph.remove(graph["head/mean"], remove_exclusive_dependencies=True)
    graph.forward_inputs(graph.find_nodes_by_op("Identity"))
    graph.collapse_namespaces({"block": gs.create_plugin_node("plugin", op="Block_TRT")})
    softmax.attr["axis"].i = 7
    written = {node.name: node for node in graph.as_graph_def().node}
    assert written["head/softmax"].attr["axis"].i == 7
    assert list(written["head/softmax"].input) == ["plugin"]
    assert len(given.node) == len(small_graph().node)


def test_a_node_that_hangs_alone_is_no_output():
    graph = gs.DynamicGraph(small_graph())
    graph.append(gs.create_plugin_node("alone", op="GridAnchor_TRT"))
    assert sorted(names(graph.graph_outputs)) == ["head/mean", "head/softmax"]


def test_forwarding_inputs_takes_a_node_out():
    graph = gs.DynamicGraph(small_graph())
    graph.forward_inputs(graph.find_nodes_by_op("Identity"))
    assert "pass" not in graph.node_map
    assert list(graph.node_map["head/softmax"].input) == ["block/relu"]


def chain_with_control_inputs():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [2], name="x")
        again = tf.identity(tf.identity(x, name="first"), name="second")
        with tf.control_dependencies([again]):
            tf.identity(x, name="waits")
        tf.add(again, again, name="sum")
    return gs.DynamicGraph(graph)


def test_forwarding_a_chain_and_what_waits_for_it():
    graph = chain_with_control_inputs()
    graph.forward_inputs(graph.find_nodes_by_op("Identity"))
    assert {node.name: list(node.input) for node in graph} == {"x": [], "waits": ["x", "^x"], "sum": ["x", "x"]}


def test_removing_with_exclusive_dependencies():
    graph = gs.DynamicGraph(small_graph())
    graph.remove(graph.node_map["head/mean"], remove_exclusive_dependencies=True)
    assert "head/mean/reduction_indices" not in graph.node_map
    assert "pass" in graph.node_map
    graph.remove(graph.node_map["pass"])
    assert list(graph.node_map["head/softmax"].input) == []


def test_collapsing_takes_the_longest_namespace_and_the_inputs_from_outside():
    graph = gs.DynamicGraph(small_graph())
    outer, inner = gs.create_plugin_node("outer", op="Outer_TRT"), gs.create_plugin_node("inner", op="Inner_TRT")
    graph.collapse_namespaces({"block": outer, "block/conv": inner})
    assert list(graph.node_map["outer"].input)[:1] == ["inner"]
    assert "x" in graph.node_map["inner"].input
    assert list(graph.node_map["pass"].input) == ["outer"]
    assert not any(name.startswith("block") for name in graph.node_map)


def test_collapsing_leaves_excluded_nodes():
    graph = gs.DynamicGraph(small_graph())
    kept = graph.node_map["block/relu"]
    graph.collapse_namespaces({"block": gs.create_plugin_node("plugin")}, exclude_nodes=[kept])
    assert list(graph.node_map["block/relu"].input) == ["plugin"]


def two_heads():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [1, 4], name="x")
        halves = tf.split(x, 2, axis=1, name="halves")
        tf.concat([x, x, tf.nn.relu6(halves[0], name="a"), tf.nn.relu6(halves[1], name="b")], 1, name="all")
    return gs.DynamicGraph(graph)


def test_a_node_that_stays_reads_all_else_as_it_did():
    graph = two_heads()
    graph.collapse_namespaces({"halves": gs.create_plugin_node("plugin", op="Halves_TRT")})
    assert list(graph["all"].input) == ["x", "x", "a", "b", "all/axis"]
    assert list(graph["a"].input) == list(graph["b"].input) == ["plugin"]


@pytest.mark.parametrize(("unique", "inputs"), [(True, ["halves", "halves:1"]), (False, ["halves", "halves:1", "x"])])
def test_inputs_once_or_as_often_as_they_were_read(unique, inputs):
    graph = two_heads()
    clip = gs.create_plugin_node("clip", op="Clip_TRT", inputs=["halves"] if unique else ["halves", "x"])
    graph.collapse_namespaces({"a": clip, "b": clip}, unique_inputs=unique)
    assert sorted(set(graph["clip"].input)) == inputs
    assert len(graph["clip"].input) == (2 if unique else 4)
    assert list(graph["all"].input) == ["x", "x", "clip", "all/axis"]


def test_collapsing_into_a_node_of_an_earlier_call():
    graph = two_heads()
    for name in ("a", "b"):
        graph.collapse_namespaces({name: gs.create_plugin_node("clip", op="Clip_TRT")})
    assert list(graph["clip"].input) == ["halves", "halves:1"]
    with pytest.raises(ValueError, match=r"'all' \(ConcatV2\) is in the graph already"):
        graph.collapse_namespaces({"clip": gs.create_plugin_node("all", op="Clip_TRT")})


def test_plugin_attributes_carry_their_types():
    node = gs.create_plugin_node(
        "nms",
        op="NMS_TRT",
        topK=100,
        share=True,
        score=0.5,
        order=[0, 2, 1],
        sizes=[0.2, 1],
        mode="a",
        dtype=tf.float32,
    )
    attributes = {key: node.attr[key].WhichOneof("value") for key in node.attr}
    assert attributes == {
        "topK_u_int": "i",
        "share_u_int": "i",
        "score_u_float": "f",
        "order_u_ilist": "list",
        "sizes_u_flist": "list",
        "mode_u_str": "s",
        "dtype": "type",
    }
    assert list(node.attr["sizes_u_flist"].list.f) == [pytest.approx(0.2), 1.0]


def test_plain_nodes():
    node = gs.create_node("Input", op="Placeholder", dtype=tf.float32, shape=[1, 3, None, 300], inputs=["a", "b"])
    assert gs.shape(node) == (1, 3, -1, 300)
    assert list(node.input) == ["a", "b"]
    gs.update_node(node, name="other", axis=2)
    assert (node.name, node.op, node.attr["axis"].i) == ("other", "Placeholder", 2)
    gs.update_node(node, shape=[5], T=tf.int32, inputs=[gs.create_node("c")])
    assert (gs.shape(node), node.attr["T"].type, list(node.input)) == ((5,), tf.int32.as_datatype_enum, ["a", "b", "c"])
    with pytest.raises(TypeError, match="attribute 'limits': .* is no number, text, array or list of numbers"):
        gs.create_plugin_node("clip", op="Clip_TRT", limits={"min": 0})


def test_constants_from_arrays():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    node = gs.create_node("anchors", op="Const", value=array)
    np.testing.assert_array_equal(gs.extract_numpy_array(node), array)
    graph = gs.DynamicGraph()
    graph.append(node)
    np.testing.assert_array_equal(run(graph, {}, "anchors"), array)


def test_files(tmp_path):
    graph = gs.DynamicGraph(small_graph())
    for name in ("a.pb", "b.pb"):
        graph.write(tmp_path / name)
    assert (tmp_path / "a.pb").read_bytes() == (tmp_path / "b.pb").read_bytes()
    assert list(gs.StaticGraph(tmp_path / "a.pb").node_map) == list(graph.node_map)
    (tmp_path / "c.pb").write_bytes(b"\xff" * 40)
    with pytest.raises(FormatError, match=r"c.pb: not a TensorFlow graph"):
        gs.StaticGraph(tmp_path / "c.pb")
    graph.append(gs.create_plugin_node("unknown", op="Unknown_TRT"))
    graph.write_tensorboard(tmp_path / "logs")
    assert len(list((tmp_path / "logs").iterdir())) == 1


def test_a_name_that_is_taken_is_refused():
    graph = gs.DynamicGraph(small_graph())
    with pytest.raises(ValueError, match="'pass' is in the graph already"):
        graph.append(gs.create_node("pass", op="Identity"))


def softmax_of_tensorflow_1(*, constant):
    """What TensorFlow 1 writes for a softmax of more than two axes: Sub, Pack, Slice, ConcatV2, Reshape, Softmax."""
    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4, 5], name="x")
        last = tf.slice(tf.shape(x), [tf.subtract(3, 1, name="Sub")], [1])
        rows = [-1, 5] if constant else tf.concat([[-1], last], 0)
        value = tf.reshape(tf.nn.softmax(tf.reshape(x, rows, name="rows"), name="softmax"), tf.shape(x), name="back")
        tf.nn.relu(value, name="out")
    return v1.graph_util.extract_sub_graph(graph.as_graph_def(), ["out"])


@pytest.mark.parametrize("constant", [True, False])
def test_softmax_of_matrices_is_unwrapped(constant):
    graph = softmax_of_tensorflow_1(constant=constant)
    dynamic = gs.DynamicGraph(graph)
    gs.extras.process_softmax(dynamic)
    assert {node.name: list(node.input) for node in dynamic} == {"x": [], "softmax": ["x"], "out": ["softmax"]}
    data = {"x": np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)}
    np.testing.assert_allclose(run(dynamic, data, "out"), run(gs.StaticGraph(graph), data, "out"), rtol=1e-6)


def test_softmax_between_other_reshapes_stays():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [2, 6], name="x")
        tf.reshape(tf.nn.softmax(tf.reshape(x, [-1, 3])), [2, 3, 2], name="back")
    dynamic = gs.DynamicGraph(graph)
    before = dynamic.as_graph_def().SerializeToString(deterministic=True)
    gs.extras.process_softmax(dynamic)
    assert dynamic.as_graph_def().SerializeToString(deterministic=True) == before


def dilated(pads, crops, size=12):
    graph = tf.Graph()
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype(np.float32)
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [1, size, size, 2], name="x")
        padded = tf.space_to_batch(x, [2, 2], pads, name="to_batch")
        value = tf.nn.conv2d(padded, kernel, 1, "VALID", name="conv")
        tf.nn.relu(tf.batch_to_space(value, [2, 2], crops, name="to_space"), name="relu")
    return graph


@pytest.mark.parametrize(
    ("size", "pads", "crops", "padding"),
    [
        (12, [[2, 2], [2, 2]], [[0, 0], [0, 0]], b"SAME"),
        (13, [[2, 3], [2, 3]], [[0, 1], [0, 1]], b"SAME"),
        (12, [[0, 0], [0, 0]], [[0, 0], [0, 0]], b"VALID"),
        (13, [[0, 1], [0, 1]], [[0, 1], [0, 1]], b"VALID"),
    ],
)
def test_dilated_convolution_becomes_one(size, pads, crops, padding):
    graph = gs.StaticGraph(dilated(pads, crops, size))
    dynamic = gs.DynamicGraph(graph)
    gs.extras.process_dilated_conv(dynamic)
    assert sorted(node.op for node in dynamic) == ["Const", "Conv2D", "Placeholder", "Relu"]
    assert dynamic["to_space"].attr["padding"].s == padding
    data = {"x": np.random.default_rng(1).normal(size=(1, size, size, 2)).astype(np.float32)}
    np.testing.assert_allclose(run(dynamic, data, "relu"), run(graph, data, "relu"), rtol=1e-4, atol=1e-5)


def test_dilated_convolution_with_other_padding_stays():
    dynamic = gs.DynamicGraph(dilated([[1, 3], [1, 3]], [[0, 0], [0, 0]]))
    gs.extras.process_dilated_conv(dynamic)
    assert len(dynamic.find_nodes_by_op(["SpaceToBatchND", "Conv2D", "BatchToSpaceND"])) == 3


CONFIG = """
import graphsurgeon as gs
import tensorflow as tf

Input = gs.create_node("Input", op="Placeholder", dtype=tf.float32, shape=[1, 3, 300, 300])
PriorBox = gs.create_plugin_node(name="GridAnchor", op="GridAnchor_TRT", numLayers=6, minSize=0.2, maxSize=0.95,
    aspectRatios=[1.0, 2.0, 0.5, 3.0, 0.33], variance=[0.1, 0.1, 0.2, 0.2], featureMapShapes=[19, 10, 5, 3, 2, 1])
NMS = gs.create_plugin_node(name="NMS", op="NMS_TRT", shareLocation=1, varianceEncodedInTarget=0, backgroundLabelId=0,
    confidenceThreshold=1e-8, nmsThreshold=0.6, topK=100, keepTopK=100, numClasses=91, inputOrder=[0, 2, 1],
    confSigmoid=1, isNormalized=1)
concat_priorbox = gs.create_node(name="concat_priorbox", op="ConcatV2", dtype=tf.float32, axis=2)
concat_box_loc = gs.create_plugin_node("concat_box_loc", op="FlattenConcat_TRT", dtype=tf.float32, axis=1,
    ignoreBatch=0)
concat_box_conf = gs.create_plugin_node("concat_box_conf", op="FlattenConcat_TRT", dtype=tf.float32, axis=1,
    ignoreBatch=0)

namespace_plugin_map = {
    "MultipleGridAnchorGenerator": PriorBox,
    "Postprocessor": NMS,
    "Preprocessor": Input,
    "ToFloat": Input,
    "image_tensor": Input,
    "MultipleGridAnchorGenerator/Concatenate": concat_priorbox,
    "MultipleGridAnchorGenerator/Identity": concat_priorbox,
    "concat": concat_box_loc,
    "concat_1": concat_box_conf,
}

def preprocess(dynamic_graph):
    all_assert_nodes = dynamic_graph.find_nodes_by_op("Assert")
    dynamic_graph.remove(all_assert_nodes, remove_exclusive_dependencies=True)
    dynamic_graph.forward_inputs(dynamic_graph.find_nodes_by_op("Identity"))
    dynamic_graph.collapse_namespaces(namespace_plugin_map)
    dynamic_graph.remove(dynamic_graph.graph_outputs, remove_exclusive_dependencies=False)
"""

# What the configurations of later models add: NMS has three inputs, and an Input none.
CLEANING = """
    dynamic_graph.find_nodes_by_op("NMS_TRT")[0].input.remove("Input")
    dynamic_graph.find_nodes_by_name("Input")[0].input.remove("image_tensor:0")
"""


def detector():
    """A detector in small with the namespaces of TensorFlow's object detection models."""
    graph = tf.Graph()
    with graph.as_default():
        image = tf.compat.v1.placeholder(tf.uint8, [1, 300, 300, 3], name="image_tensor")
        image = tf.cast(image, tf.float32, name="ToFloat")
        with tf.name_scope("Preprocessor"):
            image = tf.multiply(image, 2 / 255)
            size = tf.cast(tf.shape(image, name="size"), tf.float32)
        with tf.name_scope("FeatureExtractor"):
            feature = tf.identity(tf.nn.conv2d(image, tf.ones([3, 3, 3, 4]), 16, "SAME"))
        with tf.name_scope("MultipleGridAnchorGenerator"):
            parts = [tf.add(tf.zeros([361, 4]), 1.0, name=name) for name in ("first", "second")]
            with tf.name_scope("Concatenate"):
                anchors = tf.concat(parts, 0)
        flat = tf.reshape(feature, [1, -1, 4])
        locations, scores = tf.concat([flat] * 2, 1, name="concat"), tf.concat([flat] * 2, 1, name="concat_1")
        with tf.name_scope("Postprocessor"):
            asserted = tf.raw_ops.Assert(condition=tf.reduce_all(size > 0.0), data=[size])
            with tf.control_dependencies([asserted]):
                boxes = tf.add(tf.reduce_sum(locations, 1), tf.reduce_sum(anchors))
            boxes = tf.add(boxes * size, tf.reduce_sum(scores, 1), name="boxes")
        tf.identity(boxes, name="detection_boxes")
        tf.add(boxes, 1.0, name="detection_scores")
    graphdef = graph.as_graph_def()
    cast = next(node for node in graphdef.node if node.name == "ToFloat")
    cast.input[0] = "image_tensor:0"  # as the graphs that TensorFlow's exporter has been over have it
    return graphdef


@pytest.mark.parametrize("addition", ["", CLEANING], ids=["sampleUffSSD", "later"])
def test_config_file_of_sample_uff_ssd_runs_as_it_is(tmp_path, addition):
    (tmp_path / "config.py").write_text(CONFIG.rstrip() + addition)
    data = from_tensorflow(detector(), ["NMS"], preprocessor=tmp_path / "config.py", quiet=True)
    nodes = {node.id: node for node in parsed(data, "test").graphs[0].nodes}
    assert nodes["NMS"].operation == "_NMS_TRT"
    boxes = ["concat_box_loc", "concat_priorbox", "concat_box_conf"]
    assert [name for name in nodes["NMS"].inputs if name != "Input"] == boxes
    assert ("Input" in nodes["NMS"].inputs) is (addition == "")
    assert value_of(nodes["NMS"].fields["inputOrder_u_ilist"]) == [0, 2, 1]
    assert list(nodes["concat_priorbox"].inputs) == ["GridAnchor"]
    assert value_of(nodes["GridAnchor"].fields["featureMapShapes_u_ilist"]) == [19, 10, 5, 3, 2, 1]
    assert value_of(nodes["GridAnchor"].fields["aspectRatios_u_flist"])[:3] == [1.0, 2.0, 0.5]
    assert (nodes["Input"].operation, list(nodes["Input"].inputs)) == ("Input", [])
    assert value_of(nodes["Input"].fields["shape"]) == [1, 3, 300, 300]
    assert not any("Identity" in node.operation or "Assert" in node.operation for node in nodes.values())


def test_nvidias_names_are_ours_only_for_a_while():
    with nvidia_names():
        import graphsurgeon  # noqa: PLC0415

        assert graphsurgeon.DynamicGraph is gs.DynamicGraph
    assert "graphsurgeon" not in sys.modules  # an import may find a folder of that name, this one for example
