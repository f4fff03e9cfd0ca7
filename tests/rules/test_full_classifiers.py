"""Classifiers of pictures with data: full: networks of the published size, random weights, an archive of noise."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from full import SETTINGS, SHARED, full_copy, pin, run
from PIL import Image
from workflow_copy import ROOT

from trtflow.datasets.digit_pictures import read_classes, read_images, read_labels
from trtflow.datasets.images import read_image, to_bgr_input
from trtflow.formats.caffe import array_to_blob, blob_to_array, read_caffemodel, write_caffemodel

FILES = {
    ("googlenet", "caffe"): {
        "caffe/bvlc_googlenet.prototxt": "model.prototxt",
        "caffe/bvlc_googlenet.caffemodel": "model.caffemodel",
    },
    ("resnet50", "onnx"): {"onnx/resnet50-caffe2-v1-9.onnx": "model.onnx"},
    ("resnet50", "caffe"): {"caffe/ResNet-50-model.caffemodel": "model.caffemodel"},
}
GOOGLENET = "caffe/bvlc_googlenet.prototxt"
PUBLISHED = [GOOGLENET] if (SHARED / GOOGLENET).exists() else []  # taken as they are, by their checksums
PICTURES = "imagenet/ILSVRC2012_img_val.tar"
LABELS = "imagenet/caffe_ilsvrc12.tar.gz"
FLATTER = 1e-2
SMALL = "splits: {val: 4, calibration: 2}, max_batch_size: 1"  # timings of large batches take longest of all


def export(network, form, folder):
    name = {("resnet50", "caffe"): "resnet50_caffe"}.get((network, form), network)
    command = [sys.executable, ROOT / "scripts/export_sizes.py", "--complete", "--networks", name]
    subprocess.run([*command, "--out-dir", folder.parent / "sizes"], check=True, capture_output=True)
    shutil.copytree(folder.parent / "sizes" / name, folder, dirs_exist_ok=True)


def flatten(caffemodel):
    """Let a network of random weights be unsure, so that a small difference shows in its probabilities."""
    net = read_caffemodel(caffemodel)
    (dense,) = [layer for layer in net.layer if layer.name == "fc1000"]
    kernel, bias = (blob_to_array(blob) for blob in dense.blobs)
    dense.ClearField("blobs")
    dense.blobs.extend([array_to_blob(kernel * np.float32(FLATTER)), array_to_blob(bias)])
    write_caffemodel(net, caffemodel)


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def write_pictures(mirror):
    """Write seven pictures of noise as ImageNet's archive has them, and Caffe's lists of 1000 classes."""
    rng = np.random.default_rng(0)
    names = [f"ILSVRC2012_val_{index:08d}.JPEG" for index in range(1, 8)]
    with tarfile.open(mirror / PICTURES, "w") as archive:
        for name in names:
            stored = io.BytesIO()
            small = Image.fromarray(rng.integers(0, 256, (6, 8, 3)).astype(np.uint8))
            small.resize((400, 300)).save(stored, "JPEG")
            add(archive, name, stored.getvalue())
    with tarfile.open(mirror / LABELS, "w:gz") as archive:
        listed = "".join(f"{name} {142 * index}\n" for index, name in enumerate(names))
        words = "".join(f"n{index:08d} thing {index}, another name\n" for index in range(1000))
        add(archive, "val.txt", listed.encode())
        add(archive, "synset_words.txt", words.encode())


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    root = tmp_path_factory.mktemp("full")
    made = full_copy(root)
    mirror = root / "mirror"
    for folder in ("caffe", "onnx", "imagenet"):
        (mirror / folder).mkdir(parents=True)
    for (network, form), files in FILES.items():
        export(network, form, root / network)
        for file, name in files.items():
            (root / network / name).rename(mirror / file)
    flatten(mirror / "caffe/ResNet-50-model.caffemodel")
    write_pictures(mirror)
    for file in PUBLISHED:
        shutil.copyfile(SHARED / file, mirror / file)
    stand_ins = [file for files in FILES.values() for file in files if file not in PUBLISHED]
    pin(made, [PICTURES, LABELS, *stand_ins])
    return made


def report_of(workflow, name):
    report = json.loads((workflow.folder / f"results/{name}_report.json").read_text())
    return report, {gate["name"]: gate["passed"] for gate in report["gates"]}


def test_googlenet_at_its_own_size(workflow):
    run(workflow, "results/googlenet_report.json", f"samples={{googlenet: {{{SMALL}, profile_batch_size: 1}}}}")
    report, passed = report_of(workflow, "googlenet")
    assert report["data"] == "full"
    assert passed["framework_agreement"]
    assert passed["top1"] is False  # of weights that were drawn by chance
    data = workflow.folder / "results/googlenet/data"
    assert read_classes(data)[999] == "thing 999"
    paths, _ = read_images(data, "val")
    assert [read_image(path).shape for path in paths] == [(224, 224, 3)] * 4
    labels = [*read_labels(data, "val"), *read_labels(data, "calibration")]
    assert len(set(labels)) == 6
    assert set(labels) <= set(range(0, 994, 142))
    assert "thing" in report["texts"]["top5"][0]


@pytest.mark.skipif(not PUBLISHED, reason="no shared/data/caffe")
def test_the_published_prototxt_is_the_network_of_the_engine(workflow):
    run(workflow, "results/googlenet/layers.fp32.txt", f"samples={{googlenet: {{{SMALL}, profile_batch_size: 1}}}}")
    folder = workflow.folder / "results/googlenet"
    assert (folder / "artefacts/model.prototxt").read_bytes() == (SHARED / GOOGLENET).read_bytes()
    layers = (folder / "layers.fp32.txt").read_text()
    assert "conv1/7x7_s2: CONVOLUTION" in layers
    assert "inception_5b/output: CONCATENATION" in layers


def test_int8_api_at_its_own_size(workflow):
    run(workflow, "results/int8_api_report.json", f"samples={{int8_api: {{{SMALL}}}}}")
    report, passed = report_of(workflow, "int8_api")
    assert report["data"] == "full"
    assert passed == {"top1": False, "int8_top1_drop": True, "framework_agreement": True}
    agreement = json.loads((workflow.folder / "results/int8_api/agreement.json").read_text())
    assert agreement["fp32"]["agreement"] <= 1e-4
    metrics = json.loads((workflow.folder / "results/int8_api/metrics.int8.json").read_text())["metrics"]
    assert set(metrics) == {"top1", "top5"}


def test_three_forms_of_the_published_resnet50_say_the_same(workflow):
    name = "introductory_parser_samples"
    folder = workflow.folder / f"results/{name}"
    run(workflow, f"results/{name}_report.json", f"samples={{{name}: {{{SMALL}, precisions: [fp32]}}}}")
    report, passed = report_of(workflow, name)
    assert report["data"] == "full"
    assert {gate for gate, held in passed.items() if not held} == {"top1"}
    found = {}
    for file in ("agreement", "programs"):
        found |= json.loads((folder / f"{file}.json").read_text())["fp32"]
    probabilities = np.load(folder / "predictions.fp32.npz")["probabilities"]
    assert probabilities.max() < 0.5
    assert probabilities.std(axis=1).min() > 1e-3
    assert max(found[metric] for metric in ("agreement", "caffe_difference", "uff_difference")) <= 1e-5
    assert found["caffe_top5_agreement"] == found["uff_top5_agreement"] == 1
    assert json.loads((folder / "export/input.json").read_text()) == {"shape": [3, 224, 224], "pixels": "bgr"}
    inputs = np.load(folder / "inputs.npz")["gpu_0/data_0"]
    paths, _ = read_images(folder / "data", "val")
    np.testing.assert_allclose(inputs, to_bgr_input([read_image(path) for path in paths]))


def test_without_the_pictures_the_error_says_how_to_get_them(tmp_path):
    (tmp_path / "empty").mkdir()
    target = "results/downloads/imagenet/ILSVRC2012_img_val.tar"
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "1", target]
    command += ["--directory", tmp_path, "--config", *SETTINGS, f"mirror={tmp_path / 'empty'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    log = (tmp_path / "logs/downloads/imagenet/ILSVRC2012_img_val.tar.log").read_text()
    assert "image-net.org gives ILSVRC2012_img_val.tar to who is registered there" in log
