"""From TensorFlow by way of UFF to the reference runtime: the same numbers."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import tensorflow as tf

import trtflow.reference as trt
from trtflow.converters.uff import from_tensorflow
from trtflow.reference import NetworkError
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _errors_come_as_exceptions():
    with trt.raising():
        yield


def weights(*shape):
    return tf.constant(RNG.normal(size=shape).astype(np.float32))


def nchw(array):
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


def graph_of(build, shape):
    """Return the graph of a function of a placeholder x, and its output on two random pictures."""
    graph = tf.Graph()
    feed = RNG.normal(size=(2, *shape)).astype(np.float32)
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, *shape], name="x")
        tf.identity(build(x), name="made")
        with tf.compat.v1.Session(graph=graph) as session:
            return graph.as_graph_def(), feed, session.run("made:0", {"x:0": feed})


def run(graphdef, feed, order=trt.UffInputOrder.NCHW, precision="fp32"):
    data = from_tensorflow(graphdef, ["made"], quiet=True, strict=True)
    given = nchw(feed) if order == trt.UffInputOrder.NCHW else feed

    def define(trt, network):
        parser = trt.UffParser()
        parser.register_input("x", given.shape[1:], order)
        parser.register_output("made")
        assert parser.parse_buffer(data, network)

    plan = build_plan(trt, define, precision, 2)
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)
    return Session(trt, engine).run({"x": given})["made"]


def lenet(x):
    value = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, weights(5, 5, 3, 4), 1, "VALID"), weights(4)))
    value = tf.nn.max_pool2d(value, 2, 2, "VALID")
    value = tf.reshape(value, [-1, 5 * 6 * 4], name="flatten/Reshape")
    value = tf.nn.relu(tf.matmul(value, weights(120, 20)) + weights(20))
    return tf.matmul(value, weights(20, 10)) + weights(10)


def plain_reshape(x):
    value = tf.nn.conv2d(x, weights(3, 3, 3, 4), 1, "SAME")
    return tf.matmul(tf.reshape(value, [-1, 14 * 16 * 4]), weights(14 * 16 * 4, 5))


def separable(x):
    value = tf.nn.depthwise_conv2d(x, weights(3, 3, 3, 2), [1, 2, 2, 1], "SAME")
    return tf.nn.relu6(tf.nn.conv2d(value, weights(1, 1, 6, 4), 1, "SAME"))


def batch_norm(x):
    value = tf.nn.conv2d(x, weights(3, 3, 3, 4), 2, "SAME")
    moments = weights(4), weights(4), weights(4), tf.abs(weights(4)) + 0.5
    return tf.compat.v1.nn.fused_batch_norm(value, *moments, epsilon=1e-3, is_training=False)[0]


def residual(x):
    value = tf.nn.conv2d(x, weights(3, 3, 3, 4), 1, "SAME")
    return tf.nn.elu(value + tf.nn.conv2d(value, weights(3, 3, 4, 4), 1, "SAME", dilations=2)) * weights(4)


def joined(x):
    parts = [tf.nn.conv2d(x, weights(1, 1, 3, size), 1, "SAME") for size in (2, 3)]
    return tf.nn.leaky_relu(tf.concat(parts, 3), 0.3)


def average(x):
    value = tf.nn.avg_pool2d(tf.nn.conv2d(x, weights(3, 3, 3, 4), 1, "SAME"), 3, 2, "SAME")
    return tf.nn.softmax(tf.reduce_mean(value, [1, 2]))


def padded(x):
    value = tf.nn.conv2d(x, weights(1, 1, 3, 3), 1, "SAME")
    return tf.nn.conv2d(tf.pad(value, [[0, 0], [1, 2], [3, 0], [0, 0]]), weights(3, 3, 3, 4), 2, "VALID")


def transposed_convolution(x):
    value = tf.nn.conv2d(x, weights(3, 3, 3, 4), 2, "SAME")
    return tf.nn.conv2d_transpose(value, weights(3, 3, 5, 4), [2, 14, 16, 5], 2, "SAME")


def elementary(x):
    value = tf.nn.conv2d(x, weights(1, 1, 3, 3), 1, "SAME")
    return tf.sqrt(tf.abs(tf.sin(value)) + 1.0) - tf.maximum(tf.exp(-tf.square(value)), 0.5) / 2.0


def folded(x):
    kernel = tf.transpose(tf.reshape(weights(4, 3 * 9), [4, 3, 3, 3]), [2, 3, 1, 0])
    return tf.nn.conv2d(x, kernel * 2.0, 1, "SAME") + tf.cast(tf.constant([1, 2, 3, 4]), tf.float32)


def normalised(x):
    return tf.nn.local_response_normalization(tf.nn.conv2d(x, weights(1, 1, 3, 8), 1, "SAME"), 2, 1.0, 0.1, 0.75)


def channels_last_transpose(x):
    value = tf.transpose(tf.nn.conv2d(x, weights(1, 1, 3, 4), 1, "SAME"), [0, 3, 1, 2])
    return tf.matmul(tf.reshape(value, [-1, 4 * 14 * 16]), weights(4 * 14 * 16, 3))


BUILDERS = [
    lenet,
    plain_reshape,
    separable,
    batch_norm,
    residual,
    joined,
    average,
    padded,
    transposed_convolution,
    elementary,
    folded,
    normalised,
    channels_last_transpose,
]


@pytest.mark.parametrize("order", [trt.UffInputOrder.NCHW, trt.UffInputOrder.NHWC], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_same_numbers(build, order):
    graphdef, feed, wanted = graph_of(build, (14, 16, 3))
    found = run(graphdef, feed, order)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-4)


def test_half_precision_is_close():
    graphdef, feed, wanted = graph_of(residual, (14, 16, 3))
    found = run(graphdef, feed, precision="fp16")
    scale = np.abs(wanted).max()
    assert 0 < np.abs(found - wanted).max() < 0.02 * scale


def test_wrong_dimensions_and_wrong_order_are_refused():
    graphdef, _, _ = graph_of(lenet, (14, 16, 3))
    with pytest.raises(NetworkError, match=r"'MatMul': a kernel for 120 inputs, but its data has the shape"):
        run(graphdef, np.zeros((1, 14, 15, 3), np.float32))
    with pytest.raises(
        NetworkError, match=r"'Conv2D': a kernel for 3 channels, but its data in UFF buffer has C, H, W = \(16, 3, 14\)"
    ):
        run(graphdef, np.zeros((1, 3, 14, 16), np.float32), trt.UffInputOrder.NHWC)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ([], ["made"], "layer 'x': an input of UFF buffer that is not registered. Call register_input first"),
        (["x"], [], "no output of UFF buffer is registered"),
        (["x"], ["make"], "layer 'make': registered as an output, .* close to it are made"),
        (["x", "y"], ["made"], "layer 'y': registered as an input, .* Its inputs are x"),
    ],
)
def test_registration(inputs, outputs, message):
    graphdef, _, _ = graph_of(lenet, (14, 16, 3))
    data = from_tensorflow(graphdef, ["made"], quiet=True)
    parser = trt.UffParser()
    for name in inputs:
        parser.register_input(name, (3, 14, 16))
    for name in outputs:
        parser.register_output(name)
    network = trt.Builder(trt.Logger()).create_network()
    with pytest.raises(NetworkError, match=message):
        parser.parse_buffer(data, network)


def test_operation_that_the_parser_lacks_is_named_with_its_node():
    data = from_tensorflow(graph_of(lambda x: tf.reverse(x, [1]), (14, 16, 3))[0], ["made"], quiet=True)
    parser = trt.UffParser()
    parser.register_input("x", (3, 14, 16))
    parser.register_output("made")
    network = trt.Builder(trt.Logger()).create_network()
    with pytest.raises(NetworkError, match="no plugin 'ReverseV2' for a custom operation"):
        parser.parse_buffer(data, network)


@pytest.mark.parametrize("order", [trt.UffInputOrder.NCHW, trt.UffInputOrder.NHWC], ids=["nchw", "nhwc"])
def test_padding_of_an_input_is_refused_since_its_order_is_not_known_yet(order):
    """TensorRT 8.6's parser pads the wrong axes there and says nothing."""
    graphdef, feed, _ = graph_of(lambda x: tf.pad(x, [[0, 0], [1, 2], [3, 0], [0, 0]]), (14, 16, 3))
    with pytest.raises(NetworkError, match="TensorRT pads the two spatial axes only"):
        run(graphdef, feed, order)


def turned(x):
    value = tf.abs(tf.nn.conv2d(x, weights(1, 1, 3, 3), 1, "SAME")) + 1.0
    return tf.minimum(2.0 - value, 3.0 / value)


def test_constants_on_the_left_and_extrema_need_no_operation_that_tensorrts_parser_refuses():
    graphdef, feed, wanted = graph_of(lambda x: tf.minimum(turned(x), 0.5), (14, 16, 3))
    np.testing.assert_allclose(run(graphdef, feed), wanted, rtol=1e-4, atol=1e-4)
