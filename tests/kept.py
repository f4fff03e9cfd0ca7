"""Runs of the workflow that tests start from: made once of the code as it is, and kept for others and for next time.

They lie in pytest's cache, in a folder named by the digest of all that they are made of, so an edit of the workflow
makes them anew and an edit of a test does not. Workers of pytest-xdist wait for one another. `pytest --cache-clear`
removes them; those that nobody asked for in a day go when others are made.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / ".pytest_cache" / "d" / "runs"
SOURCES = ("Snakefile", "config", "constraints.txt", "plugins", "profiles", "report", "rules", "scripts", "trtflow")
DAY = 24 * 3600


@cache
def code() -> str:
    """Return the digest of the workflow: its files, the versions of what it needs, and Python's."""
    found = hashlib.sha256(sys.version.encode())
    for source in SOURCES:
        for path in (ROOT / source, *sorted((ROOT / source).rglob("*"))):
            if path.is_file() and path.suffix != ".pyc":
                found.update(f"{path.relative_to(ROOT)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def kept(name: str, settings: str, make: Callable[[Path], None]) -> Path:
    """Return a folder with what `make` made of this code: to read, or for `copy_of` to hand out.

    Args:
        name: of the run.
        settings: all that it depends on besides the code, such as a configuration.
        make: fills an empty folder; what it raises leaves nothing behind.
    """
    digest = hashlib.sha256(f"{code()}\n{settings}".encode()).hexdigest()[:16]
    place = RUNS / f"{name}.{digest}"
    folder, done = place / name, place / "done"
    with _alone(place):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _forget_old()
            try:
                make(folder)
            except BaseException:
                shutil.rmtree(folder)
                raise
        done.touch()
    return folder


def copy_of(folder: Path, place: Path) -> Path:
    """Return a copy of a run, dates and Snakemake's notes included, that a test may change."""
    shutil.copytree(folder, place, symlinks=True, dirs_exist_ok=True)
    return place


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_old() -> None:
    """Remove runs that nobody asked for in a day: those of code that is no more."""
    for done in RUNS.glob("*/done"):
        if time.time() - done.stat().st_mtime > DAY:
            shutil.rmtree(done.parent)
