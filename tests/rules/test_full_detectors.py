"""ssd and faster_rcnn with data: full, from a mirror of files in the published layouts."""

import json
import shutil

import numpy as np
import pytest
import torch
from caffe_archives import faster_rcnn_files, ssd_files, write_tgz
from full import SHARED, full_copy, pin, run
from PIL import Image
from test_configuration import dry_run
from voc_tar import make_files, write_tar

from trtflow.families.faster_rcnn.network import FasterRCNN
from trtflow.families.ssd.network import SSD
from trtflow.formats.caffe import read_prototxt, without_weights

NAMES = ("ssd", "faster_rcnn")
REPORTS = [f"results/{name}_report.json" for name in NAMES]
WIDTH = 0.0625
ARCHIVE = "caffe/faster_rcnn_models.tgz"
PROTOTXT = "caffe/faster_rcnn_vgg16_test.prototxt"
TARS = {"calibration": "voc/VOCtrainval_06-Nov-2007.tar", "val": "voc/VOCtest_06-Nov-2007.tar"}
COMMON = f"splits: {{calibration: 2, val: 4}}, model: {{width: {WIDTH}}}, max_batch_size: 1, figures: {{count: 1}}"
GATES = """[{name: map, metric: map, precision: fp32, op: ">=", limit: 0.5},
    {name: framework_map_drop, metric: framework_map_drop, precision: fp32, op: "<=", limit: 0.005}]"""
SMALL = (
    f"samples={{ssd: {{{COMMON}, precisions: [fp32, int8], gates: {GATES}}},"
    f" faster_rcnn: {{{COMMON}, precisions: [fp32], gates: {GATES}}}}}"
)


def write_mirror(folder, models, count=5):
    """Write stand-ins for the published files."""
    for split, name in TARS.items():
        write_tar(folder / name, make_files(split, count))
    write_tgz(folder / "caffe/models_VGGNet_VOC0712_SSD_300x300.tar.gz", ssd_files(models[0], folder))
    prototxt, files = faster_rcnn_files(models[1], folder)
    write_tgz(folder / ARCHIVE, files)
    (folder / PROTOTXT).write_bytes(prototxt)


def share_in(rows, others):
    """The share of a picture's best detections that the other run has too, to the third decimal."""
    best = rows[rows[:, 1] > 0][:50, 1:]
    assert len(best) >= 5
    return np.mean([(np.abs(others[:, 1:] - row).max(1) < 1e-3).any() for row in best])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("full")
    workflow, mirror = full_copy(root), root / "mirror"
    torch.manual_seed(0)
    write_mirror(mirror, (SSD(21, WIDTH).eval(), FasterRCNN(21, WIDTH).eval()))
    pin(workflow, [path.relative_to(mirror).as_posix() for path in mirror.glob("*/*.*")])
    for report in REPORTS:
        run(workflow, report, SMALL)
    return workflow


def test_plan_is_complete_and_trains_nothing(tmp_path):
    done = dry_run(tmp_path, "--quiet", "rules", "--config", "data=full", f"mirror={tmp_path}", "--", *REPORTS)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if line.strip()}
    wanted = {"fetch_artefact": "5", "unpack_artefact": "2", "write_report": "2", "build_engine": "6"}
    wanted |= {f"import_model_{name}": "1" for name in NAMES}
    wanted |= {"make_val_voc2007": "2", **{f"make_calibration_{name}": "1" for name in NAMES}}
    assert {name: counts.get(name) for name in wanted} == wanted
    assert not [name for name in counts if name.startswith(("train_", "export_", "plot_training")) or "scenes" in name]


def test_fetch_knows_the_tars(tmp_path):
    done = dry_run(tmp_path, "fetch", "--config", "data=full", "fetch=[ssd]")
    assert done.returncode == 0, done.stderr
    for name in (*TARS.values(), "caffe/models_VGGNet_VOC0712_SSD_300x300.tar.gz"):
        assert name in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_engines_agree_with_pytorch_and_random_weights_fail_the_gate(finished, name):
    report = json.loads((finished.folder / f"results/{name}_report.json").read_text())
    gates = {gate["name"]: gate["passed"] for gate in report["gates"]}
    assert report["data"] == "full"
    assert gates.pop("map") is False
    assert all(gates.values()), report["gates"]
    found, expected = (
        np.load(finished.folder / f"results/{name}/{path}.npz")["detections"]
        for path in ("predictions.fp32", "model/predictions")
    )
    assert set(np.unique(found[..., 1])) <= set(range(-1, 21))
    shares = [share_in(*rows) for rows in zip(found, expected, strict=True)]
    assert min(shares) > 0.95  # of random scores, which lie close together, not every box is kept by both


@pytest.mark.parametrize(("name", "size"), [("ssd", (300, 300)), ("faster_rcnn", (500, 375))])
def test_pictures_have_the_networks_size(finished, name, size):
    folder = finished.folder / f"results/{name}"
    pictures = sorted((folder / "data/val/JPEGImages").glob("*.jpg"))
    assert [path.stem for path in pictures] == ["000000", "000001", "000002", "000003"]
    assert {Image.open(path).size for path in pictures} == {size}
    assert name != "ssd" or len(list((folder / "calibration/batches").iterdir())) == 2
    assert Image.open(folder / "figures/000000.ppm").size == size


def test_export_is_the_published_model(finished):
    published = finished.folder / "results/ssd/artefacts/weights.caffemodel"
    assert (finished.folder / "results/ssd/export/model.caffemodel").read_bytes() == published.read_bytes()
    text = (finished.folder / "results/ssd/export/model.prototxt").read_text()
    assert 'top: "keep_count"' in text
    assert "Flatten" not in text
    text = (finished.folder / "results/faster_rcnn/export/model.prototxt").read_text()
    assert 'name: "RPROIFused"' in text


@pytest.mark.skipif(not (SHARED / PROTOTXT).exists(), reason="no shared/data/caffe")
def test_the_published_prototxt_is_taken_by_its_checksum_and_put_into_tensorrts_form(tmp_path):
    """The weights are those of a narrow network, which is no matter before an engine is built."""
    made, mirror = full_copy(tmp_path), tmp_path / "mirror"
    write_tgz(mirror / ARCHIVE, faster_rcnn_files(FasterRCNN(21, WIDTH).eval(), tmp_path)[1])
    shutil.copyfile(SHARED / PROTOTXT, mirror / PROTOTXT)
    pin(made, [ARCHIVE])
    run(made, "results/faster_rcnn/export/model.prototxt", SMALL)
    folder = made.folder / "results/faster_rcnn"
    assert (folder / "artefacts/network.prototxt").read_bytes() == (SHARED / PROTOTXT).read_bytes()
    assert read_prototxt(folder / "export/test.prototxt") == without_weights(read_prototxt(SHARED / PROTOTXT))
    net = read_prototxt(folder / "export/model.prototxt")
    (fused,) = [layer for layer in net.layer if layer.type == "RPROI"]
    assert fused.name == "RPROIFused"
    assert [layer.name for layer in net.layer][-3:] == ["cls_score", "bbox_pred", "cls_prob"]
