"""Frozen TensorFlow graphs, as the ones that users bring."""

import numpy as np
import tensorflow as tf

RNG = np.random.default_rng(0)
v1 = tf.compat.v1


def normal(*shape, scale=0.1):
    return (scale * RNG.normal(size=shape)).astype(np.float32)


def constant(name, *shape):
    """Return weights as a frozen graph has them: a constant and, behind it, the identity that was a variable's read."""
    return tf.identity(tf.constant(normal(*shape), name=name), name=f"{name}/read")


def frozen(build, *args):
    """Return the GraphDef of what a function builds."""
    graph = tf.Graph()
    with graph.as_default():
        build(*args)
    return graph.as_graph_def()


def lenet():
    """sampleUffMNIST's network: pictures N, 28, 28, 1 to logits."""
    data = v1.placeholder(tf.float32, None, name="in")
    conv1 = v1.nn.conv2d(data, constant("wc1", 5, 5, 1, 20), 1, "VALID", name="conv1")
    conv1 = tf.nn.relu(tf.add(conv1, constant("bc1", 20), name="conv1_bias"), name="Relu")
    pool1 = v1.nn.max_pool(conv1, 2, 2, "VALID", name="maxpool1")
    conv2 = v1.nn.conv2d(pool1, constant("wc2", 5, 5, 20, 50), 1, "VALID", name="conv2")
    conv2 = tf.nn.relu(tf.add(conv2, constant("bc2", 50), name="conv2_bias"), name="Relu_1")
    pool2 = v1.nn.max_pool(conv2, 2, 2, "VALID", name="maxpool2")
    flat = tf.reshape(pool2, [-1, 800], name="reshape1")
    fc1 = tf.nn.relu(
        tf.add(tf.matmul(flat, constant("wd1", 800, 500), name="matmul1"), constant("bd1", 500), name="add1")
    )
    tf.add(tf.matmul(fc1, constant("wout", 500, 10), name="matmul2"), constant("bout", 10), name="out")


def run(graphdef, feeds, output):
    """Return what TensorFlow computes for a node of a graph."""
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(graphdef, name="")
        return session.run(f"{output}:0", {f"{name}:0": value for name, value in feeds.items()})
