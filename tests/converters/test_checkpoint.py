"""Checkpoints: the weights of TensorFlow 1 and 2 by name, without what only a training needs, as NVIDIA dumps them."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf

from trtflow.converters.checkpoint import read_checkpoint
from trtflow.formats import FormatError

ROOT = Path(__file__).resolve().parents[2]
CHAR_RNN = ROOT.parent / "shared" / "data" / "char_rnn" / "model-85340"


def write_tensorflow_1(prefix):
    """Write a checkpoint of TensorFlow 1 after a step of Adam, with a scope that is named like an optimizer."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        kernel = v1.get_variable("optimizer/Adam/kernel", initializer=np.arange(6, dtype=np.float32).reshape(3, 2))
        half = v1.get_variable("half", initializer=np.array([1.5], np.float16))
        step = v1.get_variable("global_step", initializer=np.float32(7))
        v1.get_variable("number", initializer=np.int32(3))
        with v1.variable_scope("train"):
            adam = v1.train.AdamOptimizer(0.0).minimize(tf.reduce_sum(kernel) * step)
        v1.train.MomentumOptimizer(0.0, 0.9).minimize(tf.reduce_sum(half))
        session.run(v1.global_variables_initializer())
        session.run(adam)
        v1.train.Saver().save(session, str(prefix))


@pytest.fixture
def tensorflow_1(tmp_path):
    write_tensorflow_1(tmp_path / "model")
    return tmp_path / "model"


def test_tensorflow_1(tensorflow_1):
    blobs = read_checkpoint(tensorflow_1)
    assert list(blobs) == ["half", "optimizer_Adam_kernel"]
    assert all(blob.dtype == np.float32 for blob in blobs.values())
    np.testing.assert_array_equal(blobs["optimizer_Adam_kernel"], [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(blobs["half"], [1.5])


def test_optimizer_is_kept_if_asked_for(tensorflow_1):
    names = set(read_checkpoint(tensorflow_1, keep_optimizer=True))
    assert names >= {"half", "half_Momentum", "optimizer_Adam_kernel", "train_optimizer_Adam_kernel_Adam_1"}
    assert "number" not in names


def trained():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((4, 6)), np.zeros((4, 3)))
    return model


@pytest.mark.parametrize("names", [("model", "optimizer"), ("net", "a")], ids=["usual", "other"])
def test_tensorflow_2_keeps_weights_that_the_optimizer_holds_too(tmp_path, names):
    model = trained()
    tf.train.Checkpoint(**dict(zip(names, (model, model.optimizer), strict=True))).write(str(tmp_path / "model"))
    keys = dict(tf.train.list_variables(str(tmp_path / "model")))
    assert any("_trainable_variables/0" in key for key in keys)  # that is where Keras's kernel is in this file
    blobs = read_checkpoint(tmp_path / "model")
    wanted = {weight.path.rpartition("/")[2]: weight.numpy() for weight in model.weights}
    found = {
        name.removeprefix(names[0]).rpartition("operations_")[2][2:].lstrip("_"): blob for name, blob in blobs.items()
    }
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values)
    with_optimizer = read_checkpoint(tmp_path / "model", keep_optimizer=True)
    assert set(blobs) < set(with_optimizer)


def test_variables_of_tensorflow_2_by_their_own_names(tmp_path):
    variables = {"hiddenWeights0": tf.ones([4, 3]), "hiddenBias0": tf.zeros([3])}
    checkpoint = tf.train.Checkpoint(**{name: tf.Variable(value) for name, value in variables.items()})
    checkpoint.write(str(tmp_path / "model"))
    blobs = read_checkpoint(tmp_path / "model")
    assert {name: blob.shape for name, blob in blobs.items()} == {"hiddenBias0": (3,), "hiddenWeights0": (4, 3)}


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_damaged_checkpoint(tensorflow_1, suffix):
    Path(f"{tensorflow_1}{suffix}").write_bytes(b"")
    with pytest.raises(FormatError, match="model: not a checkpoint of TensorFlow's, or a damaged one"):
        read_checkpoint(tensorflow_1)


def test_no_checkpoint(tmp_path):
    with pytest.raises(FormatError, match="nothing: not a checkpoint of TensorFlow's"):
        read_checkpoint(tmp_path / "nothing")


def test_two_names_that_become_one(tmp_path):
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        for name in ("a/b", "a_b"):
            v1.get_variable(name, [1])
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "model"))
    with pytest.raises(FormatError, match="two variables would be named 'a_b'"):
        read_checkpoint(tmp_path / "model")


@pytest.mark.skipif(not CHAR_RNN.with_suffix(".index").exists(), reason="no shared/data/char_rnn")
def test_pretrained_character_model():
    blobs = read_checkpoint(CHAR_RNN)
    assert blobs["rnn_multi_rnn_cell_cell_0_basic_lstm_cell_kernel"].shape == (193, 512)
    assert blobs["softmax_softmax_w"].shape == (128, 65)
    raw = Path(f"{CHAR_RNN}.data-00000-of-00001").read_bytes()
    assert blobs["softmax_softmax_b"].tobytes() == raw[2770956 : 2770956 + 65 * 4]
    assert "global_step" not in blobs
