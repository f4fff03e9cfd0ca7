"""A table that is there already, in place of a calibration: its own kind as it is, others where that is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trtflow.calibration.tables import take_table
from trtflow.formats import FormatError, UserError
from trtflow.formats.calibration_table import read_table
from trtflow.runtime.backend import describe

ROOT = Path(__file__).resolve().parents[2]
OWN = ("8600", "EntropyCalibration2")
TABLE = b"TRT-8600-EntropyCalibration2\ndata: 3c000889\n"
FOREIGN = {
    "a version": b"TRT-8601-EntropyCalibration2\ndata: 3c000889\n",
    "an old version, from Windows": b"TRT-7103-EntropyCalibration2\r\ndata: 3c000889\r\n",
    "an algorithm": b"TRT-8600-MinMaxCalibration\ndata: 3c000889\n",
    "the legacy one": b"0 3ff0000000000000 3fefff2e48e8a71e\ndata: 3c000889\n",
}


def written(folder: Path, data: bytes) -> Path:
    (folder / "old.table").write_bytes(data)
    return folder / "old.table"


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_table_is_taken_where_that_is_asked_for(tmp_path: Path, caplog, kind: str) -> None:
    path = written(tmp_path, FOREIGN[kind])
    assert take_table(path, *OWN, foreign=True).to_bytes() == TABLE
    (record,) = caplog.records
    header = FOREIGN[kind].split(b"\r")[0].split(b"\n")[0].decode()
    assert f"old.table: made by {header!r}; its scales are taken as they are" in record.getMessage()


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_table_is_refused_elsewhere(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FormatError, match=r"old\.table: it was made by TRT-.* is to use it\. .*calibration\.foreign"):
        take_table(written(tmp_path, FOREIGN[kind]), *OWN)


def test_own_table_is_taken_without_a_warning(tmp_path: Path, caplog) -> None:
    assert take_table(written(tmp_path, TABLE), *OWN).to_bytes() == TABLE
    assert not caplog.records


def test_ranges_become_the_table_of_their_scales(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbfdata:1.27\r\nTRT-8600:0.5\r\n0:2.54\r\n")
    table = take_table(path, "8600", "MinMaxCalibration")
    assert (table.version, table.algorithm) == ("8600", "MinMaxCalibration")
    assert table.scales == {"data": np.float32(0.01), "TRT-8600": np.float32(0.5 / 127), "0": np.float32(0.02)}


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "no ranges in it"),
        (b"TRT-8600-EntropyCalibration2\n", "no scales in it"),
        (b"TRT-8600-EntropyCalibration2\ndata 3c000889\n", "line 2"),
        (b"TRT-8600-Guess\ndata: 3c000889\n", "begins with"),
        (b"\xef\xbb\xbf" + TABLE, "not a calibration table"),
        (TABLE.decode().encode("utf-16"), "not a calibration table"),
        (b"data:nan\n", "line 1"),
        (b"data:1e300\n", "too large"),
        (b"\xff\xd8\xff\xe0", "not a text"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, fault: str) -> None:
    with pytest.raises(UserError, match=f"old.table: .*{fault}"):
        take_table(written(tmp_path, data), *OWN, foreign=True)


def test_script_writes_the_table_of_the_backend(tmp_path: Path) -> None:
    backend = tmp_path / "backend.json"
    backend.write_text(json.dumps(describe("reference")))
    out = tmp_path / "made" / "CalibrationTable"
    out.parent.mkdir()
    script = [sys.executable, ROOT / "scripts/take_table.py", written(tmp_path, FOREIGN["an algorithm"])]
    options = ["--algorithm", "entropy2", "--backend-file", backend, "--out", out]
    refused = subprocess.run([*script, *options], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "calibration.foreign" in refused.stderr.splitlines()[-1]
    assert not out.exists()
    subprocess.run([*script, *options, "--foreign"], capture_output=True, check=True)
    assert read_table(out).header == "TRT-8600-EntropyCalibration2"
