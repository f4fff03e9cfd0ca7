"""The backend of a run: what results/backend.json says of the reference, and what scripts make of it."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.formats.files import write_json
from trtflow.runtime.backend import describe, load_backend, read_backend
from trtflow.runtime.parsers import parse_onnx


@pytest.fixture
def determinant(tmp_path: Path) -> Path:
    """A model of an operator that ONNX has and TensorRT has not."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [2, 2]), ("y", []))
    ]
    graph = helper.make_graph([helper.make_node("Det", ["x"], ["y"])], "g", values[:1], values[1:])
    path = tmp_path / "det.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def parsed(model: Path, backend: dict[str, object]) -> trt.INetworkDefinition:
    network = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR)).create_network(1)
    parse_onnx(load_backend(backend), network, model)
    return network


@pytest.mark.parametrize("beyond", [False, True])
def test_operators_beyond_tensorrt_are_run_where_the_backend_says_so(tmp_path, monkeypatch, determinant, beyond):
    monkeypatch.setattr(trt.OnnxParser, "beyond_tensorrt", False)
    write_json(tmp_path / "backend.json", describe("reference", beyond_tensorrt=beyond))
    backend = read_backend(tmp_path / "backend.json")
    assert backend.get("beyond_tensorrt") == (True if beyond else None)
    if beyond:
        assert parsed(determinant, backend).beyond_tensorrt == ["Det"]
    else:
        with pytest.raises(UserError, match=r"det.onnx: the ONNX parser could not read it: node 0: .*beyond_tensorrt"):
            parsed(determinant, backend)
