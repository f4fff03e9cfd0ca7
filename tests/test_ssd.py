"""The main job, with a short training and gates to match; `make ssd` is the whole of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kept import kept
from PIL import Image

from trtflow.formats.netpbm import read_ppm

ROOT = Path(__file__).resolve().parents[1]
SHORT = (
    "samples={ssd: {splits: {train: 200, calibration: 10, val: 40}, model: {width: 0.0625}, max_batch_size: 2,"
    " training: {steps: 120, batch_size: 4, pretraining_steps: 100, threads: 1}, figures: {count: 8, threshold: 0.1},"
    " limits: {map: 0.1, fp16_map_drop: 0.05, int8_map_drop: 0.05}}}"
)


def finish(folder):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder, "--cores", "2", "--quiet", "all"]
    command += ["--config", "backend=reference", "latency_seconds=0.1", SHORT, "--", "results/ssd_report.json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def results():
    return kept("short_ssd", SHORT, finish) / "results"


@pytest.fixture(scope="module")
def report(results):
    return json.loads((results / "ssd_report.json").read_text())


def test_every_gate_passes(report):
    assert {gate["name"]: gate["passed"] for gate in report["gates"]} == {
        "map": True,
        "fp16_map_drop": True,
        "int8_map_drop": True,
        "framework_agreement": True,
    }
    assert report["passed"] is True


def test_engine_of_int8_has_integer_convolutions(results, report):
    layers = json.loads((results / "ssd" / "profile.int8.json").read_text())["layers"]
    assert {"conv1_1 + relu1_1", "fc7 + relu7", "detection_out"} <= {layer["name"] for layer in layers}
    assert report["precisions"]["int8"]["engine_bytes"] < 0.6 * report["precisions"]["fp32"]["engine_bytes"]


def test_pictures_show_red_boxes(results):
    pictures = sorted((results / "ssd" / "figures").glob("*.ppm"))
    assert len(pictures) == 8
    red = [(read_ppm(path) == [255, 0, 0]).all(-1).sum() for path in pictures]
    assert np.count_nonzero(red) >= 4
    assert Image.open(results / "ssd" / "figures" / "contact.png").size[0] > 600
