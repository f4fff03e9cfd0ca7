"""The pytest plugin: a user's tests run unmodified, with the settings of their own pytest.ini."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = "import tensorrt as trt\nLOGGER = trt.Logger(trt.Logger.ERROR)\n"  # imported before any test
TESTS = """
import numpy as np
import pycuda.autoinit
import pycuda.driver as cuda
import tensorrt as trt

def test_old_ways():
    builder = trt.Builder(trt.Logger())
    builder.max_workspace_size = 1 << 20
    assert builder.max_workspace_size == 1 << 20 and trt.__version__[0] == "6"

def test_memory():
    assert np.array_equal(cuda.from_device(cuda.to_device(np.arange(3.0)), 3, np.float), [0, 1, 2])
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_users.py").write_text(TESTS)
    return tmp_path


def test_settings_and_options(suite: Path) -> None:
    (suite / "pytest.ini").write_text("[pytest]\naddopts = -p trtflow.nvidia.pytest_plugin\ntrtflow_era = 6\n")
    found = run(suite)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "2 passed" in found.stdout
    assert "EraWarning: Builder.max_workspace_size is gone" in found.stdout


def test_wrong_settings_are_one_line(suite: Path) -> None:
    (suite / "pytest.ini").write_text("[pytest]\ntrtflow_era = 9\n")
    found = run(suite, "-p", "trtflow.nvidia.pytest_plugin")
    assert found.returncode == pytest.ExitCode.USAGE_ERROR
    assert "trtflow_era = 9. There are 5, 6 and 7" in found.stderr
    assert "Traceback" not in found.stderr
