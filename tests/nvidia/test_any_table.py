"""Calibration tables taken as TensorRT takes them, where that is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import FormatError
from trtflow.nvidia import nvidia_names

OLD = b"TRT-7103-EntropyCalibration2\r\nx: 3c010a14\r\nfirst: 3d010a14\r\n"
KERNEL = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32)
PICTURE = np.random.default_rng(1).normal(size=(1, 3, 9, 9)).astype(np.float32)


class Calibrator(trt.IInt8EntropyCalibrator2):
    """Serves a table."""

    def __init__(self, table: bytes) -> None:
        trt.IInt8EntropyCalibrator2.__init__(self)
        self.table = table

    def get_batch_size(self) -> int:
        return 1

    def get_batch(self, names: list[str]) -> None:
        return None

    def read_calibration_cache(self) -> bytes:
        return self.table


class Log(trt.ILogger):
    """Keeps warnings."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.said: list[str] = []

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        if severity == trt.ILogger.WARNING:
            self.said.append(msg)


def infer(log: Any, table: bytes | None) -> np.ndarray:
    """Return what two convolutions give, in INT8 with a table."""
    builder = trt.Builder(log)
    network, config = builder.create_network(1), builder.create_builder_config()
    tensor = network.add_input("x", trt.float32, PICTURE.shape)
    for name in ("first", "second"):
        layer = network.add_convolution_nd(tensor, 3, (3, 3), KERNEL)
        layer.name = name
        tensor = layer.get_output(0)
        tensor.name = name
    network.mark_output(tensor)
    if table is not None:
        config.set_flag(trt.BuilderFlag.INT8)
        calibrator = Calibrator(table)
        config.int8_calibrator = calibrator
    with trt.raising():
        engine = trt.Runtime(log).deserialize_cuda_engine(builder.build_serialized_network(network, config))
    out = np.empty((1, 3, 5, 5), np.float32)
    assert engine.create_execution_context().execute_v2([PICTURE.ctypes.data, out.ctypes.data])
    return out


def test_a_table_of_another_version_is_refused_unless_it_is_asked_for() -> None:
    with pytest.raises(FormatError, match="made by TRT-7103-EntropyCalibration2"):
        infer(Log(), OLD)
    log = Log()
    with nvidia_names(any_table=True):
        found = infer(log, OLD)
    assert log.said == ["calibration cache: made by TRT-7103-EntropyCalibration2, not TRT-8600; taken as it is"]
    np.testing.assert_array_equal(found, infer(Log(), OLD.replace(b"7103", b"8600")))
    with pytest.raises(FormatError):
        infer(Log(), OLD)  # again


def test_a_layer_without_a_scale_computes_in_float() -> None:
    lacking = b"TRT-8600-EntropyCalibration2\nfirst: 3d010a14\n"
    with pytest.raises(trt.BuildError, match="INT8 needs the range of 1 tensors that have none, first 'x'"):
        infer(Log(), lacking)
    log = Log()
    with nvidia_names(any_table=True):
        found = infer(log, lacking)
        all_lack = infer(Log(), b"TRT-8600-EntropyCalibration2\nother: 3d010a14\n")
    assert log.said == ["Missing scale for tensor x: layer first computes in FLOAT"]
    exact, both = infer(Log(), None), infer(Log(), OLD.replace(b"7103", b"8600"))
    np.testing.assert_array_equal(all_lack, exact)
    assert 0 < np.abs(found - exact).max() != np.abs(both - exact).max()


def test_a_table_of_another_algorithm_is_refused_all_the_same() -> None:
    with nvidia_names(any_table=True), pytest.raises(FormatError, match="MinMaxCalibration"):
        infer(Log(), OLD.replace(b"Entropy", b"MinMax").replace(b"Calibration2", b"Calibration"))
