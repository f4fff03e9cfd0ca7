"""Python for the programs that tests start: with the libraries loaded already (tests/warm/server.py)."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent
COLD = sys.executable  # Python itself, for a test of how it is started, stopped or killed
POSSIBLE = hasattr(os, "pidfd_open")  # on Linux; elsewhere all programs start from nothing
SOCKET = "TRTFLOW_TESTS_WARM"
CHANGED = "TRTFLOW_TESTS_CHANGED"
BIN = TESTS.parent / ".pytest_cache" / "d" / "warm" / "bin"  # the same for every run, as Snakemake's notes name it
PROGRAMS = ("snakemake",)  # scripts of the environment that start warm too
MANY = ("tensorflow", "torch", "sklearn.datasets", "snakemake.cli")  # what some of all tests' programs need
TO_DISK = os.fsync


class Server:
    """A server of warm starts, until it is closed or the process that started it ends.

    Args:
        environment: its own.
        libraries: that it loads at once; others it loads when a program had to.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ, libraries: Sequence[str] = ()) -> None:
        self.folder = tempfile.mkdtemp(prefix="trtflow-")
        self.place = f"{self.folder}/socket"
        without = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
        with socket.socket(socket.AF_UNIX) as listening:  # from now on, so that no program comes too early
            listening.bind(self.place)
            listening.listen(64)
            number = listening.fileno()
            command = [COLD, TESTS / "warm/server.py", str(number), self.folder, str(BIN / "python"), *libraries]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "pass_fds": [number]}
            self.process = subprocess.Popen(command, env=without, **pipes)

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.folder)


def leave_writing_to_the_system() -> None:
    """Let files of tests reach the disk when they do: they need not outlast a loss of power, and each waits 5 ms."""
    os.fsync = os.fstat  # type: ignore[assignment] # which knows a file that is none


def write_programs() -> None:
    """Write `python` and what stands beside it: clients of the server, which is named in their environment."""
    BIN.mkdir(parents=True, exist_ok=True)
    start = f"exec {shlex.quote(COLD)} -ISE {shlex.quote(str(TESTS / 'warm/client.py'))} {shlex.quote(COLD)}"
    _write(BIN / "python", f'#!/bin/sh\n{start} "$@"\n')
    for name in PROGRAMS:
        script = Path(COLD).with_name(name)
        _write(BIN / name, f'#!/bin/sh\n{start} {shlex.quote(str(script))} "$@"\n')


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.write_text(text)
        part.chmod(0o755)
        part.replace(path)


def with_other_hashes() -> dict[str, str]:
    """Return the environment with a seed of hashes that no program has which starts warm: sets have another order."""
    return {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
