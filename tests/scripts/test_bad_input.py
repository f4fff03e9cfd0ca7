"""Scripts by hand, given something wrong: one clear line, exit status 1, no output left behind."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from family_jobs import do
from jobs import step
from PIL import Image

from trtflow.datasets.digit_scenes import CLASSES, write_split
from trtflow.families.ssd.checkpoint import save_ssd
from trtflow.families.ssd.network import SSD
from trtflow.formats import UserError
from trtflow.formats.arrays import write_arrays
from trtflow.formats.batch_file import Batch, write_batch

ROOT = Path(__file__).resolve().parents[2]


def run(script, *arguments):
    command = [sys.executable, ROOT / "scripts" / f"{script}.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def succeed(script, *arguments):
    done = run(script, *arguments)
    assert done.returncode == 0, done.stderr


def fail(script, *arguments):
    """Return the last line of standard error of a script that fails as it should."""
    done = run(script, *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: "), last
    return last


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with an untrained SSD's export, batch files, a table and a picture set."""
    folder = tmp_path_factory.mktemp("made")
    torch.manual_seed(0)
    save_ssd(SSD(len(CLASSES), 0.0625), folder / "ssd.pt")
    write_split(folder / "val", "val", 2, 0)
    for index in range(2):
        write_batch(
            folder / "batches" / f"batch{index}", Batch(np.random.default_rng(index).normal(size=(1, 3, 300, 300)))
        )
    exports = [folder / "export" / name for name in ("model.prototxt", "model.caffemodel", "SHA256SUMS")]
    stock = folder / "export" / "deploy.prototxt"
    do("ssd", "export", {}, {"model": folder / "ssd.pt"}, {"stock": stock, "exports": exports})
    succeed("record_backend", "--out", folder / "backend.json")
    succeed("calibrate", *calibration(folder), "--out", folder / "Table")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def calibration(folder):
    common = ["--sample", "ssd", "--export-dir", folder / "export", "--backend-file", folder / "backend.json"]
    return [*common, "--batch-dir", folder / "batches", "--batches", 2]


def engine(folder, precision="fp32"):
    common = ["--sample", "ssd", "--export-dir", folder / "export", "--backend-file", folder / "backend.json"]
    table = ["--calibration-table", folder / "Table"]
    return [*common, "--precision", precision, *table, "--plan", folder / "e.plan"]


def test_truncated_caffemodel(folder):
    path = folder / "export" / "model.caffemodel"
    path.write_bytes(path.read_bytes()[:-1000])
    assert "model.caffemodel: its checksum is not the one it was written with" in fail("build_engine", *engine(folder))
    (folder / "export" / "SHA256SUMS").unlink()
    assert "model.caffemodel: cut off or damaged" in fail("build_engine", *engine(folder))
    assert list(folder.glob("e.*")) == []


def test_prototxt_with_an_unknown_layer(folder):
    (folder / "export" / "SHA256SUMS").unlink()
    path = folder / "export" / "model.prototxt"
    path.write_text(path.read_text().replace('type: "Normalize"', 'type: "Normalise"'))
    message = fail("build_engine", *engine(folder))
    assert "layer 'conv4_3_norm': unknown type 'Normalise'" in message
    assert not (folder / "e.plan").exists()


def test_stock_prototxt_is_not_taken(folder):
    shutil.copy(folder / "export" / "deploy.prototxt", folder / "export" / "model.prototxt")
    (folder / "export" / "SHA256SUMS").unlink()
    message = fail("build_engine", *engine(folder))
    assert "is not in TensorRT's form" in message
    assert "Run scripts/convert_ssd_prototxt.py" in message
    assert not (folder / "e.plan").exists()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: "hello\n" + text, "Table: not a calibration table"),
        (lambda text: text.replace("8600", "8502"), "Table: made by TRT-8502"),
        (lambda text: text.replace("\nconv5_1: ", "\nother: "), "INT8 needs the range of 1 tensors that have none"),
    ],
)
def test_wrong_table(folder, edit, message):
    (folder / "Table").write_text(edit((folder / "Table").read_text()))
    said = fail("build_engine", *engine(folder, "int8"))
    assert message in said
    assert str(folder / "Table") in said
    assert not (folder / "e.plan").exists()


def test_no_table(folder):
    (folder / "Table").unlink()
    assert "no calibration table, which int8 needs" in fail("build_engine", *engine(folder, "int8"))


def test_batch_file_that_is_too_short(folder):
    path = folder / "batches" / "batch1"
    path.write_bytes(path.read_bytes()[:-4])
    message = fail("calibrate", *calibration(folder), "--out", folder / "NewTable")
    assert "batch1: its header says N, C, H, W = 1, 3, 300, 300" in message
    assert not (folder / "NewTable").exists()


def test_picture_of_the_wrong_size(folder):
    picture = folder / "val" / "JPEGImages" / "000001.jpg"
    Image.fromarray(np.zeros((200, 300, 3), np.uint8)).save(picture)
    preparation = ["--sample", "ssd", "--data", folder / "val", "--export-dir", folder / "export"]
    message = fail("prepare_inputs", *preparation, "--out", folder / "inputs.npz")
    assert "000001.jpg: the picture is 300x200, but the network takes 300x300" in message
    assert not (folder / "inputs.npz").exists()
    picture.write_bytes(b"no picture")
    message = fail("prepare_inputs", *preparation, "--out", folder / "inputs.npz")
    assert "000001.jpg: not a readable picture" in message


def inference(folder, **others):
    files = {"plan": folder / "e.plan", "backend": folder / "backend.json", "inputs": folder / "inputs.npz", **others}
    return step("infer", sample="ssd", task="detection", inputs=files, outputs={"predictions": folder / "p.npz"})


def test_inputs_that_do_not_fit_the_engine(folder):
    succeed("build_engine", *engine(folder))
    write_arrays(folder / "inputs.npz", {"data": np.zeros((1, 3, 299, 300), np.float32), "images": np.array(["a"])})
    message = fail("infer", *inference(folder))
    assert "input 'data': got an array of shape (1, 3, 299, 300)" in message
    assert not (folder / "p.npz").exists()


def test_missing_file_is_named(folder):
    message = fail("infer", *inference(folder, backend=folder / "nothing.json"))
    assert "nothing.json: no such file" in message


def test_unknown_sample(folder):
    message = fail(
        "calibrate", *["sdd" if argument == "ssd" else argument for argument in calibration(folder)], "--out", "t"
    )
    assert "unknown sample 'sdd'. Known: " in message


def test_some_of_mnists_files_are_none(tmp_path):
    settings = {"splits": {"train": 3, "calibration": 1, "val": 2}}
    files = {"inputs": {"images": tmp_path / "images.gz"}, "outputs": {"train": tmp_path / "data" / "train.npz"}}
    message = fail("make_data", *step("make_data", data_set="digits", settings=settings, **files))
    assert "no labels and no val_images and no val_labels" in message
    assert "Give all of images, labels, val_images, val_labels, or none." in message
    assert not (tmp_path / "data").exists()


def job(family, function, inputs=(), outputs=(), **settings):
    """Return the command line of a step of a family."""
    files = [{name: [str(path)] for name, path in dict(paths).items()} for paths in (inputs, outputs)]
    names = {"sample": "onnx_mnist", "step": function, "function": function, "family": family}
    others = {"task": "classification", "data_set": "digits", "settings": settings}
    return ["--job", json.dumps({**names, **others, "inputs": files[0], "outputs": files[1]})]


def test_a_published_model_that_is_none(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"<html>")
    write_arrays(tmp_path / "i.npz", {"Input3": np.zeros((1, 1, 28, 28), np.float32), "images": np.array(["a"])})
    given = {"export": tmp_path / "model.onnx", "inputs": tmp_path / "i.npz"}
    message = fail("predict", *job("digits", "predict", given, {"predictions": tmp_path / "p.npz"}))
    assert "model.onnx: ONNX Runtime cannot read it" in message
    assert not (tmp_path / "p.npz").exists()


def test_a_family_that_is_none():
    message = fail("train", *job("digit", "train"))
    assert "unknown family 'digit'. Known: char_rnn, classifiers, digits, faster_rcnn" in message


def test_a_family_without_the_function():
    message = fail("export", *job("yolov3", "import_model"))
    assert "onnx_mnist: import_model: family 'yolov3' has no function 'import_model'. It has " in message


def test_a_step_without_its_file(tmp_path):
    message = fail("export", *job("digits", "export", {}, {"exports": tmp_path / "model.onnx"}))
    assert "onnx_mnist: export: no input 'model'. Known: none." in message


def test_a_form_that_is_none(tmp_path):
    given = {"model": tmp_path / "network.pt"}
    message = fail("export", *job("digits", "export", given, {"exports": tmp_path / "e" / "model.uff"}, source="uff"))
    assert "source: no form 'uff'. Known: caffe, wts, arrays, onnx." in message


@pytest.mark.parametrize(
    ("family", "function", "output"),
    [
        ("ssd", "export", "exports"),
        ("ssd_inception", "freeze", "frozen"),
        ("faster_rcnn", "export", "exports"),
        ("classifiers", "freeze", "frozen"),
        ("keras_digits", "freeze", "frozen"),
    ],
)
def test_a_damaged_network(tmp_path, family, function, output):
    path = tmp_path / ("network.keras" if family == "keras_digits" else "network.pt")
    path.write_bytes(b"PK no network")
    outputs = {output: tmp_path / "out" / "file", "stock": tmp_path / "out" / "stock.prototxt"}
    with pytest.raises(UserError, match=f"{path.name}: not a "):
        do(family, function, {}, {"model": path}, outputs)
    assert not (tmp_path / "out").exists()
    path.unlink()
    with pytest.raises((UserError, FileNotFoundError), match=path.name):
        do(family, function, {}, {"model": path}, outputs)


def test_a_damaged_network_by_its_script(tmp_path):
    path, outputs = tmp_path / "network.pt", {"exports": tmp_path / "out" / "file", "stock": tmp_path / "out" / "stock"}
    path.write_bytes(b"PK no network")
    assert "network.pt: not a " in fail("export", *job("ssd", "export", {"model": path}, outputs))
    path.unlink()
    assert "network.pt: no such file" in fail("export", *job("ssd", "export", {"model": path}, outputs))
    assert not (tmp_path / "out").exists()
