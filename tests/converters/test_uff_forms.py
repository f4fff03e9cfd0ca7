"""What users bring from Keras and TF-Slim, by way of UFF to the reference runtime: TensorFlow's numbers."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_graphs import frozen, v1

import trtflow.reference as trt
from trtflow.converters.freeze import freeze_keras
from trtflow.converters.uff import from_tensorflow
from trtflow.formats import UserError
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

RNG = np.random.default_rng(0)
NCHW = trt.UffInputOrder.NCHW


def weights(*shape):
    return tf.constant(RNG.normal(size=shape).astype(np.float32) / 2)


def computed(graphdef, feed):
    """Return what TensorFlow computes for x."""
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(graphdef, name="")
        return session.run("made:0", {"x:0": feed})


def converted(graphdef, feed, **options):
    """Return the same by way of UFF; a picture is registered channels first, all else as it is."""
    data = from_tensorflow(graphdef, ["made"], quiet=True, strict=True, **options)
    given = feed.transpose(0, 3, 1, 2) if feed.ndim == 4 else feed.reshape(*feed.shape, *[1] * (4 - feed.ndim))

    def define(trt, network):
        parser = trt.UffParser()
        parser.register_input("x", given.shape[1:], NCHW)
        parser.register_output("made")
        assert parser.parse_buffer(data, network)

    plan = build_plan(trt, define, "fp32", len(feed))
    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)).run({"x": given})["made"]


def check(graphdef, shape, declared=None):
    feed = RNG.normal(size=(3, *shape)).astype(np.float32)
    wanted = computed(graphdef, feed)
    if declared is not None:
        node = next(node for node in graphdef.node if node.name == "x")
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(declared).as_proto())
    found = converted(graphdef, feed)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-5)


def graph_of(build, shape):
    def whole():
        x = v1.placeholder(tf.float32, [None, *shape], name="x")
        tf.identity(build(x), name="made")

    return frozen(whole)


def convolved(x, channels=6):
    return tf.nn.conv2d(x, weights(1, 1, x.shape[-1], channels), 1, "SAME")


def split(x):
    first, second, third = tf.split(convolved(x), 3, axis=-1)
    return tf.concat([third, first * 2.0, second], 3)


def split_by_sizes(x):
    first, second = tf.split(convolved(x), [2, -1], axis=3)
    return tf.concat([second, first], 3)


def unpacked(x):
    rows = tf.unstack(tf.reshape(convolved(x), [-1, 30, 6]), axis=2)
    return tf.stack(rows[::-1], axis=1)


def shuffled(x):
    """A channel shuffle, as ShuffleNet has it."""
    value = tf.reshape(convolved(x), [-1, 5, 6, 2, 3])
    return tf.reshape(tf.transpose(value, [0, 1, 2, 4, 3]), [-1, 5, 6, 6])


def batch_size(x):
    return tf.shape(x)[0]


def flat_by_shape(x):
    value = convolved(x)
    return tf.reshape(value, [batch_size(value), 180])


def shape_by_concat(x):
    value = convolved(x)
    return tf.reshape(value, tf.concat([tf.shape(value)[:1], [30, 6]], 0))


def product_of_sizes(x):
    value = convolved(x)
    shape = tf.shape(value)
    return tf.reshape(value, tf.stack([shape[0], shape[1] * shape[2], shape[3]]))


SLICES = {
    "ellipsis": lambda x: convolved(x)[..., 1:4],
    "ellipsis and an index": lambda x: convolved(x)[..., 2],
    "ellipsis in between": lambda x: convolved(x)[:, 1:, ..., ::2],
    "new axis behind": lambda x: convolved(x)[..., tf.newaxis],
    "new axis in between": lambda x: tf.reduce_sum(convolved(x), [2, 3])[:, tf.newaxis, 1:],
    "two new axes": lambda x: tf.reduce_sum(convolved(x), [2, 3])[:, tf.newaxis, tf.newaxis],
    "slice": lambda x: tf.slice(convolved(x), [0, 1, 0, 2], [-1, 3, -1, 4]),
}
FORMS = {
    "split": split,
    "split by sizes": split_by_sizes,
    "unpack": unpacked,
    "tile": lambda x: tf.tile(convolved(x), [1, 2, 1, 3]),
    "tile of nothing": lambda x: tf.tile(convolved(x), [1, 1, 1, 1]),
    "identities": lambda x: tf.identity_n([x, convolved(x)])[1] + 1.0,
    "swish": lambda x: tf.nn.silu(convolved(x)),
    "sum of many": lambda x: tf.add_n([convolved(x), convolved(x), convolved(x)]),
    "nearest": lambda x: v1.image.resize_nearest_neighbor(convolved(x), [10, 18]),
    "product of many axes": lambda x: tf.matmul(tf.reshape(convolved(x), [-1, 30, 6]), weights(6, 4)),
    "product of a picture": lambda x: tf.tensordot(convolved(x), weights(6, 4), [[3], [0]]),
    "shuffle": shuffled,
    **SLICES,
}
RESHAPES = {"flat": flat_by_shape, "concat": shape_by_concat, "product": product_of_sizes}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    check(graph_of(FORMS[form], (5, 6, 3)), (5, 6, 3))


DECLARED = [[None, 5, 6, 3], [1, 3, 5, 6], [None, 3, 5, 6], [3, 5, 6], [5, 6, 3], None]


@pytest.mark.parametrize("declared", DECLARED, ids=str)
@pytest.mark.parametrize("form", RESHAPES)
def test_reshape_by_a_shape_under_any_declared_input(form, declared):
    if declared is None and form == "product":
        pytest.skip("sizes of an input that is not declared cannot be told ahead")
    graphdef = graph_of(RESHAPES[form], (5, 6, 3))
    check(graphdef, (5, 6, 3), tf.TensorShape(declared))


LAYERS = keras.layers
KERAS = {
    "dense of a sequence": ((7, 5), [LAYERS.Dense(4, "relu"), LAYERS.Dense(3), LAYERS.Flatten(), LAYERS.Dense(2)]),
    "dense of a picture": ((5, 6, 3), [LAYERS.Conv2D(4, 3), LAYERS.Dense(5, "swish"), LAYERS.GlobalMaxPooling2D()]),
    "reshape": ((12,), [LAYERS.Dense(24), LAYERS.Reshape((2, 3, 4)), LAYERS.Conv2DTranspose(3, 2, 2)]),
    "swish": ((5, 6, 3), [LAYERS.Conv2D(4, 3, activation="swish"), LAYERS.DepthwiseConv2D(2), LAYERS.ReLU(6.0)]),
    "upsampling": ((5, 6, 3), [LAYERS.Conv2D(4, 1), LAYERS.UpSampling2D((2, 3)), LAYERS.Conv2D(2, 3, padding="same")]),
    "cropping": ((5, 6, 3), [LAYERS.Conv2D(4, 1), LAYERS.Cropping2D(((1, 1), (0, 2)))]),
    "repeat": ((6,), [LAYERS.Dense(4), LAYERS.RepeatVector(3), LAYERS.Dense(2)]),
    "normalised": ((5, 6, 3), [LAYERS.Conv2D(4, 3, use_bias=False), LAYERS.BatchNormalization(), LAYERS.ELU()]),
    "pooled": ((8, 8, 3), [LAYERS.Conv2D(4, 3), LAYERS.AveragePooling2D(2), LAYERS.GlobalAveragePooling2D()]),
    "hard": ((5, 6, 3), [LAYERS.Conv2D(4, 3, activation="hard_sigmoid"), LAYERS.Activation("hard_swish")]),
    "separable": ((8, 8, 3), [LAYERS.ZeroPadding2D(1), LAYERS.SeparableConv2D(4, 3), LAYERS.LeakyReLU()]),
}


@pytest.mark.parametrize("name", KERAS)
def test_keras(name):
    shape, layers = KERAS[name]
    model = keras.Sequential([keras.Input(shape), *layers])
    check(freeze_keras(model, ["x"], ["made"]), shape)


def enlarged(x):
    value = convolved(x)
    return v1.nn.conv2d_transpose(value, weights(2, 2, 4, 6), [tf.shape(value)[0], 10, 12, 4], 2, "VALID", name="up")


def test_transposed_convolution_whose_data_come_first():
    """As sampleUffMaskRCNN's config.py leaves one: data in front, and the shape's own input removed."""
    graphdef = graph_of(enlarged, (5, 6, 3))
    feed = RNG.normal(size=(3, 5, 6, 3)).astype(np.float32)
    wanted = computed(graphdef, feed)
    nodes = {node.name: node for node in graphdef.node}
    shape, kernel, data = nodes["up"].input
    nodes["up"].input[:] = [data, shape, kernel]
    del nodes["Shape"].input[:]
    np.testing.assert_allclose(converted(graphdef, feed), wanted, rtol=1e-4, atol=1e-5)


REFUSED = {
    "tile of the batch": (lambda x: tf.tile(convolved(x), [2, 1, 1, 1]), "it repeats by .2, 1, 1, 1.. UFF cannot"),
    "unknown rank": (
        lambda x: tf.unstack(v1.placeholder(tf.float32, None, name="y"), 2, axis=1)[0],
        "no one knows how",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_is_named(name):
    build, message = REFUSED[name]
    with pytest.raises(UserError, match=message):
        from_tensorflow(graph_of(build, (5, 6, 3)), ["made"], quiet=True, strict=True)
