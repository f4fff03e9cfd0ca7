"""Freezing: the same numbers without variables, the names that were asked for, the same bytes."""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf

from trtflow.converters.checkpoint import read_checkpoint
from trtflow.converters.freeze import freeze_checkpoint, freeze_keras, freeze_saved_model, freeze_session, write_graph
from trtflow.formats import FormatError, UserError
from trtflow.formats.wts import read_wts2

ROOT = Path(__file__).resolve().parents[2]
DATA = np.random.default_rng(0).random((3, 6), np.float32)


def small_model():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((6,)),
        keras.layers.Dense(5, "relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(4, "softmax"),
    ]
    return keras.Sequential(layers)


def outputs_of(graphdef, source, target, data=DATA):
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graphdef, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run(f"{target}:0", {f"{source}:0": data})


def is_frozen(graphdef):
    return not any("Variable" in node.op or "Function" in node.op or "Call" in node.op for node in graphdef.node)


def test_keras_model_and_file(tmp_path):
    model = small_model()
    model.save(tmp_path / "m.keras")
    for source in (model, tmp_path / "m.keras"):
        frozen = freeze_keras(source, ["input_1"], ["dense_1/Softmax"])
        assert is_frozen(frozen)
        assert [node.name for node in frozen.node if node.op == "Placeholder"] == ["input_1"]
        found = outputs_of(frozen, "input_1", "dense_1/Softmax")
        np.testing.assert_allclose(found, model(DATA).numpy(), rtol=1e-5)


def test_saved_model(tmp_path):
    model = small_model()
    model.export(str(tmp_path / "saved"), verbose=False)
    frozen = freeze_saved_model(tmp_path / "saved", ["x"], ["y"])
    assert is_frozen(frozen)
    np.testing.assert_allclose(outputs_of(frozen, "x", "y"), model(DATA).numpy(), rtol=1e-5)
    with pytest.raises(FormatError, match="no signature 'train'; it has .*serving_default"):
        freeze_saved_model(tmp_path / "saved", signature="train")


@pytest.fixture
def tensorflow_1(tmp_path):
    """A meta graph of TensorFlow 1 with its checkpoint, and what it computes."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 6], name="x")
        kernel = tf.compat.v1.get_variable("layer/kernel", [6, 2], use_resource=False)
        tf.compat.v1.train.AdamOptimizer().minimize(tf.reduce_sum(tf.matmul(x, kernel)))
        tf.identity(tf.nn.relu(tf.matmul(x, kernel)), name="y")
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(tmp_path / "model"))
        return tmp_path / "model", session.run("y:0", {"x:0": DATA}), freeze_session(session, ["y"])


def test_tensorflow_1_session_and_checkpoint(tensorflow_1):
    prefix, wanted, from_session = tensorflow_1
    from_files = freeze_checkpoint(Path(f"{prefix}.meta"), prefix, ["y"])
    for frozen in (from_session, from_files):
        assert is_frozen(frozen)
        assert not any("Adam" in node.name for node in frozen.node)
        np.testing.assert_allclose(outputs_of(frozen, "x", "y"), wanted, rtol=1e-6)


def test_checkpoint_is_dumped_without_the_optimizer(tensorflow_1, tmp_path):
    prefix, _, _ = tensorflow_1
    assert {name: blob.shape for name, blob in read_checkpoint(prefix).items()} == {"layer_kernel": (6, 2)}
    assert "layer_kernel_Adam" in read_checkpoint(prefix, keep_optimizer=True)
    command = [sys.executable, ROOT / "scripts" / "dump_tf_weights.py", "-m", prefix, "-o", tmp_path / "w.wts2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "layer_kernel (6, 2)" in done.stdout
    np.testing.assert_array_equal(
        read_wts2(tmp_path / "w.wts2")["layer_kernel"], read_checkpoint(prefix)["layer_kernel"]
    )


def test_what_is_missing_or_damaged(tensorflow_1, tmp_path):
    prefix, _, _ = tensorflow_1
    with pytest.raises(UserError, match="no node 'z' in the graph"):
        freeze_checkpoint(Path(f"{prefix}.meta"), prefix, ["z"])
    with pytest.raises(FormatError, match=r"nothing: .*cannot give the graph its variables"):
        freeze_checkpoint(Path(f"{prefix}.meta"), tmp_path / "nothing", ["y"])
    with pytest.raises(FormatError, match="not a checkpoint of TensorFlow's"):
        read_checkpoint(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="not a SavedModel"):
        freeze_saved_model(tmp_path / "empty")
    (tmp_path / "bad.keras").write_bytes(b"no model")
    with pytest.raises(FormatError, match="not a Keras model"):
        freeze_keras(tmp_path / "bad.keras")


def test_names_that_are_taken_or_too_many():
    with pytest.raises(UserError, match="2 names for the model's 1 inputs"):
        freeze_keras(small_model(), ["a", "b"])


def test_same_bytes_in_another_process(tmp_path):
    small_model().save(tmp_path / "m.keras")
    for seed in ("1", "2"):
        command = [
            sys.executable,
            ROOT / "scripts" / "freeze.py",
            tmp_path / "m.keras",
            "--input",
            "x",
            "--output",
            "y",
        ]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [*command, "--out", tmp_path / seed], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    write_graph(tf.compat.v1.GraphDef.FromString((tmp_path / "1").read_bytes()), tmp_path / "3")
    assert (tmp_path / "3").read_bytes() == (tmp_path / "1").read_bytes()
