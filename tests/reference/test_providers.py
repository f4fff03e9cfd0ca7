"""OpenVINO beside ONNX Runtime; absent in most environments: pip install 'trtflow[openvino]'."""

import importlib.util
import sys

import numpy as np
import onnx
import pytest
from networks import build
from test_int8_kernels import Calibrator, X, residual

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.reference.run import providers
from trtflow.reference.run.products import overflows
from trtflow.runtime.backend import describe, load_backend

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="openvino is not installed: pip install 'trtflow[openvino]'"
)
INT8 = pytest.param(trt.BuilderFlag.INT8, 0.2, marks=pytest.mark.skipif(overflows(), reason="a processor without VNNI"))


@pytest.fixture
def openvino(monkeypatch):
    monkeypatch.setattr(trt.ICudaEngine, "provider", providers.OPENVINO)


@needs_openvino
@pytest.mark.parametrize(("flag", "share"), [(None, 1e-3), INT8])
def test_openvino_gives_what_onnx_runtime_does(flag, share, monkeypatch):
    """Within float32's rounding, and INT8 within a fifth of what INT8 itself rounds away."""
    flags, calibrator = ([flag], Calibrator) if flag else ([], lambda: None)
    wanted = build(residual, X.shape[1:], *flags, calibrator=calibrator()).run({"x": X})["y"]
    exact = build(residual, X.shape[1:]).run({"x": X})["y"]
    monkeypatch.setattr(trt.ICudaEngine, "provider", providers.OPENVINO)
    found = build(residual, X.shape[1:], *flags, calibrator=calibrator()).run({"x": X})["y"]
    scale = np.abs(wanted - exact).mean() if flag else np.abs(exact).mean()
    assert np.abs(found - wanted).mean() <= share * scale


def test_int8_in_openvino_is_refused_where_its_products_overflow(openvino, monkeypatch):
    monkeypatch.setattr(providers, "overflows", lambda: True)
    with pytest.raises(UserError, match=r"no VNNI.*provider to onnxruntime"):
        build(residual, X.shape[1:], trt.BuilderFlag.INT8, calibrator=Calibrator())


def test_a_provider_that_is_missing_is_one_error_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    wanted = r"reference.provider is openvino, which is not installed here .*pip install 'trtflow\[openvino\]'"
    with pytest.raises(UserError, match=wanted):
        describe("reference", provider="openvino")
    with pytest.raises(UserError, match=wanted):
        load_backend({"name": "reference", "provider": "openvino"})
    with pytest.raises(UserError, match=wanted):
        providers.open_session(onnx.ModelProto(), providers.OPENVINO)


def test_an_unknown_provider_is_an_error():
    with pytest.raises(UserError, match=r"'tvm'. Set it to onnxruntime or openvino"):
        describe("reference", provider="tvm")


@needs_openvino
def test_backend_says_what_networks_run_in(monkeypatch):
    monkeypatch.setattr(trt.ICudaEngine, "provider", providers.ONNX_RUNTIME)
    backend = describe("reference", provider="openvino")
    assert backend["provider"] == "openvino"
    assert "OpenVINO 20" in backend["version"]
    assert load_backend(backend).ICudaEngine.provider == "openvino"
    assert "provider" not in describe("reference")
