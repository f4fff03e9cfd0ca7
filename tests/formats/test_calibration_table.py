from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.calibration_table import (
    ALGORITHMS,
    LEGACY,
    CalibrationTable,
    read_table,
    table_version,
    write_table,
)

GUIDE = b"""TRT-5100-EntropyCalibration2
data: 3c000889
conv1: 3c8954be
pool1: 3c8954be
conv2: 3dd33169
pool2: 3dd33169
ip1: 3daeff07
ip2: 3e7d50ec
prob: 3c010a14
"""


def parse(text: str) -> CalibrationTable:
    return CalibrationTable.from_bytes(text.encode(), "CalibrationTablessd")


def test_the_guides_table() -> None:
    table = CalibrationTable.from_bytes(GUIDE, "table")
    assert (table.version, table.algorithm) == ("5100", "EntropyCalibration2")
    assert list(table.scales) == ["data", "conv1", "pool1", "conv2", "pool2", "ip1", "ip2", "prob"]
    assert 127 * float(table.scales["data"]) == pytest.approx(0.9924, abs=1e-4)
    assert 127 * float(table.scales["ip2"]) == pytest.approx(31.42, abs=1e-2)
    assert table.to_bytes() == GUIDE


@pytest.mark.parametrize("algorithm", ALGORITHMS[:3])
def test_round_trip_through_a_file(tmp_path: Path, algorithm: str) -> None:
    scales = {"z": np.float32(0.25), "a": np.float32(1e-40), "m": np.float32(3e38)}
    write_table(tmp_path / "table", CalibrationTable("8600", algorithm, scales))
    assert (tmp_path / "table").read_text().startswith(f"TRT-8600-{algorithm}\nz: 3e800000\n")
    table = read_table(tmp_path / "table")
    assert table == CalibrationTable("8600", algorithm, scales)
    assert list(table.scales) == ["z", "a", "m"]


def test_the_legacy_calibrators_table() -> None:
    """Its first line was measured with TensorRT 8.6.0: no regression, quantile 0.9999."""
    text = b"0 3ff0000000000000 3fefff2e48e8a71e\ndata: 3c000889\nprob: 3c010a14\n"
    table = CalibrationTable.from_bytes(text, "table")
    assert (table.version, table.algorithm, table.cutoff, table.quantile) == ("0", LEGACY, 1.0, 0.9999)
    assert list(table.scales) == ["data", "prob"]
    assert table.to_bytes() == text
    table.check("8600", LEGACY, "table")
    table.check("7103", LEGACY, "table")
    with pytest.raises(FormatError, match="made by TRT-0-LegacyCalibration, but TRT-8600-EntropyCalibration2"):
        table.check("8600", "EntropyCalibration2", "table")


def test_tables_that_earlier_versions_of_this_library_wrote() -> None:
    table = parse("TRT-8600-LegacyCalibration\ndata: 3c000889\n")
    table.check("8600", LEGACY, "table")
    assert table.to_bytes() == b"0 3ff0000000000000 3fefff2e48e8a71e\ndata: 3c000889\n"


def test_no_leading_zeros() -> None:
    scales = {"zeros": np.float32(0), "tiny": np.float32(1e-45), "inf": np.float32(np.inf)}
    text = CalibrationTable("8600", "MinMaxCalibration", scales).to_bytes().decode()
    assert text.splitlines()[1:] == ["zeros: 0", "tiny: 1", "inf: 7f800000"]
    assert parse(text).scales == scales


@pytest.mark.parametrize(
    "name", ["(Unnamed Layer* 4) [Fully Connected]_output", "scope: conv: 1", "a:b", "ä", "a\x0bb"]
)
def test_names(name: str) -> None:
    scales = {name: np.float32(1)}
    assert parse(CalibrationTable("8600", "EntropyCalibration", scales).to_bytes().decode()).scales == scales


def test_line_ends_of_windows_and_a_missing_last_one() -> None:
    assert parse("TRT-8600-EntropyCalibration2\r\ndata: 3f800000\r\nprob: 3f000000").scales == {"data": 1, "prob": 0.5}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "begins with ''"),
        ("data: 3c000889\n", "begins with 'data: 3c000889'"),
        ("TRT-8600-Entropy\ndata: 0\n", "begins with 'TRT-8600-Entropy'"),
        ("TRT--EntropyCalibration2\n", "begins with"),
        ("0 3ff0000000000000\ndata: 0\n", "begins with '0 3ff0000000000000'"),
        ("0 3ff0000000000000 7ff8000000000000\n", "regression cutoff 1 and quantile nan are not between 0 and 1"),
        ("0 3ff0000000000000 4014000000000000\n", "quantile 5 are not between 0 and 1"),
        ("0 3ff0000000000000 3fefff2e48e8a71ea\n", "begins with"),
        ("TRT-8600-EntropyCalibration2\ndata: xyz\n", "line 2: 'data: xyz'"),
        ("TRT-8600-EntropyCalibration2\ndata: 0\n\nprob: 3c0008891\n", "line 4: 'prob: 3c0008891'"),
        ("TRT-8600-EntropyCalibration2\ndata: \n", "line 2"),
        ("TRT-8600-EntropyCalibration2\ndata 3c000889\n", "line 2"),
        ("TRT-8600-EntropyCalibration2\n: 3c000889\n", "line 2"),
        ("TRT-8600-EntropyCalibration2\ndata: 7fc00000\n", "the scale of tensor 'data' is nan"),
        ("TRT-8600-EntropyCalibration2\ndata: bf800000\n", "the scale of tensor 'data' is -1.0"),
        ("TRT-8600-EntropyCalibration2\ndata: 1\ndata: 1\n", "a second scale of tensor 'data'"),
    ],
)
def test_bad_tables(text: str, fault: str) -> None:
    with pytest.raises(FormatError) as error:
        parse(text)
    assert str(error.value).startswith("CalibrationTablessd: ")
    assert fault in error.value.fault
    assert error.value.remedy == "Delete the table and calibrate again."


def test_binary_is_no_table() -> None:
    with pytest.raises(FormatError, match="it is no text"):
        CalibrationTable.from_bytes(b"\xff\xfe\x00", "table")


def test_another_version_or_algorithm() -> None:
    table = CalibrationTable.from_bytes(GUIDE, "table")
    table.check("5100", "EntropyCalibration2", "table")
    for version, algorithm in (("8600", "EntropyCalibration2"), ("5100", "EntropyCalibration")):
        with pytest.raises(
            FormatError, match=f"table: made by TRT-5100-EntropyCalibration2, .*TRT-{version}-{algorithm} "
        ):
            table.check(version, algorithm, "table")


@pytest.mark.parametrize(("version", "header"), [("8.6.0", "8600"), ("8.5.2", "8502"), ("7.1.3.4", "7103")])
def test_version_in_the_header(version, header):
    assert table_version(version) == header
