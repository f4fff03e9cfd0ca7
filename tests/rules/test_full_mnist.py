"""The thirteen MNIST samples with data: full, through fetch and a mirror.

The mirror has files of MNIST's form with scikit-learn's digits in them; the copy of the workflow knows their checksums.
Samples differ only behind these files, as they do with data: mini, so four stand for all; `make full` runs every one.
"""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from full import SHARED, full_copy, pin, run
from stand_ins import write_mnist_8
from workflow_copy import ROOT

from trtflow.datasets.digits import enlarged_digits, read_images, read_labels
from trtflow.formats.idx import write_idx
from trtflow.workflow.configuration import read_mapping

SPLITS = "splits: {train: 1197, calibration: 100, val: 500}"
SHORT = f"{SPLITS}, training: {{steps: 60, batch_size: 32}}"
SCORES = {"top1", "int8_random_batch"}  # which a training of 60 steps does not reach; gates of agreement are to pass
APART = ("mnist", "onnx_mnist")  # they have tests of their own
DIGITS = [
    path.stem
    for path in sorted((ROOT / "config/samples").glob("*.yaml"))
    if read_mapping(path).get("data_set") == "digits" and path.stem not in APART
]
# a frozen graph of TensorFlow and a Caffe model with its calibration
ALWAYS = ("end_to_end_tensorflow_mnist", "int8_caffe_mnist")
ZOO = "onnx/mnist-8.onnx"
needs_published = pytest.mark.skipif(not (SHARED / ZOO).exists(), reason="no shared/data/onnx")
CHOSEN = DIGITS if os.environ.get("TRTFLOW_FULL") else ALWAYS


def write_mirror(folder):
    """Write MNIST's four files: 1,297 digits to train on and 500 to score."""
    images, labels = enlarged_digits()
    for name, part in (("train", slice(1297)), ("t10k", slice(1297, None))):
        write_idx(folder / f"mnist/{name}-images-idx3-ubyte.gz", images[part])
        write_idx(folder / f"mnist/{name}-labels-idx1-ubyte.gz", labels[part].astype(np.uint8))


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    """A copy of the workflow that takes the mirror's files for MNIST's."""
    made = full_copy(tmp_path_factory.mktemp("full"))
    mirror = made.folder.parent / "mirror"
    write_mirror(mirror)
    pin(made, [f"mnist/{path.name}" for path in (mirror / "mnist").iterdir()])
    return made


def passed_of(report):
    return {gate["name"]: gate["passed"] for gate in report["gates"]}


def test_a_network_is_trained_on_the_published_digits(workflow):
    samples = f"samples={{mnist: {{{SPLITS}, training: {{steps: 200, batch_size: 32}}, limits: {{top1: 0.9}}}}}}"
    run(workflow, "results/mnist_report.json", samples)
    report = json.loads((workflow.folder / "results/mnist_report.json").read_text())
    assert report["data"] == "full"
    assert all(passed_of(report).values()), report["gates"]
    images, labels = enlarged_digits()
    data = workflow.folder / "results/mnist/data"
    np.testing.assert_array_equal(read_images(data, "val")[0], images[1297:])
    np.testing.assert_array_equal(read_labels(data, "val"), labels[1297:])


@pytest.fixture(scope="module")
def reports(workflow):
    """Reports of the chosen samples, made in one run."""
    samples = f"samples={{{', '.join(f'{name}: {{{SHORT}}}' for name in CHOSEN)}}}"
    run(workflow, [f"results/{name}_report.json" for name in CHOSEN], samples)
    return {name: json.loads((workflow.folder / f"results/{name}_report.json").read_text()) for name in CHOSEN}


def test_all_thirteen_are_here():
    assert len(DIGITS) + len(APART) == 13


@pytest.mark.parametrize("name", DIGITS)
def test_a_sample_runs_to_its_report(request, name):
    if name not in CHOSEN:
        pytest.skip("minutes more: `make full` runs it")
    report = request.getfixturevalue("reports")[name]
    assert report["data"] == "full"
    passed = passed_of(report)
    assert passed["top1"] is False
    assert "framework_agreement" in passed
    assert all(passed[gate] for gate in passed.keys() - SCORES), report["gates"]


@pytest.fixture(params=["a stand-in", pytest.param("published", marks=needs_published)])
def with_network(request, tmp_path):
    """A copy of the workflow with mnist-8 in its mirror, and the file that it is."""
    made, mirror = full_copy(tmp_path), tmp_path / "mirror"
    write_mirror(mirror)
    pin(made, [f"mnist/{path.name}" for path in (mirror / "mnist").iterdir()])
    if request.param == "published":
        shutil.copytree(SHARED / "onnx", mirror / "onnx")
    else:
        write_mnist_8(mirror / ZOO)
        pin(made, [ZOO])
    return made, (mirror / ZOO).read_bytes(), request.param == "published"


def test_the_zoos_network_runs_from_fetch_to_report(with_network):
    workflow, network, published = with_network
    samples = f"samples={{onnx_mnist: {{{SPLITS}, limits: {{top1: 0.85}}}}}}"  # it never saw digits of this kind
    run(workflow, "fetch", samples, "fetch=[onnx_mnist]")
    shutil.move(workflow.folder.parent / "mirror", workflow.folder.parent / "away")
    run(workflow, "results/onnx_mnist_report.json", samples)
    report = json.loads((workflow.folder / "results/onnx_mnist_report.json").read_text())
    passed = passed_of(report)
    assert passed.pop("top1") is published
    assert all(passed.values()), report["gates"]
    assert (workflow.folder / "results/onnx_mnist/export/model.onnx").read_bytes() == network
    assert not any("training" in path for path in report["figures"])
    assert not (workflow.folder / "results/onnx_mnist/model/network.pt").exists()


def test_the_limit_of_a_gate_that_is_not_there(workflow):
    done = workflow.run("--dry-run", config=("samples={mnist: {limits: {top2: 1}}}",))
    assert done.returncode != 0
    told = "unknown gate 'top2'. Did you mean 'top1'? Known: top1, fp16_top1_drop, framework_agreement."
    assert f"samples.mnist: limits: {told}" in done.stdout
