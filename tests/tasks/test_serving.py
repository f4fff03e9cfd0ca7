"""What is measured of several processes: without MPS, then with it, and where its daemon does not come up."""

import contextlib
import os
from types import SimpleNamespace

import numpy as np
import pytest
from jobs import job

from trtflow.formats import UserError
from trtflow.tasks import serving

ANSWER = {"probabilities": np.zeros((3, 4)), "best": np.zeros((3, 2), np.int32)}


@pytest.fixture
def environments(monkeypatch):
    """Stand-ins for the sample and a GPU; the list of pipes that each pool was started with."""
    seen = []

    def start_workers(plan, backend, users, choices, processes, batch_size):
        seen.append(os.environ.get(serving.mps.PIPES))
        return contextlib.nullcontext()

    measure = {"queries_per_s": 1.0, "workers_lost": 0}
    sample = SimpleNamespace(start_workers=start_workers, recommend=lambda *_: ANSWER, measure=lambda *_: measure)
    monkeypatch.setattr(serving, "load_sample", lambda name: sample)
    monkeypatch.setattr(serving, "read_backend", lambda path: {"name": "tensorrt"})
    monkeypatch.setattr(serving.mps, "is_available", lambda: True)
    monkeypatch.delenv(serving.mps.PIPES, raising=False)
    return seen


def rows(choice):
    asked = {"processes": [1, 2], "batch_size": 1, "mps": choice, "exclusive": False}
    settings = {"serving": asked, "max_batch_size": 8, "latency_seconds": 0.1}
    files = {"plan": "engine.plan", "backend": "backend.json"}
    asked_for = job("serve", settings=settings, inputs=files, outputs={})
    found = list(serving.measured(asked_for, np.zeros(3), np.zeros((3, 4))))
    return [(row["processes"], row["batch_size"], row["mps"]) for row, _ in found]


PLAIN = [(1, 1, "none"), (2, 1, "none"), (1, 8, "none")]


def test_every_number_of_processes_is_measured_without_and_with_mps(environments, monkeypatch):
    @contextlib.contextmanager
    def daemon():
        yield "own"

    monkeypatch.setattr(serving.mps, "daemon", daemon)
    assert rows("auto") == [*PLAIN, (1, 1, "own"), (2, 1, "own")]
    assert all("no-mps-" in pipes for pipes in environments[:3])  # whatever daemon there is, these find none
    assert environments[3:] == [None, None]


def failing():
    raise UserError("MPS: the daemon does not come up")


def test_a_daemon_that_does_not_come_up(environments, monkeypatch, capsys):
    monkeypatch.setattr(serving.mps, "daemon", contextlib.contextmanager(lambda: failing() or iter(())))
    assert rows("auto") == PLAIN
    assert "without MPS: MPS: the daemon does not come up" in capsys.readouterr().out
    with pytest.raises(UserError, match="the daemon does not come up"):
        rows("always")
    assert rows("never") == PLAIN


def test_without_the_program_auto_says_so(environments, monkeypatch, capsys):
    monkeypatch.setattr(serving.mps, "is_available", lambda: False)
    assert rows("auto") == PLAIN
    assert "nvidia-cuda-mps-control is not on the path" in capsys.readouterr().out


def test_share_of_identical_answers():
    other = {**ANSWER, "best": np.array([[0, 0], [0, 1], [0, 0]])}
    assert serving.identical_share(ANSWER, ANSWER) == 1
    assert serving.identical_share(other, ANSWER) == pytest.approx(2 / 3)


def test_an_unknown_choice_of_mps(environments):
    with pytest.raises(UserError, match="serving.mps: 'yes' is not auto, always or never"):
        rows("yes")
