"""MNIST samples with data: full, through fetch and a mirror.

The mirror has files of MNIST's form with scikit-learn's digits in them; the copy of the workflow knows their checksums.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from full import SHARED, full_copy, pin, run

from trtflow.datasets.digits import enlarged_digits, read_images, read_labels
from trtflow.formats.idx import write_idx

SPLITS = "splits: {train: 1197, calibration: 100, val: 500}"


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
    if (SHARED / "onnx").exists():
        shutil.copytree(SHARED / "onnx", mirror / "onnx")
    return made


def passed_of(report):
    return {gate["name"]: gate["passed"] for gate in report["gates"]}


def test_a_network_is_trained_on_the_published_digits(workflow):
    samples = f"samples={{mnist: {{{SPLITS}, training: {{steps: 600, batch_size: 32}}, limits: {{top1: 0.9}}}}}}"
    run(workflow, "results/mnist_report.json", samples)
    report = json.loads((workflow.folder / "results/mnist_report.json").read_text())
    assert report["data"] == "full"
    assert all(passed_of(report).values()), report["gates"]
    images, labels = enlarged_digits()
    data = workflow.folder / "results/mnist/data"
    np.testing.assert_array_equal(read_images(data, "val")[0], images[1297:])
    np.testing.assert_array_equal(read_labels(data, "val"), labels[1297:])


@pytest.mark.skipif(not (SHARED / "onnx").exists(), reason="no shared/data/onnx")
def test_the_published_network_runs_from_fetch_to_report(workflow):
    samples = f"samples={{onnx_mnist: {{{SPLITS}, limits: {{top1: 0.85}}}}}}"  # it never saw digits of this kind
    run(workflow, "fetch", samples, "fetch=[onnx_mnist]")
    shutil.move(workflow.folder.parent / "mirror", workflow.folder.parent / "away")
    try:
        run(workflow, "results/onnx_mnist_report.json", samples)
    finally:
        shutil.move(workflow.folder.parent / "away", workflow.folder.parent / "mirror")
    report = json.loads((workflow.folder / "results/onnx_mnist_report.json").read_text())
    assert all(passed_of(report).values()), report["gates"]
    export = workflow.folder / "results/onnx_mnist/export/model.onnx"
    assert export.read_bytes() == (SHARED / "onnx/mnist-8.onnx").read_bytes()
    assert not any("training" in path for path in report["figures"])
    assert not (workflow.folder / "results/onnx_mnist/model/network.pt").exists()


def test_the_limit_of_a_gate_that_is_not_there(workflow):
    done = workflow.run("--dry-run", config=("samples={mnist: {limits: {top2: 1}}}",))
    assert done.returncode != 0
    told = "unknown gate 'top2'. Did you mean 'top1'? Known: top1, fp16_top1_drop, framework_agreement."
    assert f"samples.mnist: limits: {told}" in done.stdout
