"""faster_rcnn for real, with a short training: engines agree with PyTorch, pictures and report are there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kept import kept
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SMALL = (
    "samples={faster_rcnn: {splits: {train: 8, calibration: 4, val: 6, shape: [200, 256]}, model: {width: 0.0625},"
    " max_batch_size: 2, training: {pretraining_steps: 2, steps: 4, batch_size: 4, threads: 1}}}"
)


def finish(made):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2", "--quiet", "all"]
    command += ["--directory", made, "--config", "backend=reference", "latency_seconds=0.1", SMALL]
    command += ["--", "results/faster_rcnn_report.json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder():
    return kept("faster_rcnn", SMALL, finish)


def test_engines_agree_with_pytorch_and_a_short_training_fails_its_gate(folder):
    report = json.loads((folder / "results/faster_rcnn_report.json").read_text())
    gates = {gate["name"]: gate for gate in report["gates"]}
    assert gates["map"]["passed"] is False
    assert gates["framework_map_drop"]["passed"]
    assert report["passed"] is False
    assert set(report["precisions"]) == {"fp32", "fp16", "int8"}


def test_pictures_with_boxes_are_drawn_in_both_forms(folder):
    figures = folder / "results/faster_rcnn/figures"
    pictures = sorted(figures.glob("*.ppm"))
    assert len(pictures) == 6
    assert Image.open(pictures[0]).size == (256, 200)
    assert (figures / "contact.png").exists()


def test_the_profile_has_the_plugin(folder):
    profile = json.loads((folder / "results/faster_rcnn/profile.fp32.json").read_text())
    assert any("RPROIFused" in layer["name"] for layer in profile["layers"])
