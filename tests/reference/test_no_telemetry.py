"""ONNX Runtime for Linux sends what it is used for over the network unless it is told not to before it is loaded."""

import os
import subprocess
import sys
from pathlib import Path

RUN = """
import numpy, trtflow
from onnx import TensorProto, helper
import onnxruntime
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
print(session.run(None, {"x": numpy.float32([-1])}))
"""
TELLS = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "JENKINS_URL", "ORT_DISABLE_TELEMETRY")  # of what keeps it silent as well


def test_onnx_runtime_leaves_no_session_of_telemetry(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in TELLS}
    places = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, env={**environment, **places}, capture_output=True, text=True, check=True)
    assert "0." in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == []
