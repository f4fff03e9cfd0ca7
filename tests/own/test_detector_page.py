"""docs/your-own-detector.md, followed step by step in an empty folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trtflow.decoders import DECODERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "your-own-detector.md").read_text()
FILES = {text.split("\n", 1)[0][2:]: text for text in re.findall(r"```(?:python|yaml)\n(# .*?)```", PAGE, re.DOTALL)}
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def test_the_page_names_every_decoder():
    assert re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE) == list(DECODERS)


@pytest.mark.workflow
def test_the_page_leads_to_a_report_that_passed(tmp_path):
    assert set(FILES) == {"make_detector.py", "config/samples/squares.yaml"}
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in COMMANDS:
        environment = {**os.environ, "PATH": path, "TRTFLOW": str(ROOT)}
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    report = json.loads((tmp_path / "results/squares_report.json").read_text())
    assert report["passed"]
    assert report["precisions"]["int8"]["metrics"]["coco_map50"] > 0.9
    assert {gate["name"] for gate in report["gates"]} == {
        "map",
        "fp16_map_drop",
        "fp16_agreement",
        "int8_map_drop",
        "int8_agreement",
    }
    assert (tmp_path / "results/squares/figures/objects.png").exists()
