"""The line in a log that says how much of a process was start and how much work."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

TIMES = "TRTFLOW_TIMES"  # variable that asks scripts for the line
LINE = re.compile(r"^times: ([0-9.]+) s to start, ([0-9.]+) s of work$", re.MULTILINE)
_IMPORTED = time.time()


def started_at() -> float:
    """Return when this process began, in seconds since 1970; when this module was imported where Linux does not say."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        up = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _IMPORTED
    ticks = int(fields[19])  # starttime, the 22nd field, counted behind the name
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")


def time_line(started: float, begun: float, ended: float) -> str:
    """Return the line, given moments of the same clock in seconds: of the process, of its work and of the end."""
    return f"times: {max(begun - started, 0):.2f} s to start, {ended - begun:.2f} s of work"


def read_times(log: str) -> tuple[float, float] | None:
    """Return the seconds of start and of work of a log's last such line; None where it has none."""
    found = LINE.findall(log)
    return (float(found[-1][0]), float(found[-1][1])) if found else None
