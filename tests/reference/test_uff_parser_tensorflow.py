"""Keras's networks by way of a frozen graph and UFF to the reference runtime: the same numbers."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.converters.freeze import freeze_keras
from trtflow.converters.uff import from_tensorflow
from trtflow.families.keras_digits.network import clipped, dense, lenet, perceptron
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

RNG = np.random.default_rng(0)


def colours():
    """A network whose channels matter: three in, batch norm, depthwise, a skip, means over the picture."""
    x = keras.Input((9, 11, 3))
    value = keras.layers.Conv2D(6, 3, 2, "same", use_bias=False)(x)
    value = keras.layers.ReLU(6)(keras.layers.BatchNormalization()(value))
    deeper = keras.layers.Conv2D(6, 1)(keras.layers.DepthwiseConv2D(3, padding="same")(value))
    joined = keras.layers.Concatenate()([keras.layers.Add()([value, deeper]), value])
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D(3, 2, "same")(joined))
    return keras.Model(x, keras.layers.Dense(4, activation="softmax")(pooled))


def session_of(data, shape, order):
    def define(trt, network):
        parser = trt.UffParser()
        parser.register_input("in", shape, order)
        parser.register_output("out")
        assert parser.parse_buffer(data, network)

    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(build_plan(trt, define, "fp32", 5)))


@pytest.mark.parametrize("network", [lenet, perceptron, dense, clipped, colours], ids=lambda network: network.__name__)
def test_same_numbers(network):
    keras.utils.set_random_seed(0)
    model = network()
    x = RNG.normal(size=(5, *model.input_shape[1:])).astype(np.float32)
    wanted = model(x, training=False).numpy()
    data = from_tensorflow(freeze_keras(model, ["in"], ["out"]), ["out"], quiet=True, strict=True)
    for order, given in ((trt.UffInputOrder.NHWC, x), (trt.UffInputOrder.NCHW, x.transpose(0, 3, 1, 2))):
        found = session_of(data, given.shape[1:], order).run({"in": np.ascontiguousarray(given)})["out"]
        np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-5)
