from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.calibration.calibrators import ALGORITHMS, BASES, make_calibrator
from trtflow.calibration.streams import BatchStream
from trtflow.formats import FormatError, UserError
from trtflow.formats.batch_file import Batch, write_batch
from trtflow.runtime.devices import HostBuffer

TABLE = b"TRT-8600-EntropyCalibration2\ndata: 3c000889\n"


@pytest.fixture
def stream(tmp_path: Path) -> BatchStream:
    paths = [tmp_path / f"batch{index}" for index in range(3)]
    for index, path in enumerate(paths):
        write_batch(path, Batch(np.full((2, 1, 2, 2), index, np.float32)))
    return BatchStream(paths)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_derives_from_tensorrts_class(algorithm: str, stream: BatchStream) -> None:
    calibrator = make_calibrator(trt, algorithm, stream, None, HostBuffer)
    assert isinstance(calibrator, getattr(trt, BASES[algorithm][0]))
    assert calibrator.get_batch_size() == 2


def test_base_classes_of_a_binding_are_initialised_by_name(stream: BatchStream) -> None:
    """As pybind11's classes demand it, which refuse every use otherwise."""

    class Base:
        def __init__(self) -> None:
            self.initialised = True

    module: Any = SimpleNamespace(IInt8MinMaxCalibrator=Base, __version__="8.6.0")
    assert make_calibrator(module, "minmax", stream, None, HostBuffer).initialised


def test_serves_each_batch_at_one_address(stream: BatchStream) -> None:
    calibrator = make_calibrator(trt, "entropy2", stream, None, HostBuffer)
    addresses = set()
    for index in range(3):
        (address,) = calibrator.get_batch(["data"])
        values = np.frombuffer((ctypes.c_char * 32).from_address(address), np.float32)
        np.testing.assert_array_equal(values, np.full(8, index))
        addresses.add(address)
    assert calibrator.get_batch(["data"]) is None
    assert len(addresses) == 1


def test_a_batch_that_cannot_be_read_leaves_no_table(tmp_path: Path, stream: BatchStream) -> None:
    """TensorRT goes on as if the batches had ended, and gives the table of those before."""
    table = tmp_path / "CalibrationTablessd"
    ended: list[bool] = []
    calibrator = make_calibrator(trt, "entropy2", stream, table, HostBuffer, on_table=lambda: ended.append(True))
    calibrator.get_batch(["data"])
    (tmp_path / "batch1").write_bytes(b"short")
    with pytest.raises(FormatError, match="batch1"):
        calibrator.get_batch(["data"])
    calibrator.write_calibration_cache(TABLE)
    assert isinstance(calibrator.fault, FormatError)
    assert not table.exists()
    assert not ended


def test_keeps_the_table(tmp_path: Path, stream: BatchStream) -> None:
    table = tmp_path / "made" / "CalibrationTablessd"
    calibrator = make_calibrator(trt, "entropy2", stream, table, HostBuffer)
    assert calibrator.read_calibration_cache() is None
    calibrator.write_calibration_cache(memoryview(TABLE))  # what NVIDIA's bindings give
    assert [path.read_bytes() for path in table.parent.iterdir()] == [TABLE]
    assert calibrator.read_calibration_cache() == TABLE
    assert make_calibrator(trt, "entropy2", None, table, HostBuffer).read_calibration_cache() == TABLE


def test_tells_when_the_table_is_written(tmp_path: Path, stream: BatchStream) -> None:
    table, seen = tmp_path / "CalibrationTablessd", list[bytes]()
    calibrator = make_calibrator(
        trt, "entropy2", stream, table, HostBuffer, on_table=lambda: seen.append(table.read_bytes())
    )
    calibrator.write_calibration_cache(TABLE)
    assert seen == [TABLE]


def test_no_table(tmp_path: Path, stream: BatchStream) -> None:
    calibrator = make_calibrator(trt, "entropy2", stream, None, HostBuffer)
    before = sorted(tmp_path.iterdir())
    calibrator.write_calibration_cache(TABLE)
    assert calibrator.read_calibration_cache() is None
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"TRT-8601-EntropyCalibration2\ndata: 3c000889\n", "TRT-8601-EntropyCalibration2, but TRT-8600-"),
        (b"TRT-8600-MinMaxCalibration\ndata: 3c000889\n", "TRT-8600-MinMaxCalibration, but TRT-8600-Entropy"),
        (b"data: 3c000889\n", "begins with"),
    ],
)
def test_wrong_table_is_refused_when_the_calibrator_is_made(
    tmp_path: Path, stream: BatchStream, text: bytes, fault: str
) -> None:
    table = tmp_path / "CalibrationTablessd"
    table.write_bytes(text)
    with pytest.raises(FormatError, match=f"CalibrationTablessd: .*{fault}.*Delete the table and calibrate again"):
        make_calibrator(trt, "entropy2", stream, table, HostBuffer)


def test_own_table_is_served_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(TABLE.replace(b"\n", b"\r\n"))
    calibrator = make_calibrator(trt, "entropy2", None, tmp_path / "table", HostBuffer)
    assert calibrator.read_calibration_cache() == TABLE.replace(b"\n", b"\r\n")


def test_neither_batches_nor_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CalibrationTablessd: no calibration table"):
        make_calibrator(trt, "entropy2", None, tmp_path / "CalibrationTablessd", HostBuffer)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_builder_calibrates_once_and_the_same_each_time(tmp_path: Path, stream: BatchStream, algorithm: str) -> None:
    def build(table: Path, batches: BatchStream | None) -> bytes:
        builder = trt.Builder(trt.Logger())
        builder.max_batch_size = 2
        network = builder.create_network()
        data = network.add_input("data", trt.float32, (1, 2, 2))
        layer = network.add_activation(data, trt.ActivationType.RELU)
        layer.get_output(0).name = "relu"
        network.mark_output(layer.get_output(0))
        config = builder.create_builder_config()
        config.set_flag(trt.BuilderFlag.INT8)
        config.int8_calibrator = make_calibrator(trt, algorithm, batches, table, HostBuffer)
        return bytes(builder.build_serialized_network(network, config))

    first, second = tmp_path / "first", tmp_path / "second"
    plan = build(first, stream)
    header = f"TRT-8600-{BASES[algorithm][1]}"
    legacy = "0 3ff0000000000000 3fefff2e48e8a71e"  # as TensorRT 8.6.0 wrote it
    assert first.read_text().splitlines()[0] == (legacy if algorithm == "legacy" else header)
    assert [line.partition(":")[0] for line in first.read_text().splitlines()[1:]] == ["data", "relu"]
    assert build(second, stream) == plan
    assert second.read_bytes() == first.read_bytes()
    assert build(first, None) == plan  # from the table alone
