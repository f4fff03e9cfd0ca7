"""The search for layers to keep in float32, by its script: a range is spoilt, and the layer that it harms is found."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import trtflow.reference as trt
from trtflow.calibration.ranges import record_ranges
from trtflow.formats.batch_file import Batch, write_batch
from trtflow.formats.dynamic_ranges import read_ranges, write_ranges
from trtflow.runtime.build import build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.session import Session
from trtflow.samples import definition, int8_api

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SIDE, CLASSES = 12, 6
BATCHES, BATCH_SIZE = 2, 20
LAYERS = ("first", "second", "third")
SPOILT = 1e-3  # what is left of a range: nearly all values are clipped to it


def network():
    """Return three convolutions and a softmax with int8_api's names, seeded weights."""
    rng = np.random.default_rng(0)
    channels, nodes, weights, x = (3, 8, 8, CLASSES), [], [], int8_api.INPUT
    for index, name in enumerate(LAYERS):
        kernel = rng.normal(0, 1, (channels[index + 1], channels[index], 3, 3)) / np.sqrt(9 * channels[index])
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"{name}_w"))
        nodes.append(helper.make_node("Conv", [x, f"{name}_w"], [f"{name}_1"], name, pads=[1, 1, 1, 1]))
        x = f"{name}_1"
        if name != LAYERS[-1]:
            nodes.append(helper.make_node("Relu", [x], [f"{name}_relu"]))
            x = f"{name}_relu"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pool"]))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"]))
    nodes.append(helper.make_node("Softmax", ["flat"], [int8_api.OUTPUT], axis=1))
    shapes = {int8_api.INPUT: ["n", 3, SIDE, SIDE], int8_api.OUTPUT: ["n", CLASSES]}
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "small", values[:1], values[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the network, its ranges, and batches whose labels are what it says in float32."""
    made = tmp_path_factory.mktemp("mixed")
    (made / "export").mkdir()
    onnx.save(network(), made / "export/model.onnx")
    rng = np.random.default_rng(1)
    size = (BATCHES, BATCH_SIZE, 3, 1, 1)
    batches = (rng.normal(0, 2, size) + rng.normal(0, 1, (BATCHES, BATCH_SIZE, 3, SIDE, SIDE))).astype(np.float32)
    define = definition(int8_api, made / "export", "fp32")
    plan = build_plan(trt, define, "fp32", BATCH_SIZE, explicit_batch=True)
    with Session(trt, engine_of(trt, plan)) as session:
        for index, images in enumerate(batches):
            labels = session.run({int8_api.INPUT: images})[int8_api.OUTPUT].argmax(1)
            write_batch(made / f"batches/batch{index}", Batch(images, labels.astype(np.float32)))
            assert len(np.unique(labels)) > 1
    write_ranges(made / "ranges.txt", record_ranges(trt, define, batches, BATCH_SIZE, explicit_batch=True))
    done = script("record_backend.py", "--backend", "reference", "--out", made / "backend.json")
    assert done.returncode == 0, done.stderr
    return made


def script(name, *words):
    return subprocess.run([sys.executable, SCRIPTS / name, *words], capture_output=True, text=True, check=False)


def search(folder, tmp_path, spoilt):
    """Return what the script says and the layers that it keeps."""
    ranges = read_ranges(folder / "ranges.txt")
    write_ranges(tmp_path / "ranges.txt", {**ranges, **{name: ranges[name] * SPOILT for name in spoilt}})
    words = ["--sample", "int8_api", "--export-dir", folder / "export", "--ranges", tmp_path / "ranges.txt"]
    words += ["--batch-dir", folder / "batches", "--batches", str(BATCHES), "--limit", "0.05"]
    done = script(
        "find_mixed_precision.py", *words, "--backend-file", folder / "backend.json", "--out", tmp_path / "kept"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, (tmp_path / "kept").read_text().split()


@pytest.mark.parametrize(
    ("spoilt", "kept"),
    [
        ([], []),
        ([int8_api.INPUT], ["first"]),
        (["second_relu"], ["third"]),
        ([int8_api.INPUT, "second_relu"], ["first", "third"]),
    ],
)
def test_layers_that_read_a_tensor_whose_range_is_spoilt_are_kept(folder, tmp_path, spoilt, kept):
    said, found = search(folder, tmp_path, spoilt)
    assert found == kept
    assert f"{len(kept)} of 3 layers are kept in float32" in said
