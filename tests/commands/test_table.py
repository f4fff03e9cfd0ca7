"""trtflow table: what is read, what becomes of ranges and back, and what differs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from trtflow.__main__ import main
from trtflow.formats.calibration_table import CalibrationTable, read_table, write_table
from trtflow.formats.dynamic_ranges import read_ranges


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CalibrationTable:
    """A table in the folder that commands run in, with scales of all magnitudes and names with colons."""
    monkeypatch.chdir(tmp_path)
    bits = np.random.default_rng(0).integers(0, 0x7F000000, 2000, np.uint32)  # 0x7f000000: 127 times that is 2e40
    values = [0, 1, 0x00800000, *bits.tolist()]  # 0, the least denormal, the least normal number
    scales = {f"conv:{index}: x": np.uint32(value).view(np.float32) for index, value in enumerate(values)}
    made = CalibrationTable("8601", "MinMaxCalibration", scales)
    write_table(Path("Table"), made)
    return made


def failed(*arguments: str) -> str:
    """Return what a command says last that fails as it should."""
    with pytest.raises(SystemExit) as raised:
        main(["table", *arguments])
    return str(raised.value.code)


def test_ranges_are_127_times_the_scales_and_lead_back_to_the_bit(table: CalibrationTable) -> None:
    main(["table", "to-ranges", "Table", "ranges.txt"])
    ranges = read_ranges(Path("ranges.txt"))
    assert list(ranges) == list(table.scales)
    largest = max(table.scales, key=lambda name: table.scales[name])
    assert ranges[largest] == pytest.approx(127 * float(table.scales[largest]), rel=1e-8)
    main(["table", "to-table", "ranges.txt", "Back", "--version", "8601", "--algorithm", "MinMaxCalibration"])
    assert Path("Back").read_bytes() == Path("Table").read_bytes()


def test_read_prints_a_line_a_tensor(table: CalibrationTable, capsys: pytest.CaptureFixture[str]) -> None:
    main(["table", "read", "Table", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["facts"] == {"algorithm": "MinMaxCalibration", "TensorRT": "8601"}
    assert [entry["scale"] for entry in told["ranges"]] == [float(scale) for scale in table.scales.values()]
    main(["table", "read", "Table"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Table: calibration table, algorithm MinMaxCalibration, TensorRT 8601"
    assert lines[-1] == f"{len(table.scales)} tensors"


def test_json_has_no_numbers_that_json_has_not(table: CalibrationTable, capsys: pytest.CaptureFixture[str]) -> None:
    Path("infinite").write_text("TRT-8600-EntropyCalibration2\na: 7f800000\nb: 0\n")
    Path("finite").write_text("TRT-8600-EntropyCalibration2\na: 3f800000\nb: 3f800000\n")
    main(["table", "read", "infinite", "--json"])
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [entry["range"] for entry in told["ranges"]] == ["inf", 0]
    assert failed("compare", "finite", "infinite", "--json") == "1"
    compared = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert compared["differing"] == {"a": {"relative": "inf"}, "b": {"relative": "inf"}}


@pytest.mark.parametrize("tolerance", ["nan", "-1", "inf", "much"])
def test_tolerance_is_a_number_from_0_on(tolerance: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert failed("compare", "a", "b", f"--tolerance={tolerance}") == "2"
    assert f"invalid tolerance value: '{tolerance}'" in capsys.readouterr().err.splitlines()[-1]


def test_compare_tells_what_differs_most_and_exits_so(
    table: CalibrationTable, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["table", "compare", "Table", "Table"])
    assert capsys.readouterr().out == f"{2003} of 2003 tensors equal to 2e-06; largest difference 0\n"
    names = list(table.scales)
    changed = {name: scale for name, scale in table.scales.items() if name != names[5]}
    changed[names[7]] *= np.float32(1.5)
    changed[names[8]] *= np.float32(1.001)
    changed["mine"] = np.float32(1)
    write_table(Path("Other"), CalibrationTable("8600", "MinMaxCalibration", changed))
    assert failed("compare", "Other", "Table") == "1"
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["0.5", "0.001"]
    assert "only the first: mine" in lines
    assert f"only the second: {names[5]}" in lines
    assert "headers: TRT-8600-MinMaxCalibration and TRT-8601-MinMaxCalibration" in lines
    assert lines[-1] == "2000 of 2002 tensors equal to 2e-06; largest difference 0.5"
    assert failed("compare", "Other", "Table", "--json", "--tolerance", "0.01") == "1"
    assert list(json.loads(capsys.readouterr().out)["differing"]) == [names[7]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("read", "no"), "error: no: no such file"),
        (("read", "."), "error: .: is a directory. Correct the path"),
        (("to-ranges", "infinite", "out"), "error: infinite: the scale of tensor 'a' is infinite. Calibrate again."),
        (("to-ranges", "bare", "out"), "error: bare: there are no scales in it. Calibrate again."),
        (("to-table", "Table", "out"), "error: Table: line 1: 'TRT-8601-MinMaxCalibration' is not <tensor>:"),
        (("to-table", "large", "out"), "error: large: the range of tensor 'a' is 1e+45, too large for a scale"),
        (("to-table", "good", "out", "--algorithm", "Entropy"), "error: unknown algorithm 'Entropy'. Known: Entropy"),
        (("to-table", "good", "out", "--version", "8.6"), "error: version '8.6' is not as a table's header has it: 86"),
        (("compare", "Table", "good"), "error: good: not a calibration table: it begins with 'a:1'"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(table: CalibrationTable, arguments: tuple, message: str) -> None:
    Path("infinite").write_text("TRT-8600-EntropyCalibration2\na: 7f800000\n")
    Path("bare").write_text("TRT-8600-EntropyCalibration2\n")
    Path("large").write_text("a:1e45\n")
    Path("good").write_text("a:1\n")
    assert failed(*arguments).startswith(message)
    assert not Path("out").exists()


def test_table_of_scales_is_the_one_that_tensorrt_reads(table: CalibrationTable) -> None:
    Path("good").write_text("data:127\n")
    main(["table", "to-table", "good", "Made"])
    assert Path("Made").read_text() == "TRT-8600-EntropyCalibration2\ndata: 3f800000\n"
    assert read_table(Path("Made")).scales == {"data": 1}
