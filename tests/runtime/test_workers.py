"""Worker processes: they answer as one does, and whatever dies or falls silent, nothing waits for ever."""

import os
import signal
import time

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.runtime.backend import describe
from trtflow.runtime.build import build_plan
from trtflow.runtime.origin import write_engine
from trtflow.runtime.session import Session, load_engine
from trtflow.runtime.workers import RUNS, WorkerPool

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


def test_a_worker_that_dies_with_queries_in_hand(plan, backend, wanted):
    """Stopped, it has taken its spans and answers none; killed, it gives them back."""
    with WorkerPool(plan, backend, FEEDS, 2, 1) as pool:
        victim = pool.pids[0]
        os.kill(victim, signal.SIGSTOP)
        answers, found = pool.answers(), {}
        for span, outputs in answers:
            found[span] = outputs["y"]
            if len(found) == QUERIES // RUNS - 2:  # all but what the stopped one and the other have in hand
                os.kill(victim, signal.SIGKILL)
        np.testing.assert_array_equal(np.concatenate([found[span] for span in sorted(found)]), wanted)
        assert len(pool.lost) == 1


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
        with WorkerPool(plan, backend, FEEDS, 1, 1, timeout_s=5) as pool:
            pids.extend(pool.pids)
            os.kill(pids[0], signal.SIGSTOP)
            pool.answer()

    with pytest.raises(UserError, match="none of 1 workers has answered for 5 s"):
        answer()
    assert has_ended(pids[0])
    assert time.monotonic() - start < 30


def test_a_plan_that_cannot_be_read_is_told_by_the_workers(plan, backend, tmp_path):
    bad = tmp_path / "engine.fp32.plan"
    write_engine(bad, b"no plan", {"backend": backend})
    with pytest.raises(UserError, match=r"all 2 workers died. The last one: worker \d+ failed: .*engine\.fp32\.plan"):
        WorkerPool(bad, backend, FEEDS, 2, 1)
