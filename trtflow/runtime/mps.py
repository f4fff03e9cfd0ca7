"""NVIDIA's Multi-Process Service: processes share one context of the GPU (guide chapter 15).

A process is its client where it finds the daemon's pipes when it starts CUDA, so what is set here holds for processes
that are started afterwards. Source: NVIDIA, "Multi-Process Service", nvidia-cuda-mps-control and its environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trtflow.formats import UserError

CONTROL = "nvidia-cuda-mps-control"
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
START_S = 20.0  # that a daemon has to come up
COMMAND_S = 30.0  # that a command has to return
WITHOUT = "Set serving.mps to never to measure without it."


def is_available() -> bool:
    """Whether the daemon's program is there."""
    return shutil.which(CONTROL) is not None


def is_running() -> bool:
    """Whether a daemon answers at the pipes that the environment names."""
    return is_available() and _control("get_server_list")


@contextmanager
def daemon() -> Iterator[str]:
    """Run a block with a daemon of MPS; yield "existing" or "own".

    One that is there already is used and left running. Else one is started with pipes and logs in a folder of its own,
    and stopped at the end, whatever happens in the block. The compute mode of the GPU stays as it is.

    Raises:
        UserError: there is no such program, or the daemon does not come up.
    """
    if is_running():
        yield "existing"
        return
    if not is_available():
        raise UserError(f"MPS: {CONTROL} is not on the path; it comes with NVIDIA's driver. {WITHOUT}")
    # A short path: the pipes are sockets, whose names may have 107 bytes
    with tempfile.TemporaryDirectory(prefix="mps-") as folder, _environment(folder, folder):
        try:
            _start(Path(folder))
            yield "own"
        finally:
            _stop()


@contextmanager
def hidden() -> Iterator[None]:
    """Run a block whose processes find no daemon, though there may be one."""
    with tempfile.TemporaryDirectory(prefix="no-mps-") as folder, _environment(folder, folder):
        yield


@contextmanager
def exclusive_process() -> Iterator[None]:
    """Run a block in compute mode EXCLUSIVE_PROCESS, in which MPS alone has the GPU; set the old mode again after it.

    Raises:
        UserError: the mode cannot be set, which takes an administrator.
    """
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    old = _nvidia_smi(gpu, "--query-gpu=compute_mode", "--format=csv,noheader").upper()
    _nvidia_smi(gpu, "--compute-mode=EXCLUSIVE_PROCESS")
    try:
        yield
    finally:
        _nvidia_smi(gpu, f"--compute-mode={old}")


def _start(folder: Path) -> None:
    """Start a daemon and wait until it answers."""
    messages = folder / "messages"
    with messages.open("wb") as file:  # no pipe: the daemon would keep it open
        try:
            done = subprocess.run(
                [CONTROL, "-d"], stdout=file, stderr=file, stdin=subprocess.DEVNULL, check=False, timeout=COMMAND_S
            )
            code = f"exit status {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            code = f"no end after {COMMAND_S:g} s"
    end = time.monotonic() + (0 if code else START_S)
    while not _control("get_server_list"):
        if time.monotonic() >= end:
            said = [line for path in (messages, folder / "control.log") for line in _lines(path)]
            why = "; ".join([*([code] if code else [f"no answer after {START_S:g} s"]), *said[-3:]])
            raise UserError(f"MPS: the daemon does not come up ({why}). {WITHOUT}")
        time.sleep(0.1)


def _stop() -> None:
    """Stop the daemon that the environment names, with servers that still have clients, and wait until it is gone."""
    end = time.monotonic() + COMMAND_S
    while _control("quit -t 1"):
        if time.monotonic() >= end:
            print(f"MPS: the daemon at {os.environ[PIPES]} is still there; end it with `echo quit | {CONTROL}`")
            return
        time.sleep(0.1)


def _control(command: str) -> bool:
    """Give the daemon a command; return whether it took it."""
    try:
        done = subprocess.run(
            [CONTROL],
            input=f"{command}\n",
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=COMMAND_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _nvidia_smi(gpu: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["nvidia-smi", "-i", gpu, *arguments], capture_output=True, text=True, check=False, timeout=COMMAND_S
        )
        said, code = done.stdout.strip(), done.returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        said, code = str(error), 1
    if code:
        remedy = "That takes an administrator; leave serving.exclusive out, MPS does without."
        raise UserError(f"nvidia-smi {' '.join(arguments)} failed for GPU {gpu}: {said}. {remedy}")
    return said


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").split("\n")[:-1] if path.exists() else []


@contextmanager
def _environment(pipes: str, logs: str) -> Iterator[None]:
    """Set where pipes and logs of MPS are for processes that the block starts."""
    old = {name: os.environ.get(name) for name in (PIPES, LOGS)}
    os.environ.update({PIPES: pipes, LOGS: logs})
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
