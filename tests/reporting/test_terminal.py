"""Tables at the terminal, and lines of progress."""

import json
import os
import pty
import sys

import pytest
from pages import CPU, make_run

from trtflow import progress
from trtflow.progress import line, megabytes_line, track
from trtflow.reporting.terminal import GATES, gate_lines, needs_of, sample_lines, show, status_of


def read(path):
    return json.loads(path.read_text())


def test_plain_columns_elsewhere_than_on_a_terminal(capsys):
    show(GATES, gate_lines([read(CPU / "onnx_mnist_report.json")]))
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["sample", "gate", "value", "limit", "result"]
    assert rows[0].split() == ["onnx_mnist", "top1", "0.992", ">=", "0.97", "passed"]


def test_many_reports_are_a_line_each_and_failed_gates(tmp_path):
    reports = [read(CPU / "mnist_report.json"), read(make_run(tmp_path, failed="int8_top1_drop"))]
    lines = sample_lines(reports)
    assert [(line[0], line[1], line[-1]) for line in lines] == [
        ("mnist", "3 of 3 gates", "passed"),
        ("int8", "5 of 6 gates", "failed"),
        ("int8", "int8_top1_drop", "failed"),
    ]


def test_status(tmp_path):
    failed = make_run(tmp_path, failed="int8_top1_drop")
    assert status_of(failed) == "failed: int8_top1_drop (mini, reference)"
    assert status_of(CPU / "int8_report.json") == "passed (mini, reference)"
    beyond = read(CPU / "mnist_report.json")
    beyond["precisions"]["fp32"]["beyond_tensorrt"] = ["Det", "Compress"]
    (tmp_path / "beyond_report.json").write_text(json.dumps(beyond))
    assert status_of(tmp_path / "beyond_report.json") == "passed (mini, reference, beyond TensorRT: Compress, Det)"
    assert status_of(tmp_path / "ssd_report.json") == "not run"
    failed.write_text("{")
    assert status_of(failed) == "damaged report"
    failed.write_text(json.dumps({**read(CPU / "int8_report.json"), "schema": 2}))
    assert status_of(failed) == "damaged report"


@pytest.mark.parametrize(
    ("sample", "needs"),
    [
        ({"model": {"framework": "pytorch"}}, "PyTorch"),
        ({"model": {"framework": "tensorflow"}, "plugins": ["Clip"]}, "TensorFlow, C++ compiler"),
        ({"model": {"trained_by": "movielens"}, "serving": {}}, "model of movielens"),
        ({"model": {"trained_by": "movielens"}, "serving": {"processes": [1]}}, "model of movielens, MPS on a GPU"),
        ({"model": {"file": "digits.onnx"}}, "digits.onnx"),
    ],
)
def test_needs(sample, needs):
    assert needs_of(sample) == needs


FILES = [{"file": "voc/test.tar"}, {"file": "ssd.tar.gz", "member": "a"}, {"file": "ssd.tar.gz", "member": "b"}]


@pytest.mark.parametrize(
    ("sample", "needs"),
    [
        ({"model": {"framework": "pytorch"}, "artefacts": FILES}, "2 published files, PyTorch"),
        ({"model": {"framework": "pytorch"}, "needs": [], "artefacts": FILES[:1]}, "1 published file"),
        (
            {"model": {"trained_by": "tf_ssd", "weights": "published"}, "needs": ["tensorflow"], "artefacts": FILES},
            "2 published files, TensorFlow",
        ),
    ],
)
def test_needs_of_published_data(sample, needs):
    assert needs_of(sample, "full") == needs


@pytest.mark.parametrize(
    ("done", "total", "seconds", "expected"),
    [
        (120, 320, 39.0, "Training: 120 of 320, 1:05 left"),
        (0, 320, 11.0, "Training: 0 of 320"),
        (7, None, 11.0, "Training: 7"),
    ],
)
def test_line(done, total, seconds, expected):
    assert line("Training", done, total, seconds) == expected


@pytest.mark.parametrize(
    ("came", "start", "total", "expected"),
    [
        (100_000_000, 20_000_000, 320_000_000, "Downloading: 120.0 of 320.0 MB, 1:20 left"),  # 2.5 MB/s, of this try
        (0, 20_000_000, 320_000_000, "Downloading: 20.0 of 320.0 MB"),
        (7_000_000, 0, None, "Downloading: 7.0 MB"),
    ],
)
def test_line_of_a_download(came, start, total, expected):
    assert megabytes_line("Downloading", came, start, total, 40.0) == expected


def test_log_gets_a_line_now_and_then_and_no_bar(capsys, monkeypatch):
    monkeypatch.delenv(progress.TERMINAL, raising=False)
    assert list(track(range(3), "Calibrating")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "PAUSE", 0)
    assert list(track([5, 6], "Calibrating")) == [5, 6]
    told = capsys.readouterr().err
    assert "Calibrating: 1 of 2, 0:00 left\n" in told
    assert "\x1b" not in told


@pytest.fixture
def terminal():
    """A terminal: the end that a program reads and writes, and what was written to it."""
    reader, writer = pty.openpty()
    yield os.ttyname(writer), lambda: os.read(reader, 4096).decode()
    os.close(reader)
    os.close(writer)


def test_job_tells_the_terminal_that_its_run_was_started_from(terminal, monkeypatch, capfd):
    name, written = terminal
    monkeypatch.setenv(progress.TERMINAL, name)
    progress.tell("Training: 1 of 2, 0:10 left")
    assert written().rstrip().endswith(": Training: 1 of 2, 0:10 left")
    assert "Training: 1 of 2" in capfd.readouterr().err


def test_terminal_of_another_machine_is_no_fault(monkeypatch, capfd):
    monkeypatch.setenv(progress.TERMINAL, "/dev/pts/no-such-terminal")
    progress.tell("Training: 1 of 2")
    assert capfd.readouterr().err == "Training: 1 of 2\n"


def test_table_on_a_terminal_has_colours(terminal, monkeypatch):
    name, written = terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    with open(name, "w") as screen:
        monkeypatch.setattr(sys, "stdout", screen)
        show(GATES, gate_lines([read(CPU / "onnx_mnist_report.json")]))
    shown = written()
    assert "\x1b[32mpassed" in shown
    assert "onnx_mnist" in shown


def test_names_and_words_stay_whole_on_a_narrow_terminal(terminal, monkeypatch):
    name, written = terminal
    monkeypatch.setenv("COLUMNS", "60")
    with open(name, "w") as screen:
        monkeypatch.setattr(sys, "stdout", screen)
        show(("sample", "chapter", "status"), [["end_to_end_tensorflow_mnist", "19", "passed (mini, reference), " * 3]])
    shown = written()
    assert "end_to_end_tensorflow_mnist" in shown
    assert "chapter" in shown
    assert shown.count("reference") == 3
