"""Freezing: the same numbers without variables, the names that were asked for, the same bytes."""

import os
import runpy
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf

from trtflow.converters.freeze import freeze_checkpoint, freeze_keras, freeze_saved_model, freeze_session
from trtflow.formats import FormatError, UserError

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


class Best(tf.Module):
    """Outputs that are two of one node's, a value that another output depends on, and an input as it is."""

    @tf.function(input_signature=[tf.TensorSpec([None, 6], name="scores"), tf.TensorSpec([], name="factor")])
    def __call__(self, scores, factor):
        scaled = scores * factor
        values, indices = tf.math.top_k(scaled, 2)
        return {"indices": indices, "same": scores, "scaled": scaled, "values": values}


def test_each_output_has_its_name(tmp_path):
    tf.saved_model.save(Best(), str(tmp_path / "saved"))
    frozen = freeze_saved_model(tmp_path / "saved", ["f", "s"], ["i", "x", "y", "v"])
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(frozen, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        found = session.run({name: f"{name}:0" for name in "ixyv"}, {"s:0": DATA, "f:0": 3.0})
    np.testing.assert_array_equal(found["x"], DATA)
    np.testing.assert_allclose(found["y"], 3 * DATA, rtol=1e-6)
    np.testing.assert_array_equal(found["i"], np.argsort(-DATA, 1)[:, :2])
    np.testing.assert_allclose(found["v"], np.sort(3 * DATA, 1)[:, :-3:-1], rtol=1e-6)


def tensorflow_1_model(folder, *, resource):
    """Write a meta graph of TensorFlow 1, its graph and its checkpoint; return their prefix, outputs and freezing."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        kernel = v1.get_variable("layer/kernel", [6, 2], use_resource=resource)
        rows = tf.nn.embedding_lookup(v1.get_variable("rows", [4, 2], use_resource=resource), [3, 1, 3])
        v1.train.AdamOptimizer().minimize(tf.reduce_sum(tf.matmul(x, kernel)))
        with tf.device("/device:CPU:0"):
            tf.identity(tf.nn.relu(tf.matmul(x, kernel)) + rows, name="y")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "model"))
        v1.train.Saver({"layer/kernel": kernel}).save(session, str(folder / "part"), write_meta_graph=False)
        tf.io.write_graph(graph, str(folder), "model.pb", as_text=False)
        tf.io.write_graph(graph, str(folder), "model.pbtxt")
        return folder / "model", session.run("y:0", {"x:0": DATA}), freeze_session(session, ["y"])


@pytest.fixture
def tensorflow_1(tmp_path):
    return tensorflow_1_model(tmp_path, resource=False)


@pytest.mark.parametrize("resource", [False, True])
def test_tensorflow_1_session_and_checkpoint(tmp_path, resource):
    prefix, wanted, from_session = tensorflow_1_model(tmp_path, resource=resource)
    from_files = [
        freeze_checkpoint(Path(f"{prefix}{suffix}"), prefix, ["y:0"]) for suffix in (".meta", ".pb", ".pbtxt")
    ]
    for frozen in (from_session, *from_files):
        assert is_frozen(frozen)
        assert not any("Adam" in node.name or "save" in node.name or node.device for node in frozen.node)
        np.testing.assert_allclose(outputs_of(frozen, "x", "y"), wanted, rtol=1e-6)


def test_saved_model_of_tensorflow_1(tensorflow_1, tmp_path):
    prefix, wanted, _ = tensorflow_1
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, str(prefix))
        tensors = {name: graph.get_tensor_by_name(f"{name}:0") for name in "xy"}
        v1.saved_model.simple_save(session, str(tmp_path / "saved"), {"x": tensors["x"]}, {"y": tensors["y"]})
    frozen = freeze_saved_model(tmp_path / "saved", ["in"], ["out"])
    assert is_frozen(frozen)
    np.testing.assert_allclose(outputs_of(frozen, "in", "out"), wanted, rtol=1e-6)


@pytest.mark.parametrize("suffix", [".meta", ".pb"])
def test_checkpoint_that_lacks_a_variable(tensorflow_1, suffix):
    prefix, _, _ = tensorflow_1
    part = prefix.with_name("part")
    with pytest.raises(FormatError, match=r"part: .*it lacks the variable '(rows|beta1_power)'"):
        freeze_checkpoint(Path(f"{prefix}{suffix}"), part, ["y"])


def test_variable_of_another_shape(tensorflow_1, tmp_path):
    prefix, _, _ = tensorflow_1
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        for name, shape in (("layer/kernel", [7, 2]), ("rows", [4, 2])):
            tf.compat.v1.get_variable(name, shape)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(tmp_path / "other"), write_meta_graph=False)
    with pytest.raises(FormatError, match=r"other: it does not fit .*model.pb \(.*must be equal"):
        freeze_checkpoint(Path(f"{prefix}.pb"), tmp_path / "other", ["y"])


def test_what_only_training_needs_goes():
    model = small_model()
    model.add(keras.layers.BatchNormalization())
    frozen = freeze_keras(model, ["x"], ["y"])
    operations = {node.op for node in frozen.node}
    assert not operations & {"Identity", "NoOp", "AssignVariableOp", "RandomUniform", "StatelessRandomUniformV2"}
    assert not any(node.device or node.HasField("experimental_debug_info") for node in frozen.node)
    np.testing.assert_allclose(outputs_of(frozen, "x", "y"), model(DATA).numpy(), rtol=1e-5)


def test_what_is_missing_or_damaged(tensorflow_1, tmp_path):
    prefix, _, _ = tensorflow_1
    with pytest.raises(UserError, match="no node 'z' in the graph"):
        freeze_checkpoint(Path(f"{prefix}.meta"), prefix, ["z"])
    with pytest.raises(FormatError, match=r"nothing: .*cannot give the graph its variables"):
        freeze_checkpoint(Path(f"{prefix}.meta"), tmp_path / "nothing", ["y"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="not a SavedModel"):
        freeze_saved_model(tmp_path / "empty")
    (tmp_path / "bad.keras").write_bytes(b"no model")
    with pytest.raises(FormatError, match="not a Keras model"):
        freeze_keras(tmp_path / "bad.keras")
    (tmp_path / "bad.meta").write_bytes(b"\xff" * 40)
    with pytest.raises(FormatError, match="not a meta graph"):
        freeze_checkpoint(tmp_path / "bad.meta", prefix, ["y"])


def test_saved_model_that_is_cut_off(tmp_path):
    small_model().export(str(tmp_path / "saved"), verbose=False)
    (tmp_path / "saved" / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(FormatError, match="saved: not a SavedModel"):
        freeze_saved_model(tmp_path / "saved")
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\xff" * 40)
    with pytest.raises(FormatError, match=r"saved_model.pb: not a SavedModel"):
        freeze_saved_model(tmp_path / "saved")


def test_names_that_are_taken_or_too_many():
    with pytest.raises(UserError, match="2 names for the model's 1 inputs"):
        freeze_keras(small_model(), ["a", "b"])
    with pytest.raises(UserError, match="the name 'a' is taken"):
        freeze_keras(small_model(), ["a"], ["a"])


@pytest.fixture
def script(monkeypatch):
    """Run scripts/freeze.py in this process."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    functions = runpy.run_path(str(ROOT / "scripts" / "freeze.py"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["freeze.py", *map(str, arguments)])
        functions["main"]()

    return run


def test_script_tells_inputs_and_outputs(script, tensorflow_1, tmp_path, capsys):
    prefix, _, _ = tensorflow_1
    script(f"{prefix}.pb", "--checkpoint", prefix, "--output", "y", "--out", tmp_path / "frozen.pb")
    assert capsys.readouterr().out == "inputs: x float32 [?, 6]\noutputs: y\n"
    with pytest.raises(
        UserError, match=r"model.pb: a graph of TensorFlow 1 needs --checkpoint and --output, and keeps"
    ):
        script(f"{prefix}.pb", "--input", "in", "--out", tmp_path / "frozen.pb")
    small_model().export(str(tmp_path / "saved"), verbose=False)
    with pytest.raises(FormatError, match="no signature 'train'"):
        script(tmp_path / "saved", "--signature", "train", "--out", tmp_path / "frozen.pb")
