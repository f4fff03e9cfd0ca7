"""The CUDA plugins against the cases that their reference implementations pass.

scripts/build_plugins.py --engine-python PYTHON; ENGINE_PYTHON=PYTHON python -m pytest tests/gpu/test_plugins.py
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = Path(os.environ.get("PLUGINS", ROOT / "results/plugins"))


def test_plugins_pass_the_cases_of_the_reference():
    python = os.environ.get("ENGINE_PYTHON")
    if python is None or shutil.which("nvidia-smi") is None:
        pytest.skip("needs a GPU, and ENGINE_PYTHON: the Python that has tensorrt and pycuda")
    if not (PLUGINS / "plugins.json").exists():
        pytest.skip(f"needs the plugins in {PLUGINS}: scripts/build_plugins.py makes them")
    command = [python, ROOT / "tests/gpu/run_plugin_cases.py", "--plugins", PLUGINS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok  ") == 18
