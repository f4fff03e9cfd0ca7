"""docs/your-own-model.md, followed step by step in an empty folder; then models, data and labels that do not fit.

The latter are of a sample in the short form, with all of it said: what a file of that form says goes on.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from documents import agrees, commands_of, files_of
from jobs import step

from trtflow.formats.caffe import NetParameter, array_to_blob, write_caffemodel, write_prototxt

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "your-own-model.md").read_text()
SHORT = ROOT / "tests/data/own_digits"
MINE = "config/samples/my_digits.yaml"
FILES = {"make_example.py": (SHORT / "make_example.py").read_text(), MINE: (SHORT / "my_digits.yaml").read_text()}
BRIEFLY = "latency_seconds=0.1"
COMMANDS = [
    "python make_example.py",
    f"snakemake --snakefile $TRTFLOW/Snakefile --cores 2 results/my_digits_report.json --config {BRIEFLY}",
    "python $TRTFLOW/scripts/check_reports.py results/my_digits_report.json",
]


def shell(command, folder):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "TRTFLOW": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def snakemake(folder, *arguments):
    given = " ".join(arguments)
    config = f" {BRIEFLY}" if "--config" in given else f" --config {BRIEFLY}"
    return shell(f"snakemake --snakefile $TRTFLOW/Snakefile --cores 2 {given}{config}", folder)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """The folder after every step of the page, with a reader's clone in place of `$TRTFLOW`."""
    folder = tmp_path_factory.mktemp("empty folder")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for command in COMMANDS:
        done = shell(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}"
    return folder


@pytest.fixture
def folder(followed, tmp_path):
    """The same before its last step, for a test to change."""
    copy = Path(shutil.copytree(followed, tmp_path / "copy", ignore=shutil.ignore_patterns(".snakemake", "results")))
    (copy / "results/my_digits").mkdir(parents=True)
    shutil.copy(followed / "results/my_digits/config.yaml", copy / "results/my_digits")
    return copy


def change(folder, **changes):
    path = folder / MINE
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def test_page_is_followed_in_an_empty_folder(tmp_path):
    """Every file saved, every command run, and what it prints is what the page says."""
    for name, text in files_of(PAGE).items():
        (tmp_path / name).write_text(text)
    commands = commands_of(PAGE)
    assert sum(len(lines) for lines, _ in commands) == 9
    for lines, printed in commands:
        for line in lines:
            done = shell(f"{line} --config {BRIEFLY}" if line.startswith("snakemake") else line, tmp_path)
            assert done.returncode == 0, f"{line}\n{done.stdout}"
        assert printed is None or agrees(done.stdout, printed), done.stdout
    for name, metric, least in (("digits", "top1", 0.9), ("houses", "r2", 0.9)):
        report = json.loads((tmp_path / f"results/{name}_report.json").read_text())
        assert report["passed"] is True
        assert {gate["name"] for gate in report["gates"]} >= {"int8_agreement", f"int8_{metric}_drop"}
        assert report["precisions"]["int8"]["metrics"][metric] > least
        assert report["precisions"]["fp32"]["metrics"]["snr_db"] > 90  # from PyTorch and from TensorFlow themselves


def test_report_has_engines_gates_and_accuracy(followed):
    report = json.loads((followed / "results" / "my_digits_report.json").read_text())
    assert report["passed"] is True
    assert {gate["name"] for gate in report["gates"]} == {
        "top1",
        "fp16_top1_drop",
        "int8_top1_drop",
        "framework_agreement",
    }
    assert set(report["precisions"]) == {"fp32", "fp16", "int8"}
    assert report["precisions"]["int8"]["metrics"]["top1"] > 0.9
    assert "profile" in report["texts"]
    assert all((followed / path).exists() for path in report["figures"])
    assert len((followed / "results/my_digits/figures/top5.txt").read_text().splitlines()) == 100
    assert (followed / "results/my_digits/calibration/CalibrationTablemy_digits").exists()


def test_int8_engine_is_int8(followed):
    done = snakemake(followed, "results/my_digits/network.int8.onnx", "results/my_digits/index.html")
    assert done.returncode == 0, done.stdout
    operators = [node.op_type for node in onnx.load(followed / "results/my_digits/network.int8.onnx").graph.node]
    assert "QuantizeLinear" in operators
    assert "a sample of your own" in (followed / "results/my_digits/index.html").read_text()


def test_list_and_check_have_it(followed):
    done = snakemake(followed, "list")
    assert re.search(r"my_digits +your own", done.stdout), done.stdout
    assert "check" in COMMANDS[-1]


def test_another_folder_and_arrays_will_do(folder):
    """A .npz file in place of pictures, whatever its name, fp32 alone, and a folder of files that is configured."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 - takes seconds

    digits = load_digits()
    val = "it's {mine}, $(held) out.npz"
    np.savez(folder / val, inputs=digits.images[1200:1300, None] / 16, labels=digits.target[1200:1300])
    (folder / "mine").mkdir()
    gates = [gate for gate in yaml.safe_load((folder / MINE).read_text())["gates"] if gate["precision"] == "fp32"]
    change(folder, data={"classes": "classes.txt", "val": val}, precisions=["fp32"], gates=gates)
    (folder / MINE).rename(folder / "mine" / "my_digits.yaml")
    target = "results/my_digits/metrics.fp32.json"
    done = snakemake(folder, target, "results/my_digits/agreement.json", "--config", "own_samples=mine")
    assert done.returncode == 0, done.stdout
    assert json.loads((folder / target).read_text())["metrics"]["top1"] > 0.9


def write_other_forms(folder):
    """Write a linear classifier as a caffemodel, a frozen TensorFlow graph and UFF, and a file for each."""
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    from trtflow.converters.uff import from_tensorflow_frozen_model  # noqa: PLC0415 - loads TensorFlow

    random = np.random.default_rng(0)
    weights, bias = random.normal(size=(4, 3, 8, 6)).astype(np.float32), random.normal(size=4).astype(np.float32)
    net = NetParameter(name="linear")
    net.layer.add(name="image", type="Input", top=["image"]).input_param.shape.add(dim=[1, 3, 8, 6])
    layer = net.layer.add(name="scores", type="InnerProduct", bottom=["image"], top=["scores"])
    layer.inner_product_param.num_output = 4
    write_prototxt(net, folder / "linear.prototxt")
    layer.blobs.extend([array_to_blob(weights.reshape(4, -1)), array_to_blob(bias)])
    write_caffemodel(net, folder / "linear.caffemodel")
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (None, 8, 6, 3), name="image")
        kernel = tf.constant(weights.transpose(2, 3, 1, 0))
        found = tf.compat.v1.nn.conv2d(image, kernel, 1, "VALID") + tf.constant(bias)
        tf.nn.softmax(tf.reshape(found, [-1, 4]), name="out")
    (folder / "linear.pb").write_bytes(graph.as_graph_def().SerializeToString())
    from_tensorflow_frozen_model(folder / "linear.pb", ["out"], output_filename=folder / "linear.uff", quiet=True)
    for name, model in (("caffe", "caffemodel"), ("frozen", "pb"), ("uff", "uff")):
        settings = {**yaml.safe_load(FILES[MINE]), "name": name, "precisions": ["fp32"]}
        settings["model"] = {"file": f"linear.{model}", "logits": name == "caffe"}
        settings["data"] = {"classes": "classes.txt", "val": "val.npz"}
        settings["gates"] = [gate for gate in settings["gates"] if gate["name"] == "top1"]
        del settings["calibration"]
        (folder / "config/samples" / f"{name}.yaml").write_text(yaml.safe_dump(settings))
    (folder / "classes.txt").write_text("a\nb\nc\nd\n")
    inputs = random.normal(size=(20, 3, 8, 6)).astype(np.float32)
    truth = (inputs.reshape(20, -1) @ weights.reshape(4, -1).T + bias).argmax(axis=1)
    np.savez(folder / "val.npz", inputs=inputs, labels=truth)


def test_caffe_uff_and_tensorflow_say_the_same(tmp_path):
    (tmp_path / "config/samples").mkdir(parents=True)
    write_other_forms(tmp_path)
    names = ("caffe", "frozen", "uff")
    targets = [f"results/{name}/{file}" for name in names for file in ("agreement.json", "metrics.fp32.json")]
    done = snakemake(tmp_path, *targets)
    assert done.returncode == 0, done.stdout
    for name in names:
        assert json.loads((tmp_path / f"results/{name}/metrics.fp32.json").read_text())["metrics"]["top1"] == 1
        assert json.loads((tmp_path / f"results/{name}/agreement.json").read_text())["fp32"]["agreement"] < 1e-5


def failed(folder, script, *arguments):
    """Return the last line of a script that fails as it should."""
    command = [sys.executable, ROOT / "scripts" / f"{script}.py", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr.strip().splitlines()[-1]


def import_own(folder):
    """Return what taking the model over says, which fails as it should."""
    job = {
        "sample": "my_digits",
        "step": "import_model",
        "function": "import_model",
        "family": "own",
        "task": "classification",
        "data_set": "own",
        "settings": {
            "max_batch_size": 10,
            "calibration": {"batch_size": 10},
            "own": {"model": {"file": "digits.onnx"}, "data": {"classes": "classes.txt", "val": "pictures"}},
        },
        "inputs": {},
        "outputs": {"exports": ["results/my_digits/export/sample.json"]},
    }
    return failed(folder, "export", "--job", json.dumps(job))


def test_labels_and_outputs_that_disagree(folder):
    classes = folder / "classes.txt"
    classes.write_text(classes.read_text().replace("9\n", ""))
    message = "classes.txt: 9 classes, but output 'probabilities' of digits.onnx has 10 values. Name as many classes"
    assert message in import_own(folder)
    done = snakemake(folder, "results/my_digits_report.json")
    assert done.returncode != 0
    assert message in done.stdout  # the log that snakemake shows
    assert not (folder / "results/my_digits/export/sample.json").exists()
    classes.write_text("1\n2\n1\n")
    assert "classes.txt: class '1' stands in it twice" in import_own(folder)


def test_model_that_does_not_fit(folder):
    model = onnx.load(folder / "digits.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, folder / "digits.onnx")
    assert "digits.onnx: its batch is fixed at 1. Export it with a dynamic one" in import_own(folder)
    (folder / "digits.onnx").write_bytes((folder / "digits.onnx").read_bytes()[:-99])
    assert "digits.onnx: not an ONNX model, or a damaged one" in import_own(folder)


@pytest.fixture(scope="module")
def imported(followed, tmp_path_factory):
    """A folder with the model taken over, and data that tests add to."""
    folder = tmp_path_factory.mktemp("imported")
    shutil.copytree(followed / "results/my_digits/export", folder / "results/my_digits/export")
    return folder


def scoring(data):
    files = {"inputs": {"val": data, "predictions": "p.npz"}, "outputs": {"metrics": "m.json"}}
    return step("score", sample="my_digits", family="own", task="classification", **files)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        ((4, 8, 8), [0] * 4, "inputs of shape (8, 8), but input 'image' takes (1, 8, 8)"),
        ((4, 1, 8, 8), [0, 1, 2, 10], "labels from 0 to 10. The model's 10 classes are 0, 1"),
        ((4, 1, 8, 8), [0, 1, 2], "its arrays are of several lengths: 4 of inputs, 3 of labels"),
    ],
)
def test_arrays_that_do_not_fit(imported, inputs, labels, message):
    np.savez(imported / "val.npz", inputs=np.zeros(inputs, np.float32), labels=np.array(labels))
    np.savez(imported / "p.npz", probabilities=np.full((4, 10), 0.1, np.float32))
    if len(inputs) < 4:
        arguments = ["--export-dir", "results/my_digits/export", "--split", "val", "--out", "i.npz"]
        assert message in failed(imported, "prepare_inputs", "--sample", "my_digits", "--data", "val.npz", *arguments)
    else:
        assert message in failed(imported, "score", *scoring("val.npz"))
        assert not (imported / "m.json").exists()


def test_pictures_that_do_not_fit(imported, followed):
    shutil.copytree(followed / "pictures" / "1", imported / "pictures" / "eleven")
    np.savez(imported / "p.npz", probabilities=np.full((4, 10), 0.1, np.float32))
    message = failed(imported, "score", *scoring("pictures"))
    assert "its folder 'eleven' is no class. The model's 10 classes are 0, 1" in message
    (imported / "nothing").mkdir(exist_ok=True)
    arguments = ["--export-dir", "results/my_digits/export", "--batch-size", "10", "--out-dir", "batches"]
    for data, message in (("nothing", "nothing: no pictures"), ("pictures", "items, but the calibration takes 100")):
        found = failed(imported, "write_calibration_batches", "--sample", "my_digits", "--data", data, *arguments)
        assert message in found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modle": {}}, "my_digits.yaml: top level: unknown key modle. Known: name, title, task, model"),
        ({"name": "yours"}, "my_digits.yaml: name: 'yours' is not 'my_digits'"),
        ({"model": {"file": "digits.h5"}}, "my_digits.yaml: model.file: 'digits.h5' does not match"),
        ({"data": {}}, "my_digits.yaml: data.classes, data.val: missing, which task 'classification' needs. Add it"),
        ({"task": "detect"}, "my_digits.yaml: task: unknown task of a model of your own 'detect'."),
        ({"task": "translation"}, "my_digits.yaml: task: unknown task of a model of your own 'translation'. Known: "),
    ],
)
def test_mistake_in_the_file_is_told_before_anything_runs(followed, tmp_path, changes, message):
    (tmp_path / MINE).parent.mkdir(parents=True)
    shutil.copy(followed / MINE, tmp_path / MINE)
    change(tmp_path, **changes)
    done = snakemake(tmp_path, "--dry-run", "results/my_digits_report.json")
    assert done.returncode != 0
    assert message in done.stdout


def test_guides_own_name_is_taken(followed, tmp_path):
    (tmp_path / "config/samples").mkdir(parents=True)
    shutil.copy(followed / MINE, tmp_path / "config/samples/ssd.yaml")
    done = snakemake(tmp_path, "--dry-run", "results/ssd_report.json")
    assert "config/samples/ssd.yaml: ssd is a sample of the guide's. Rename it." in done.stdout
