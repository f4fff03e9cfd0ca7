"""Networks of Darknet with every section and activation: TensorRT against ONNX Runtime, from the same ONNX.

ENGINE_PYTHON=PYTHON python -m pytest tests/gpu/test_darknet_parity.py

On a machine without this Python: `python tests/gpu/test_darknet_parity.py FOLDER` writes the cases here,
tests/gpu/run_onnx_cases.py runs them there, and DARKNET_OUTPUTS names the file that it wrote.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / place) for place in ("", "tests/converters")]

from darknet_networks import picture_of, random_values, written  # noqa: E402
from darknet_sections import ALL  # noqa: E402

from trtflow.converters.darknet import INPUT, convert  # noqa: E402
from trtflow.formats.darknet import read_cfg, read_layers  # noqa: E402

RUNNER = Path(__file__).with_name("run_onnx_cases.py")
FP32 = 1e-4  # of an output's largest value


def write_cases(folder):
    """Write each network as ONNX, and a picture for it."""
    for name, text in ALL.items():
        with tempfile.TemporaryDirectory() as made:
            own = Path(made) / "own.cfg"
            own.write_text(text)
            cfg, _ = written(Path(made), read_cfg(own))
            layers, picture = read_layers(cfg), picture_of(cfg)
        model, _ = convert(layers, random_values(layers), picture.shape[1:])
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        np.savez(folder / f"{name}.npz", **{INPUT: picture})


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    write_cases(folder)
    return folder


@pytest.fixture(scope="module")
def outputs(cases):
    """What TensorRT gave, by name of the case and of the output."""
    if "DARKNET_OUTPUTS" in os.environ:
        return dict(np.load(os.environ["DARKNET_OUTPUTS"]))
    python = os.environ.get("ENGINE_PYTHON")
    if python is None or shutil.which("nvidia-smi") is None:
        pytest.skip("needs a GPU, and ENGINE_PYTHON: the Python that has tensorrt and pycuda; or DARKNET_OUTPUTS")
    command = [python, RUNNER, "--cases", cases, "--out", cases / "outputs.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(np.load(cases / "outputs.npz"))


@pytest.mark.parametrize("name", ALL)
def test_tensorrt_agrees_with_onnx_runtime(cases, outputs, name):
    session = onnxruntime.InferenceSession(cases / f"{name}.onnx", providers=["CPUExecutionProvider"])
    wanted = session.run(None, {INPUT: np.load(cases / f"{name}.npz")[INPUT]})
    for output, theirs in zip(session.get_outputs(), wanted, strict=True):
        key = f"{name}/{output.name}"
        assert key in outputs, f"TensorRT could not run {name}"
        assert np.abs(outputs[key] - theirs).max() <= FP32 * np.abs(theirs).max()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_cases(target)
