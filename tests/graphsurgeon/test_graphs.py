"""graphsurgeon: searching, changing, collapsing, and nodes for plugins, as users' config.py files call it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import tensorflow as tf

import trtflow.graphsurgeon as gs
from trtflow.converters.nvidia_names import nvidia_names
from trtflow.converters.uff import from_tensorflow
from trtflow.formats import FormatError
from trtflow.formats.uff import value_of
from trtflow.formats.uff.files import parsed


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


def test_searches():
    graph = gs.StaticGraph(small_graph())
    assert names(graph.graph_inputs) == ["x"]
    assert sorted(names(graph.graph_outputs)) == ["head/mean", "head/softmax"]
    assert names(graph.find_nodes_by_op("Relu")) == ["block/relu"]
    assert names(graph.find_nodes_by_op(["Relu", "BiasAdd"])) == ["block/bias", "block/relu"]
    assert names(graph.find_nodes_by_name("block/(bias|relu)")) == ["block/bias", "block/relu"]
    assert set(names(graph.find_nodes_by_path("block"))) >= {"block/conv", "block/bias", "block/relu"}
    assert "pass" not in names(graph.find_nodes_by_path("block"))
    relu = graph.node_map["block/relu"]
    assert names(graph.find_node_inputs(relu)) == ["block/bias"]
    assert names(graph.find_node_inputs_by_op(relu, "Conv2D")) == []
    assert names(graph.node_outputs["pass"]) == ["head/softmax", "head/mean"]
    (chain,) = graph.find_node_chains_by_op(["Conv2D", "BiasAdd", ["Relu", "Relu6"]])
    assert names(chain) == ["block/conv", "block/bias", "block/relu"]


def test_forwarding_inputs_takes_a_node_out():
    graph = gs.DynamicGraph(small_graph())
    graph.forward_inputs(graph.find_nodes_by_op("Identity"))
    assert "pass" not in graph.node_map
    assert list(graph.node_map["head/softmax"].input) == ["block/relu"]


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
    assert gs.shape(node) == [1, 3, -1, 300]
    assert list(node.input) == ["a", "b"]
    gs.update_node(node, name="other", axis=2)
    assert (node.name, node.op, node.attr["axis"].i) == ("other", "Placeholder", 2)
    constant = small_graph().node[1]
    assert gs.extract_numpy_array(constant).shape == (3, 3, 3, 4)


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


def test_softmax_of_matrices_is_unwrapped():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 5], name="x")
        flat = tf.reshape(x, [-1, 5], name="flat")
        tf.reshape(tf.nn.softmax(flat, name="softmax"), tf.shape(x), name="back")
    dynamic = gs.DynamicGraph(graph)
    gs.extras.process_softmax(dynamic)
    assert list(dynamic.node_map["softmax"].input) == ["x"]
    assert "back" not in dynamic.node_map


def test_dilated_convolution_becomes_one():
    graph = tf.Graph()
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 2, 4)).astype(np.float32)
    data = rng.normal(size=(1, 12, 12, 2)).astype(np.float32)
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [1, 12, 12, 2], name="x")
        padded = tf.space_to_batch(x, [2, 2], [[2, 2], [2, 2]], name="to_batch")
        value = tf.nn.conv2d(padded, kernel, 1, "VALID", name="conv")
        tf.nn.relu(tf.batch_to_space(value, [2, 2], [[0, 0], [0, 0]], name="to_space"), name="relu")
    dynamic = gs.DynamicGraph(graph)
    gs.extras.process_dilated_conv(dynamic)
    assert [node.op for node in dynamic.find_nodes_by_op(["SpaceToBatchND", "BatchToSpaceND"])] == []
    changed = tf.Graph()
    with changed.as_default():
        tf.import_graph_def(dynamic.as_graph_def(), name="")
    results = []
    for each in (graph, changed):
        with tf.compat.v1.Session(graph=each) as session:
            results.append(session.run("relu:0", {"x:0": data}))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5)


CONFIG = """
import graphsurgeon as gs
import tensorflow as tf

Input = gs.create_node("Input", op="Placeholder", dtype=tf.float32, shape=[1, 3, 300, 300])
PriorBox = gs.create_plugin_node(name="GridAnchor", op="GridAnchor_TRT", numLayers=6, minSize=0.2,
    aspectRatios=[1.0, 2.0, 0.5], featureMapShapes=[19, 10])
NMS = gs.create_plugin_node(name="NMS", op="NMS_TRT", shareLocation=1, confidenceThreshold=1e-8, inputOrder=[0, 2, 1])
concat_box = gs.create_plugin_node("concat_box_loc", op="FlattenConcat_TRT", axis=1, ignoreBatch=0)

namespace_plugin_map = {
    "MultipleGridAnchorGenerator": PriorBox,
    "Postprocessor": NMS,
    "Preprocessor": Input,
    "image_tensor": Input,
    "concat": concat_box,
}

def preprocess(dynamic_graph):
    all_assert_nodes = dynamic_graph.find_nodes_by_op("Assert")
    dynamic_graph.remove(all_assert_nodes, remove_exclusive_dependencies=True)
    dynamic_graph.forward_inputs(dynamic_graph.find_nodes_by_op("Identity"))
    dynamic_graph.collapse_namespaces(namespace_plugin_map)
    dynamic_graph.remove(dynamic_graph.graph_outputs, remove_exclusive_dependencies=False)
"""


def detector():
    """A detector in small with the namespaces of TensorFlow's object detection models."""
    graph = tf.Graph()
    with graph.as_default():
        image = tf.compat.v1.placeholder(tf.float32, [1, 300, 300, 3], name="image_tensor")
        with tf.name_scope("Preprocessor"):
            image = tf.multiply(image, 2 / 255)
        with tf.name_scope("FeatureExtractor"):
            feature = tf.identity(tf.nn.conv2d(image, tf.ones([3, 3, 3, 4]), 16, "SAME"))
        with tf.name_scope("MultipleGridAnchorGenerator"):
            anchors = tf.add(tf.zeros([361, 4]), 1.0, name="anchors")
        locations = tf.concat([tf.reshape(feature, [1, -1, 4])] * 2, 1, name="concat")
        with tf.name_scope("Postprocessor"):
            boxes = tf.add(tf.reduce_sum(locations, 1), tf.reduce_sum(anchors), name="boxes")
        tf.identity(boxes, name="detection_boxes")
        tf.add(boxes, 1.0, name="detection_scores")
    return graph.as_graph_def()


def test_config_file_of_sample_uff_ssd_runs_as_it_is(tmp_path):
    (tmp_path / "config.py").write_text(CONFIG)
    data = from_tensorflow(detector(), ["NMS"], preprocessor=tmp_path / "config.py", quiet=True)
    nodes = {node.id: node for node in parsed(data, "test").graphs[0].nodes}
    assert nodes["NMS"].operation == "_NMS_TRT"
    assert set(nodes["NMS"].inputs) == {"concat_box_loc", "GridAnchor"}
    assert value_of(nodes["NMS"].fields["inputOrder_u_ilist"]) == [0, 2, 1]
    assert value_of(nodes["GridAnchor"].fields["aspectRatios_u_flist"]) == [1.0, 2.0, 0.5]
    assert nodes["Input"].operation == "Input"
    assert value_of(nodes["Input"].fields["shape"]) == [1, 3, 300, 300]
    assert not any(node.operation == "Identity" for node in nodes.values())


def test_nvidias_names_are_ours_only_for_a_while():
    with nvidia_names():
        import graphsurgeon  # noqa: PLC0415

        assert graphsurgeon.DynamicGraph is gs.DynamicGraph
    with pytest.raises(ModuleNotFoundError):
        import graphsurgeon  # noqa: PLC0415
