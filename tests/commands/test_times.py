"""`trtflow list --times`: benchmarks and logs of a workflow, by rule."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trtflow.__main__ import main
from trtflow.formats.times import read_times, started_at, time_line

ROOT = Path(__file__).resolve().parents[2]
HEAD = "s\th:m:s\tmax_rss\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a workflow's folder with three jobs, one of them without the times of its script."""
    for name in ("config/samples", "benchmarks/mnist", "logs/mnist"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "Snakefile").touch()
    for name, seconds in (("infer.fp32", 2.5), ("infer.fp16", 3.5), ("train", 60)):
        (tmp_path / f"benchmarks/mnist/{name}.tsv").write_text(f"{HEAD}{seconds}\t0:00:02\t80\n")
    for name, work in (("infer.fp32", 2.0), ("infer.fp16", 2.9)):
        (tmp_path / f"logs/mnist/{name}.log").write_text(f"some words\n{time_line(1, 1.25, 1.25 + work)}\n")
    (tmp_path / "logs/mnist/train.log").write_text("epoch 1\n")
    return tmp_path


def test_work_and_overhead_by_rule(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "--times", "--folder", str(folder), "--json"])
    rows = {row["rule"]: row for row in json.loads(capsys.readouterr().out)}
    wanted = {"rule": "infer", "jobs": 2, "seconds": 6, "work": 4.9, "overhead": 1.1, "most": pytest.approx(0.6)}
    assert rows["infer"] == wanted
    assert rows["train"]["overhead"] is None


def test_the_table_ends_with_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "--times", "--folder", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["rule", "train", "infer", "all"]
    assert lines[-1].split() == ["all", "3", "66.00", "4.90", "1.10", "0.37", "0.60"]


def test_a_damaged_table_is_named(folder: Path) -> None:
    (folder / "benchmarks/mnist/train.tsv").write_text("nothing\n")
    with pytest.raises(SystemExit, match=r"train.tsv: no table of Snakemake's benchmarks"):
        main(["list", "--times", "--folder", str(folder)])


def test_nothing_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="no times of any job"):
        main(["list", "--times"])


def test_a_script_says_how_long_it_took_where_it_is_asked(tmp_path: Path) -> None:
    program = "import time; from trtflow.cli import run; run(lambda: time.sleep(0.3))"
    command, begun = [sys.executable, "-c", program], time.time()
    asked = {**os.environ, "PYTHONPATH": str(ROOT), "TRTFLOW_TIMES": "1"}
    said = subprocess.run(command, env=asked, capture_output=True, text=True, check=True).stderr
    taken, times = time.time() - begun, read_times(said)
    assert times is not None
    start, work = times
    assert 0.3 <= work < taken
    assert 0 < start + work <= taken + 0.05  # the kernel counts in hundredths
    silent = {key: value for key, value in asked.items() if key != "TRTFLOW_TIMES"}
    assert subprocess.run(command, env=silent, capture_output=True, text=True, check=True).stderr == ""


def test_this_process_began_before_now() -> None:
    assert 0 < time.time() - started_at() < 24 * 3600


def test_a_script_ends_without_a_search_for_cycles(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    text = "import atexit, gc\natexit.register(lambda: print(gc.get_freeze_count()))\n"  # called last, as it came first
    text += "kept = [[] for _ in range(2000)]\nfrom trtflow.cli import run\n"
    script.write_text(f"{text}run(lambda: print(gc.get_freeze_count()))\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env=environment)
    at_work, at_the_end = map(int, done.stdout.split())
    assert at_the_end >= at_work + 2000  # the script's own; a Python that started warm has others in it from the start
