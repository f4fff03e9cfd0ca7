"""Worker processes: they answer as one does, and whatever dies or falls silent, nothing waits for ever."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.runtime import workers
from trtflow.runtime.backend import describe
from trtflow.runtime.build import build_plan
from trtflow.runtime.origin import write_engine
from trtflow.runtime.session import Session, load_engine
from trtflow.runtime.workers import RUNS, Worker, WorkerPool

ROOT = Path(__file__).resolve().parents[2]

WEIGHTS = np.random.default_rng(7).normal(size=(2, 3)).astype(np.float32)
QUERIES = 200
FEEDS = {"x": np.random.default_rng(1).normal(size=(QUERIES, 3, 1, 1)).astype(np.float32)}


def define(trt_module, network):
    layer = network.add_fully_connected(network.add_input("x", trt_module.float32, (3, 1, 1)), 2, WEIGHTS)
    layer.name, layer.get_output(0).name = "fc", "y"
    network.mark_output(layer.get_output(0))


@pytest.fixture(scope="module")
def backend():
    return describe("reference")


@pytest.fixture(scope="module")
def plan(tmp_path_factory, backend):
    path = tmp_path_factory.mktemp("workers") / "engine.fp32.plan"
    write_engine(path, build_plan(trt, define, "fp32", 8), {"backend": backend})
    return path


@pytest.fixture(scope="module")
def wanted(plan, backend):
    with Session(*load_engine(plan, backend)) as session:
        return np.concatenate([session.run({"x": x[None]})["y"] for x in FEEDS["x"]])


def has_ended(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(("processes", "batch_size"), [(1, 1), (3, 1), (2, 8)])
def test_answers_are_those_of_one_process_in_order(plan, backend, wanted, processes, batch_size):
    with WorkerPool(plan, backend, FEEDS, processes, batch_size) as pool:
        pids = pool.pids
        assert len(pids) == processes
        np.testing.assert_allclose(pool.answer()["y"], wanted, rtol=0, atol=0 if batch_size == 1 else 1e-6)
        assert pool.measure(0.2) > 0
        np.testing.assert_allclose(pool.answer()["y"], wanted, rtol=0, atol=0 if batch_size == 1 else 1e-6)
        assert pool.lost == []
    assert all(map(has_ended, pids))


def test_others_answer_for_a_worker_that_is_killed_in_the_middle(plan, backend, wanted, capfd):
    with WorkerPool(plan, backend, FEEDS, 2, 1) as pool:
        victim, found = pool.pids[0], {}
        for span, outputs in pool.answers():
            if not found:
                os.kill(victim, signal.SIGKILL)
            found[span] = outputs["y"]
        np.testing.assert_array_equal(np.concatenate([found[span] for span in sorted(found)]), wanted)
        assert pool.lost == [f"worker {victim} died: killed by SIGKILL"]
        np.testing.assert_array_equal(pool.answer()["y"], wanted)
    assert f"worker {victim} died: killed by SIGKILL; 1 others go on" in capfd.readouterr().out


def collected(pool):
    """Return all answers in order; each comes once."""
    spans, found = [], {}
    for span, outputs in pool.answers():
        spans.append(span)
        found[span] = outputs["y"]
    assert len(spans) == len(found)
    return np.concatenate([found[span] for span in sorted(found)])


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGCONT])
def test_others_answer_for_a_worker_that_is_stopped(plan, backend, wanted, end):
    """It has its spans and answers none; killed later it is lost, and what it says when it goes on is too late."""
    with WorkerPool(plan, backend, FEEDS, 2, 1) as pool:
        victim = pool.pids[0]
        os.kill(victim, signal.SIGSTOP)
        np.testing.assert_array_equal(collected(pool), wanted)
        assert pool.lost == []
        os.kill(victim, end)
        np.testing.assert_array_equal(collected(pool), wanted)
        np.testing.assert_array_equal(collected(pool), wanted)
        assert len(pool.lost) == (end == signal.SIGKILL)


def test_a_worker_that_dies_with_queries_in_hand(plan, backend, wanted):
    """Stopped, it has taken its spans and answers none; killed, it gives them back at once."""
    with WorkerPool(plan, backend, FEEDS, 2, 1) as pool:
        victim = pool.pids[0]
        os.kill(victim, signal.SIGSTOP)
        found = {}
        for span, outputs in pool.answers():
            assert span not in found
            found[span] = outputs["y"]
            if len(found) == QUERIES // RUNS - 2:  # all but what the stopped one and the other have in hand
                os.kill(victim, signal.SIGKILL)
        np.testing.assert_array_equal(np.concatenate([found[span] for span in sorted(found)]), wanted)
        assert len(pool.lost) == 1


class Harmed(Worker):
    """A worker that gets a signal as soon as it is there, when it has read nothing yet, if it is one of the first."""

    signals: ClassVar[list[signal.Signals]] = []

    def __init__(self, *given):
        super().__init__(*given)
        if self.signals:
            os.kill(self.process.pid, self.signals.pop())


def test_a_worker_that_is_killed_while_it_starts(plan, backend, wanted, monkeypatch):
    monkeypatch.setattr(workers, "Worker", Harmed)
    monkeypatch.setattr(Harmed, "signals", [signal.SIGKILL])
    many = {"x": np.concatenate([FEEDS["x"]] * 50)}  # far more than a pipe holds
    with WorkerPool(plan, backend, many, 2, 8) as pool:
        np.testing.assert_allclose(pool.answer()["y"][:QUERIES], wanted, atol=1e-6)
        assert len(pool.lost) == 1


def test_a_worker_that_is_stopped_while_it_starts(plan, backend, wanted, monkeypatch, capfd):
    monkeypatch.setattr(workers, "Worker", Harmed)
    monkeypatch.setattr(workers, "LATE_S", 0.1)
    monkeypatch.setattr(workers, "LONGER", 0.1)
    monkeypatch.setattr(Harmed, "signals", [signal.SIGSTOP])
    with WorkerPool(plan, backend, FEEDS, 2, 1) as pool:
        (late,) = [worker for worker in pool._workers if not worker.ready]
        assert f"worker {late.process.pid} takes too long to start" in capfd.readouterr().out
        np.testing.assert_array_equal(collected(pool), wanted)
        os.kill(late.process.pid, signal.SIGCONT)
        deadline = time.monotonic() + 60
        while not late.ready and time.monotonic() < deadline:
            pool.measure(0.1)
        assert late.ready
        np.testing.assert_array_equal(collected(pool), wanted)
        assert pool.lost == []


def test_all_workers_stopped_while_they_start_are_given_up(plan, backend, monkeypatch):
    monkeypatch.setattr(workers, "Worker", Harmed)
    monkeypatch.setattr(Harmed, "signals", [signal.SIGSTOP, signal.SIGSTOP])
    with pytest.raises(UserError, match="none of 2 workers has answered for 1 s"):
        WorkerPool(plan, backend, FEEDS, 2, 1, timeout_s=1)


def test_a_pool_whose_process_dies_leaves_no_worker(plan, backend, tmp_path):
    program = (
        "import json, os, signal, sys, numpy as np\nfrom pathlib import Path\n"
        "from trtflow.runtime.workers import WorkerPool\n"
        f"pool = WorkerPool(Path({str(plan)!r}), {backend!r}, {{'x': np.zeros((64, 3, 1, 1), np.float32)}}, 2, 1)\n"
        "print(json.dumps(pool.pids), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    pids, deadline = json.loads(done.stdout), time.monotonic() + 30
    while not all(map(has_ended, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert all(map(has_ended, pids))


def test_all_workers_dead_is_an_error(plan, backend):
    with WorkerPool(plan, backend, FEEDS, 2, 1) as pool:
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(UserError, match=r"all 2 workers died. The last one: worker \d+ died: killed by SIGKILL"):
            pool.answer()


def test_workers_that_fall_silent_are_given_up(plan, backend):
    start = time.monotonic()
    pids = []

    def answer():
        with WorkerPool(plan, backend, FEEDS, 1, 1) as pool:
            pool._timeout_s = 2  # now that it has come up
            pids.extend(pool.pids)
            os.kill(pids[0], signal.SIGSTOP)
            pool.answer()

    with pytest.raises(UserError, match="none of 1 workers has answered for 2 s"):
        answer()
    assert has_ended(pids[0])
    assert time.monotonic() - start < 30


def test_a_plan_that_cannot_be_read_is_told_by_the_workers(plan, backend, tmp_path):
    bad = tmp_path / "engine.fp32.plan"
    write_engine(bad, b"no plan", {"backend": backend})
    with pytest.raises(UserError, match=r"all 2 workers died. The last one: worker \d+ failed: .*engine\.fp32\.plan"):
        WorkerPool(bad, backend, FEEDS, 2, 1)
