"""The main job for real: `snakemake results/ssd_report.json` in this checkout, and every gate passes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trtflow.formats.netpbm import read_ppm

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "ssd"


@pytest.fixture(scope="module")
def report():
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["snakemake", "--quiet", "all", "--", "results/ssd_report.json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((ROOT / "results" / "ssd_report.json").read_text())


def test_every_gate_passes(report):
    assert {gate["name"]: gate["passed"] for gate in report["gates"]} == {
        "map": True,
        "fp16_map_drop": True,
        "int8_map_drop": True,
        "framework_agreement": True,
    }
    assert report["passed"] is True


def test_engine_of_int8_has_integer_convolutions(report):
    layers = json.loads((RESULTS / "profile.int8.json").read_text())["layers"]
    assert {"conv1_1 + relu1_1", "fc7 + relu7", "detection_out"} <= {layer["name"] for layer in layers}
    assert report["precisions"]["int8"]["engine_bytes"] < 0.6 * report["precisions"]["fp32"]["engine_bytes"]


def test_pictures_show_red_boxes(report):
    pictures = sorted((RESULTS / "figures").glob("*.ppm"))
    assert len(pictures) == 8
    red = [(read_ppm(path) == [255, 0, 0]).all(-1).sum() for path in pictures]
    assert np.count_nonzero(red) >= 6
    assert Image.open(RESULTS / "figures" / "contact.png").size[0] > 600
