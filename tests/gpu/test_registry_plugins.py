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

DIFFERENT = {  # of which TensorRT 8.6.0 gives something else on an H200: docs/plugins.md
    "batched_nms in pixels, but not Caffe's": "areas of boxes have a pixel more, and what two share has not",
    "batched_nms_dynamic of few boxes": "the second picture's rows begin too late in its outputs",
}
LACKING = "instance_norm"  # cases that need cuDNN's training library
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
    if case.name.startswith(LACKING) and not any(key in outputs for key in keys):
        pytest.skip("TensorRT did not run it: it needs cuDNN's training library")
    assert all(key in outputs for key in keys), f"{case.name}: TensorRT could not run it"
    found = [outputs[key] for key in keys]
    if case.name in DIFFERENT:
        with pytest.raises(AssertionError):
            check(case, found, run(trt, case))
    else:
        check(case, found, run(trt, case))
