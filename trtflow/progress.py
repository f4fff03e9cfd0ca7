"""Progress of whatever lasts longer than a few seconds: a bar on a terminal, now and then a line in a log.

A job of the workflow writes to its log. Snakemake puts the terminal where it was started, if there is one, into
`TRTFLOW_TERMINAL`, and the job writes its lines there too.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
TERMINAL = "TRTFLOW_TERMINAL"
PAUSE = 10  # seconds between two lines
ERASE = "\r\x1b[K"  # the line that Snakemake's side keeps at the foot of the terminal (trtflow/workflow/terminal.py)


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items, showing how many are done, and how long the rest will take."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty() and find_spec("rich"):  # the Python that has TensorRT has none
        from rich.progress import track as rich_track  # noqa: PLC0415

        yield from rich_track(items, description, total=total)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - last >= PAUSE:
            last = time.monotonic()
            tell(line(description, done, total, last - start))
        yield item


def line(description: str, done: int, total: int | None, seconds: float) -> str:
    """Return "Training: 120 of 320, 1:05 left", as long as the rest takes at the same pace."""
    if not total or not done:
        return f"{description}: {done}" + (f" of {total}" if total else "")
    return f"{description}: {done} of {total}, {clock(seconds / done * max(total - done, 0))} left"


def megabytes_line(description: str, came: int, start: int, total: int | None, seconds: float) -> str:
    """Return "Downloading: 120.0 of 695.3 MB, 1:05 left": of a file that was there up to `start`, and `came` since."""
    done = f"{description}: {(start + came) / 1e6:.1f}"
    if not total:
        return f"{done} MB"
    rest = f", {clock(seconds / came * max(total - start - came, 0))} left" if came else ""
    return f"{done} of {total / 1e6:.1f} MB{rest}"


def clock(seconds: float) -> str:
    """Return minutes and seconds as 1:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def tell(text: str) -> None:
    """Write a line to standard error; if that is a job's log, also to the terminal that the run was started from."""
    print(text, file=sys.stderr, flush=True)
    terminal = os.environ.get(TERMINAL)
    if terminal and not sys.stderr.isatty():
        with suppress(OSError), open(terminal, "w") as file:  # it may be closed by now, or be of another machine
            file.write(f"{ERASE}{job()}: {text}\n")


def job() -> str:
    """Return the log that standard error goes to, or else the name of the program."""
    try:
        return os.path.relpath(os.readlink("/proc/self/fd/2"))
    except OSError:  # not on Linux
        return Path(sys.argv[0]).stem
