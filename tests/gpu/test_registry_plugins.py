"""TensorRT's own plugins against their reference implementations, with random inputs.

ENGINE_PYTHON=PYTHON python -m pytest tests/gpu/test_registry_plugins.py

REGISTRY_OUTPUTS names the file of tests/gpu/run_registry_cases.py where that ran on another machine.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from registry_cases import CASES, check, run

import trtflow.reference as trt

RUNNER = Path(__file__).with_name("run_registry_cases.py")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What TensorRT's plugins gave, by number of the case and index of the output."""
    if "REGISTRY_OUTPUTS" in os.environ:
        return dict(np.load(os.environ["REGISTRY_OUTPUTS"]))
    python = os.environ.get("ENGINE_PYTHON")
    if python is None or shutil.which("nvidia-smi") is None:
        pytest.skip("needs a GPU, and ENGINE_PYTHON: the Python that has tensorrt and pycuda; or REGISTRY_OUTPUTS")
    path = tmp_path_factory.mktemp("registry") / "outputs.npz"
    done = subprocess.run([python, RUNNER, "--out", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(np.load(path))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_tensorrts_plugin_agrees_with_the_reference(outputs, number):
    case = CASES[number]
    keys = [f"{number}.{index}" for index in range(case.outputs)]
    assert all(key in outputs for key in keys), f"{case.name}: TensorRT could not run it"
    check(case, [outputs[key] for key in keys], run(trt, case))
