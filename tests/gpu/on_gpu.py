"""Samples, results and scripts for the tests on a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trtflow.workflow.configuration import read_mapping

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(os.environ.get("RESULTS", ROOT / "results"))
SAMPLES = {path.stem: read_mapping(path) for path in sorted((ROOT / "config/samples").glob("*.yaml"))}


def script(name: str, *arguments: object) -> str:
    """Run a script with this Python; return what it printed."""
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(command, cwd=RESULTS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def require(path: Path) -> Path:
    """Return a result of the TensorRT run; skip where that sample was not run."""
    if not path.exists():
        pytest.skip(f"{path} is not there: this sample was not run with TensorRT")
    return path


def algorithm(sample: dict[str, Any]) -> str:
    """Return the calibration algorithm of a sample."""
    return str(sample.get("calibration", {}).get("algorithm", "entropy2"))
