"""Runs that tests share: made once of the same code and settings, and none that broke off."""

from __future__ import annotations

import os
import time
from pathlib import Path

import kept as runs
import pytest


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the folders that were filled."""
    monkeypatch.setattr(runs, "RUNS", tmp_path)
    return []


def make(made: list[Path], name: str = "run", settings: str = "small") -> Path:
    """Ask for a run of one file."""

    def fill(folder: Path) -> None:
        (folder / "made").write_text(settings)
        made.append(folder)

    return runs.kept(name, settings, fill)


def test_the_same_run_is_made_once(made: list[Path]) -> None:
    assert make(made) == make(made)
    assert len(made) == 1
    assert (make(made, settings="large") / "made").read_text() == "large"
    assert (make(made) / "made").read_text() == "small"
    assert len(made) == 2


def test_another_code_is_another_run(made: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    make(made)
    monkeypatch.setattr(runs, "code", lambda: "edited")
    make(made)
    assert len(made) == 2


def test_one_that_broke_off_is_made_again(made: list[Path]) -> None:
    def broken(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        runs.kept("run", "small", broken)
    assert [path.name for path in make(made).iterdir()] == ["made"]


def test_what_nobody_asked_for_in_a_day_goes(made: list[Path]) -> None:
    old, other = make(made), make(made, name="other")
    past = time.time() - 2 * runs.DAY
    os.utime(old.parent / "done", (past, past))
    make(made, name="new")
    assert not old.exists()
    assert other.exists()


def test_a_copy_keeps_the_dates(made: list[Path], tmp_path: Path) -> None:
    folder = make(made)
    os.utime(folder / "made", (1e9, 1e9))
    copy = runs.copy_of(folder, tmp_path / "a copy")
    assert (copy / "made").stat().st_mtime == 1e9
