"""MPS with a stand-in for NVIDIA's daemon: started, stopped, found, and not coming up."""

import os
import subprocess
import time

import pytest

from trtflow.formats import UserError
from trtflow.runtime import mps

# Keeps a file "running" among its pipes, and answers while that is there.
DAEMON = """#!/bin/sh
pipes="${CUDA_MPS_PIPE_DIRECTORY:-$DEFAULT_PIPES}"
if [ "$1" = -d ]; then
    echo "start $pipes" >> "$CALLS"
    START
    exit 0
fi
read command
[ -e "$pipes/running" ] || exit 1
case "$command" in quit*) echo "quit $pipes" >> "$CALLS"; rm "$pipes/running";; esac
"""
SMI = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in *query*) echo Default;; esac
"""


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A folder on the path for stand-ins, and the file that they write their calls to."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "default").mkdir()
    for name in (mps.PIPES, mps.LOGS, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("DEFAULT_PIPES", str(tmp_path / "default"))
    monkeypatch.setattr(mps, "START_S", 0.5)
    return tmp_path / "calls"


def install(calls, name, text):
    path = calls.parent / "bin" / name
    path.write_text(text)
    path.chmod(0o755)


def said(calls):
    return calls.read_text().split("\n")[:-1] if calls.exists() else []


def test_own_daemon_has_its_own_folders_and_is_stopped(calls):
    install(calls, mps.CONTROL, DAEMON.replace("START", 'touch "$pipes/running"'))
    with mps.daemon() as kind:
        assert kind == "own"
        folder = os.environ[mps.PIPES]
        assert os.environ[mps.LOGS] == folder
        assert folder != str(calls.parent / "default")
        assert mps.is_running()
        with mps.hidden():  # which no daemon hears
            assert not mps.is_running()
    assert mps.PIPES not in os.environ
    assert not os.path.exists(folder)
    assert said(calls) == [f"start {folder}", f"quit {folder}"]


def test_own_daemon_is_stopped_when_the_block_fails(calls):
    install(calls, mps.CONTROL, DAEMON.replace("START", 'touch "$pipes/running"'))
    with pytest.raises(KeyError), mps.daemon():
        raise KeyError
    assert [line.split()[0] for line in said(calls)] == ["start", "quit"]


def test_existing_daemon_is_used_and_left_running(calls):
    install(calls, mps.CONTROL, DAEMON.replace("START", 'touch "$pipes/running"'))
    (calls.parent / "default" / "running").touch()
    with mps.daemon() as kind:
        assert kind == "existing"
        assert mps.PIPES not in os.environ
    assert mps.is_running()
    assert said(calls) == []


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ("echo no permission >&2; exit 7", "exit status 7; no permission"),
        ('echo cannot bind > "$CUDA_MPS_LOG_DIRECTORY/control.log"', "no answer after 0.5 s; cannot bind"),
        (":", "no answer after 0.5 s"),
    ],
)
def test_a_daemon_that_does_not_come_up(calls, start, why):
    install(calls, mps.CONTROL, DAEMON.replace("START", start))
    with pytest.raises(UserError, match=f"MPS: the daemon does not come up .{why}.. Set serving.mps to never"):
        mps.daemon().__enter__()
    assert mps.PIPES not in os.environ


def test_a_daemon_that_never_returns(calls, monkeypatch):
    install(calls, mps.CONTROL, DAEMON.replace("START", "exec sleep 60"))
    monkeypatch.setattr(mps, "COMMAND_S", 0.5)
    start = time.monotonic()
    with pytest.raises(UserError, match="no end after 0.5 s"):
        mps.daemon().__enter__()
    assert time.monotonic() - start < 10


def test_no_daemon_at_all(calls, monkeypatch):
    monkeypatch.setenv("PATH", str(calls.parent / "bin"))
    assert not mps.is_available()
    with pytest.raises(UserError, match="nvidia-cuda-mps-control is not on the path"):
        mps.daemon().__enter__()


def test_compute_mode_is_set_and_put_back(calls, monkeypatch):
    install(calls, "nvidia-smi", SMI)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    with pytest.raises(subprocess.SubprocessError), mps.exclusive_process():
        raise subprocess.SubprocessError
    assert said(calls)[1:] == ["-i 3 --compute-mode=EXCLUSIVE_PROCESS", "-i 3 --compute-mode=DEFAULT"]


def test_compute_mode_that_may_not_be_set(calls):
    install(calls, "nvidia-smi", SMI + "case $* in *EXCLUSIVE*) echo Insufficient Permissions; exit 4;; esac\n")
    with pytest.raises(UserError, match="failed for GPU 0: Insufficient Permissions. That takes an administrator"):
        mps.exclusive_process().__enter__()
