"""docs/your-own-detector.md, followed step by step in an empty folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import agrees, commands_of, files_of

from trtflow.decoders import DECODERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "your-own-detector.md").read_text()


def test_the_page_names_every_decoder():
    assert re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE) == list(DECODERS)


@pytest.mark.workflow
def test_the_page_leads_to_a_report_that_passed(tmp_path):
    assert set(files_of(PAGE)) == {"make_detector.py"}
    for name, text in files_of(PAGE).items():
        (tmp_path / name).write_text(text)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TRTFLOW": str(ROOT)}
    for lines, printed in commands_of(PAGE):
        for line in lines:
            command = f"{line} --config latency_seconds=0.1" if line.startswith("snakemake") else line
            done = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert printed is None or agrees(done.stdout, printed), done.stdout
    report = json.loads((tmp_path / "results/squares_report.json").read_text())
    assert report["passed"]
    assert report["precisions"]["fp32"]["metrics"]["coco_map50"] > 0.99
    assert report["precisions"]["int8"]["metrics"]["coco_map50"] > 0.9
    assert {gate["name"] for gate in report["gates"]} == {
        "fp32_agreement",
        "fp16_map_drop",
        "fp16_agreement",
        "int8_map_drop",
        "int8_agreement",
    }
    losses = json.loads((tmp_path / "results/squares/calibration/losses.json").read_text())["tensors"]
    assert "map" in [loss["tensor"] for loss in losses]
    assert report["texts"]["losses"][0].startswith("SNR dB")
    assert (tmp_path / "results/squares/figures/objects.png").exists()
