"""The networks of original size, narrow here: exported, cut, filled, built and timed on the reference runtime."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _sizes import NETWORKS, random_pictures
from bench_sizes import table

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
QUICK = ["--batch-sizes", "1", "--seconds", "0.01"]


def script(name, *words):
    return subprocess.run([sys.executable, SCRIPTS / name, *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def skeletons(tmp_path_factory):
    folder = tmp_path_factory.mktemp("skeletons")
    done = script("export_sizes.py", "--networks", "resnet50", "--width", "0.0625", "--out-dir", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_failing_network_leaves_the_others_and_pytorch_stands_beside(skeletons, tmp_path):
    sides = ["--torch-python", sys.executable, "--torch-width", "0.0625", "--no-compile"]
    networks = ["--networks", "ssd", "resnet50"]  # the first has no skeleton
    folders = ["--skeletons", skeletons, "--out-dir", tmp_path]
    done = script("bench_sizes.py", *networks, *folders, *QUICK, "--precisions", "fp32", "int8", *sides)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ssd.json").exists()
    found = json.loads((tmp_path / "resnet50.json").read_text())
    assert [row["precision"] for row in found["rows"]] == ["fp32", "int8"]
    assert all(row["timing"]["latency_ms"]["median"] > 0 for row in found["rows"])
    assert found["pytorch"]["rows"][0]["eager"]["images_per_s"] > 0
    lines = (tmp_path / "sizes.md").read_text().splitlines()
    assert sum("ResNet-50" in line for line in lines) == 2


def test_what_is_not_begun_in_time_is_a_row_with_the_reason(skeletons, tmp_path):
    out = tmp_path / "resnet50.json"
    words = ["--name", "resnet50", "--skeletons", skeletons, "--out", out, "--time-limit", "-1"]
    done = script("bench_network.py", *words, *QUICK)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())["rows"]
    assert all("Raise --time-limit" in row["skipped"] for row in rows)
    assert "Not measured:" in table([json.loads(out.read_text())])


def test_random_pictures_have_the_networks_shape_and_repeat():
    found = random_pictures(NETWORKS["faster_rcnn"], 2, seed=3)
    assert found.shape == (2, 3, 375, 500)
    assert found.dtype == np.float32
    assert -1 <= found.min() < -0.9 < 0.9 < found.max() <= 1
    np.testing.assert_array_equal(found, random_pictures(NETWORKS["faster_rcnn"], 2, seed=3))
    assert (found != random_pictures(NETWORKS["faster_rcnn"], 2, seed=4)).any()
