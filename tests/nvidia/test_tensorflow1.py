"""TensorFlow 1's names: a graph with a session computes as NumPy does, and version 2 is back afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf2

from trtflow.nvidia import nvidia_names

DATA = np.float32([[1, -2], [3, 4]])


def test_graphs_sessions_and_gfile(tmp_path) -> None:
    with nvidia_names(tensorflow1=True):
        import tensorflow as tf  # noqa: PLC0415
        from tensorflow.python.framework import graph_util  # noqa: PLC0415

        tf.logging.set_verbosity(tf.logging.ERROR)
        x = tf.placeholder(tf.float32, (None, 2), name="x")
        weights = tf.get_variable("w", initializer=np.float32([[1, 0], [2, 1]]))
        y = tf.reduce_sum(tf.nn.relu(tf.matmul(x, weights)), keep_dims=True, axis=1, name="y")
        dropped = tf.nn.dropout(y, keep_prob=1.0)  # version 1's meaning: all are kept
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            found = session.run(dropped, {x: DATA})
            frozen = graph_util.convert_variables_to_constants(session, session.graph_def, ["y"])
        with tf.gfile.GFile(str(tmp_path / "frozen.pb"), "wb") as file:
            file.write(frozen.SerializeToString())
        graph = tf.GraphDef()
        graph.ParseFromString((tmp_path / "frozen.pb").read_bytes())
    assert np.array_equal(found, np.maximum(DATA @ [[1, 0], [2, 1]], 0).sum(1, keepdims=True))
    assert {node.op for node in graph.node} >= {"Placeholder", "MatMul", "Relu"}
    assert "VariableV2" not in {node.op for node in graph.node}


def test_contrib_and_examples_are_refused_by_name() -> None:
    with nvidia_names(tensorflow1=True):
        import tensorflow as tf  # noqa: PLC0415

        with pytest.raises(AttributeError, match=r"tf.contrib.layers cannot be given.*tf_slim"):
            tf.contrib.layers  # noqa: B018
        with pytest.raises(ModuleNotFoundError, match=r"tensorflow.contrib cannot be given.*tf_slim"):
            import tensorflow.contrib.slim  # noqa: PLC0415
        with pytest.raises(ModuleNotFoundError, match="came with TensorFlow 1"):
            from tensorflow.examples.tutorials.mnist import input_data  # noqa: F401, PLC0415
        with pytest.raises(AttributeError, match="in version 1 nor in version 2"):
            tf.nothing_of_it  # noqa: B018


def test_uff_of_a_graph_of_version_1() -> None:
    with nvidia_names(tensorflow1=True):
        import tensorflow as tf  # noqa: PLC0415
        import uff  # noqa: PLC0415

        with tf.Graph().as_default() as graph:
            x = tf.placeholder(tf.float32, (None, 4), name="x")
            tf.nn.softmax(tf.matmul(x, tf.constant(np.ones((4, 3), np.float32))), name="out")
        data = uff.from_tensorflow(graph.as_graph_def(), ["out"], quiet=True)
    assert b"Softmax" in data


def test_version_2_is_back() -> None:
    with nvidia_names(tensorflow1=True):
        import tensorflow as tf  # noqa: PLC0415

        assert not tf.executing_eagerly()
    import tensorflow  # noqa: PLC0415

    assert tensorflow is tf2
    assert tensorflow.executing_eagerly()
    assert np.array_equal(tensorflow.nn.relu(DATA).numpy(), np.maximum(DATA, 0))
    assert not hasattr(tensorflow, "placeholder")
