"""Models are programs to PyTorch and TensorFlow: what one would do beside computing is refused before it is done."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import torch

from trtflow.converters.exported_program import read_program
from trtflow.converters.freeze import freeze_saved_model
from trtflow.converters.frozen_graph import FrozenGraph
from trtflow.converters.uff.folding import known_ahead
from trtflow.formats import FormatError
from trtflow.graphsurgeon.graph_file import read_graph_def
from trtflow.graphsurgeon.harmless import without_saving

SIZE = "Symbol('s77', positive=True, integer=True)"


class Payload:
    """Makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Return an exported program of an open batch, and what it says of an input."""
    torch.manual_seed(0)
    module, image = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(1)), torch.randn(2, 4)
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(torch.export.export(module, (image,), dynamic_shapes=({0: batch},)), path)
    with torch.no_grad():
        return path, image, module(image)


def changed(program, path, part, change):
    """Write a program anew with a part changed: its bytes, or where it is JSON its content."""
    found = 0
    with zipfile.ZipFile(program[0]) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(part):
                found += 1
                if part.endswith(".json"):
                    document = json.loads(content)
                    change(document)
                    content = json.dumps(document).encode()
                else:
                    content = change(content)
            target.writestr(name, content)
    assert found == 1


def nodes(document):
    return document["graph_module"]["graph"]["nodes"]


def set_sizes(text):
    def change(document):
        for value in document["graph_module"]["graph"]["tensor_values"].values():
            for size in value["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = text

    return change


def touch(marker):
    return f"__import__('pathlib').Path({str(marker)!r}).touch()"


def test_a_program_is_read_as_it_was_written(program):
    path, image, wanted = program
    with torch.no_grad():
        torch.testing.assert_close(read_program(path).module()(image), wanted)


@pytest.mark.parametrize("text", [SIZE, f"Max(1, {SIZE})", f"Add({SIZE}, Integer(0))"])
def test_sizes_that_calculate_are_taken(program, tmp_path, text):
    changed(program, tmp_path / "x.pt2", "model.json", set_sizes(text))
    read_program(tmp_path / "x.pt2")


RUN = {
    "a pickle of inputs": ("sample_inputs/model.pt", lambda marker: lambda content: pickle.dumps(Payload(marker))),
    "a size": ("model.json", lambda marker: set_sizes(f"[{SIZE}, {touch(marker)}][0]")),
    "a size of text": ("model.json", lambda marker: set_sizes(f"sympify({touch(marker)!r})")),
    "a guard": (
        "model.json",
        lambda marker: lambda document: document.update(guards_code=[f"{touch(marker)} or True"]),
    ),
    "a node": ("model.json", lambda marker: lambda document: nodes(document)[1].update(target="torch.os.system")),
    "an operator of files": (
        "model.json",
        lambda marker: lambda document: nodes(document)[1].update(target="torch.ops.aten.from_file.default"),
    ),
}


@pytest.mark.parametrize("name", RUN)
def test_what_a_program_would_run_is_not_run(program, tmp_path, name):
    part, change = RUN[name]
    changed(program, tmp_path / "x.pt2", part, change(tmp_path / "ran"))
    with pytest.raises(FormatError, match="an exported program, but .* Do not trust it"):
        read_program(tmp_path / "x.pt2").module()
    assert not (tmp_path / "ran").exists()


def test_weights_that_are_a_pickle_are_looked_at(program, tmp_path):
    """A list of weights says which of them PyTorch unpickles."""

    def pickled(document):
        next(iter(document["config"].values()))["use_pickle"] = True

    changed(program, tmp_path / "x.pt2", "weights_config.json", pickled)
    changed(
        (tmp_path / "x.pt2",), tmp_path / "y.pt2", "weight_0", lambda content: pickle.dumps(Payload(tmp_path / "ran"))
    )
    with pytest.raises(FormatError, match="'model/data/weights/weight_0' holds more than tensors"):
        read_program(tmp_path / "y.pt2")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name",
    ["data/constants/opaque_obj_0", "data/constants/custom_obj_0", "data/aotinductor/model/x.so", "../x", "data/y"],
)
def test_parts_that_are_none_of_a_program_are_refused(program, tmp_path, name):
    changed(program, tmp_path / "x.pt2", "weight_0", lambda content: content)
    with zipfile.ZipFile(tmp_path / "x.pt2", "a") as archive:
        archive.writestr(f"model/{name}", b"x")
    with pytest.raises(FormatError, match="is no part of one"):
        read_program(tmp_path / "x.pt2")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_part_that_is_there_twice_is_refused(program, tmp_path):
    """Readers of zip files differ in which they take."""
    changed(program, tmp_path / "x.pt2", "weight_0", lambda content: content)
    with zipfile.ZipFile(tmp_path / "x.pt2", "a") as archive:
        archive.writestr("model/models/model.json", b"{}")
    with pytest.raises(FormatError, match="a part of it is there twice"):
        read_program(tmp_path / "x.pt2")


def writing_graph(marker):
    """Return a graph whose output waits for a file to be written."""
    with tf.Graph().as_default() as graph:
        given = tf.compat.v1.placeholder(tf.float32, [1, 3], "x")
        with tf.control_dependencies([tf.io.write_file(str(marker), "ran")]):
            tf.identity(given, "y")
    return graph.as_graph_def()


def test_a_graph_that_writes_a_file_is_refused(tmp_path):
    (tmp_path / "x.pb").write_bytes(writing_graph(tmp_path / "ran").SerializeToString())
    with pytest.raises(FormatError, match="'WriteFile' is a WriteFile, which reaches out of the graph"):
        FrozenGraph(tmp_path / "x.pb", ["y"]).run({"x": np.zeros((1, 3), np.float32)})
    assert not (tmp_path / "ran").exists()


def saving_graph(prefix):
    """Return a graph with a saver, as freezing leaves it behind at times, and an output `late` that waits for it."""
    with tf.Graph().as_default() as graph:
        given = tf.compat.v1.placeholder(tf.float32, [1, 3], "x")
        tf.compat.v1.get_variable("unused", [2], use_resource=False)
        tf.identity(given * 2, "y")
        with tf.control_dependencies(
            [tf.raw_ops.SaveV2(prefix=prefix, tensor_names=["a"], shape_and_slices=[""], tensors=[[1.0]])]
        ):
            tf.identity([[3.0]], "saved")
            tf.identity(given, "late")
    return graph.as_graph_def()


def test_what_saves_is_not_run(tmp_path):
    (tmp_path / "x.pb").write_bytes(saving_graph(str(tmp_path / "ran")).SerializeToString())
    given = np.ones((1, 3), np.float32)
    assert np.array_equal(FrozenGraph(tmp_path / "x.pb", ["y"]).run({"x": given})["y"], 2 * given)
    values, _ = known_ahead(read_graph_def(tmp_path / "x.pb"))
    assert "saved" not in values
    with pytest.raises(FormatError, match="its output 'late' waits for what saves or restores variables"):
        FrozenGraph(tmp_path / "x.pb", ["late"])
    assert [file.name for file in tmp_path.iterdir()] == ["x.pb"]


def test_functions_that_save_are_not_run(tmp_path):
    @tf.function
    def saves():
        tf.raw_ops.SaveV2(prefix=str(tmp_path / "ran"), tensor_names=["a"], shape_and_slices=[""], tensors=[[1.0]])
        return tf.constant(1.0)

    with tf.Graph().as_default() as graph:
        tf.compat.v1.get_variable("unused", [2], use_resource=False)
        tf.identity(tf.constant(2.0), "y")
        tf.identity(saves(), "called")
    kept = {node.name for node in without_saving(graph.as_graph_def()).node}
    assert "y" in kept
    assert "called" not in kept


def test_a_saved_model_that_writes_a_file_is_refused(tmp_path):
    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, 3], tf.float32)])
        def __call__(self, x):
            tf.io.write_file(str(tmp_path / "ran"), "ran")
            return x

    tf.saved_model.save(Model(), str(tmp_path / "model"))
    with pytest.raises(FormatError, match="is a WriteFile, which reaches out"):
        freeze_saved_model(tmp_path / "model")
    assert not (tmp_path / "ran").exists()
