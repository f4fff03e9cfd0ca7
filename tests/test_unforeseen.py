"""The last net under scripts and commands: one line that names the file and the way out; the log has the calls."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from trtflow.cli import run
from trtflow.formats.batch_file import Batch, write_batch

ROOT = Path(__file__).resolve().parents[1]
FULL = Path("/dev/full")  # Linux's device that is always full
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")


def told(main, capfd):
    """Return the line that a script ends with, after checking that the log has the calls."""
    with pytest.raises(SystemExit) as ending:
        run(main)
    assert "Traceback" in capfd.readouterr().err
    assert "\n" not in str(ending.value.code)
    return str(ending.value.code)


@needs_full
@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b"x"),
        lambda path: path.write_text("x"),
        lambda path: np.ones(99999).tofile(path),  # raises an OSError without a number
        lambda path: np.save(path.open("wb", buffering=0), np.ones(9)),
    ],
)
def test_a_full_disk_names_the_file_and_what_to_free(tmp_path, capfd, write):
    link = tmp_path / "model.onnx"
    link.symlink_to(FULL)

    def main():
        write(link)

    line = told(main, capfd)
    assert re.match(
        rf"error: {link}: no space is left on its disk, or in its quota \(\d+ of \d+ MB are free\). Free", line
    )
    assert "results/downloads" in line


@needs_full
def test_a_full_disk_names_the_file_and_not_its_temporary_name(tmp_path, capfd, monkeypatch):
    kept = Path.open

    def full(path, *args, **kwargs):
        return kept(FULL if path.suffix == ".tmp" else path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    line = told(lambda: write_batch(tmp_path / "batch0", Batch(np.ones((1, 1, 2, 2), np.float32))), capfd)
    assert line.startswith(f"error: {tmp_path / 'batch0'}: no space is left")


def test_a_text_in_another_encoding(tmp_path, capfd):
    path = tmp_path / "labels.txt"
    path.write_bytes(b"caf\xe9\n")
    line = told(lambda: path.read_text(encoding="utf-8"), capfd)
    assert line == f"error: {path}: not a text in UTF-8 (invalid continuation byte at byte 3). Save it as UTF-8."


def test_memory_and_depth(tmp_path, capfd):
    path = tmp_path / "x.bin"

    def claim(path):
        return np.ones(1 << 60, np.uint8)

    def deep(path):
        return deep(path)

    assert re.match(
        rf"error: {path}: there is not enough memory \(Unable to allocate.*Lower the batch size",
        told(lambda: claim(path), capfd),
    )
    assert told(lambda: deep(path), capfd).startswith(f"error: {path}: nested too deeply")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "a/b"), "a/b: no such file. Make it with snakemake"),
        (
            PermissionError(13, "Permission denied", "a/b"),
            "a/b: permission denied. Correct the path, or its permissions",
        ),
        (IsADirectoryError(21, "Is a directory", b"a/b"), "a/b: is a directory"),
        (OSError("odd"), "a file that is not known (the log has the calls): odd"),
    ],
)
def test_errors_of_the_system(capfd, error, text):
    def main():
        raise error

    assert told(main, capfd).startswith(f"error: {text}")


def test_a_fault_of_the_code_stays_one(capfd):
    def main():
        raise KeyError("x")

    with pytest.raises(KeyError):
        run(main)


def starts(path):
    """Return the calls in the part of a file that runs as a program."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)]
    return {ast.unparse(call.func) for block in blocks for call in ast.walk(block) if isinstance(call, ast.Call)}


def test_every_script_goes_through_the_net():
    scripts = sorted((ROOT / "scripts").glob("[!_]*.py"))
    assert len(scripts) > 40
    outside = {path.name: starts(path) for path in scripts if not starts(path) & {"run", "run_on_backend"}}
    assert outside == {}
