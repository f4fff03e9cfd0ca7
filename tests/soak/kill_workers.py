"""Kill and stop workers of pools at random moments, starting included; count answers that are lost, doubled or wrong.

python tests/soak/kill_workers.py --kills 200
make soak KILLS=200

Prints one line a pool and the figures at the end; exit status 1 where an answer was lost, doubled or wrong, or
something waited longer than it may.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - the path comes first

import trtflow.reference as trt  # noqa: E402
from trtflow.formats import UserError  # noqa: E402
from trtflow.runtime import workers  # noqa: E402
from trtflow.runtime.backend import describe  # noqa: E402
from trtflow.runtime.build import build_plan  # noqa: E402
from trtflow.runtime.origin import write_engine  # noqa: E402
from trtflow.runtime.session import Session, load_engine  # noqa: E402

QUERIES, WORKERS = 4000, 6
LONGEST_S = 120.0  # that a pool may take for all
WEIGHTS = np.random.default_rng(7).normal(size=(8, 16)).astype(np.float32)
FEEDS = {"x": np.random.default_rng(1).normal(size=(QUERIES, 16, 1, 1)).astype(np.float32)}


def define(trt_module: Any, network: Any) -> None:
    """Define one fully connected layer."""
    layer = network.add_fully_connected(network.add_input("x", trt_module.float32, (16, 1, 1)), 8, WEIGHTS)
    layer.get_output(0).name = "y"
    network.mark_output(layer.get_output(0))


class Victim:
    """What becomes of a worker: a signal while it starts, or while it works, and perhaps it goes on after a stop.

    Attributes:
        worker: the worker, once it is there.
        starting: whether it is hit before it is ready.
        moment: seconds from its start on, or from when its pool has come up.
        signal: SIGKILL or SIGSTOP.
        rest: seconds that it is stopped for; None for good.
        due: when the next thing happens to it; None as long as that is open.
    """

    def __init__(self, rng: random.Random) -> None:
        self.starting, self.signal = rng.random() < 0.4, rng.choice([signal.SIGKILL, signal.SIGSTOP])
        self.moment = rng.uniform(0, 1.5) if self.starting else rng.uniform(0, 0.15)
        self.rest = rng.uniform(0, 2) if rng.random() < 0.5 else None
        self.worker: workers.Worker | None = None
        self.due: float | None = None
        self.hit = False

    def act(self, now: float, is_up: bool) -> str:
        """Do to the worker what is due, where its pool is up or not; return what was done."""
        if self.worker is None or self.worker.process.poll() is not None:
            return ""
        if self.due is None and not self.hit and (self.starting or is_up):
            self.due = now + self.moment
        if self.due is None or now < self.due:
            return ""
        number = signal.SIGCONT if self.hit else self.signal
        state = "working" if self.worker.pending else "waiting" if self.worker.ready else "starting"
        os.kill(self.worker.process.pid, number)  # nobody has waited for it, so that its number is still its own
        self.due = now + self.rest if number == signal.SIGSTOP and self.rest is not None else None
        self.hit = True
        return f"{number.name} {state}"


class Harm:
    """Harms the workers of a pool, all but the first, who has to answer for the others.

    Attributes:
        started: the workers.
        is_up: whether the pool has come up.
        done: how often each signal was sent, by what the worker was doing.
    """

    def __init__(self, rng: random.Random, most: int) -> None:
        self.victims = [Victim(rng) for _ in range(min(most, WORKERS - 1))]
        self.started: list[workers.Worker] = []
        self.done = Counter[str]()
        self.is_up, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Harm:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.003):
            for victim, worker in zip(self.victims, list(self.started)[1:], strict=False):
                victim.worker = worker
                if done := victim.act(time.monotonic(), self.is_up.is_set()):
                    self.done[done] += 1


def run_pool(plan: Path, backend: dict[str, Any], wanted: np.ndarray, rng: random.Random, most: int) -> Counter[str]:
    """Answer all queries by a pool whose workers are harmed; return what was done and what went wrong."""
    found, start = Counter[str](), time.monotonic()
    with Harm(rng, most) as harm:

        class Watched(workers.Worker):
            def __init__(self, *given: Any) -> None:
                super().__init__(*given)
                harm.started.append(self)

        original, workers.Worker = workers.Worker, Watched  # type: ignore[misc]
        try:
            with workers.WorkerPool(plan, backend, FEEDS, WORKERS, 1) as pool:
                harm.is_up.set()
                for _ in range(3):
                    found += answered(pool, wanted)
                found["lost workers"] += len(pool.lost)
        except UserError as error:
            found["given up"] += 1
            print(f"given up: {error}")
        finally:
            workers.Worker = original  # type: ignore[misc]
    found["alive"] += sum(worker.process.poll() is None for worker in harm.started)
    found["too long"] += time.monotonic() - start > LONGEST_S
    return found + harm.done


def answered(pool: workers.WorkerPool, wanted: np.ndarray) -> Counter[str]:
    """Return how many answers came, were lost, came twice, and were not those of a session alone."""
    times, wrong = np.zeros(QUERIES, np.int64), 0
    for (first, count), outputs in pool.answers():
        times[first : first + count] += 1
        wrong += int((outputs["y"] != wanted[first : first + count]).reshape(count, -1).any(axis=1).sum())
    lost, doubled = int((times == 0).sum()), int((times > 1).sum())
    return Counter({"answers": int(times.sum()), "lost": lost, "doubled": doubled, "wrong": wrong})


BAD = ("lost", "doubled", "wrong", "given up", "alive", "too long")


def soak(kills: int, seed: int) -> Counter[str]:
    """Harm pools until so many workers were killed or stopped; return what was counted."""
    rng, found, backend = random.Random(seed), Counter[str](), describe("reference")
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "engine.fp32.plan"
        write_engine(plan, build_plan(trt, define, "fp32", 8), {"backend": backend})
        with Session(*load_engine(plan, backend)) as session:
            wanted = np.concatenate([session.run({"x": x[None]})["y"] for x in FEEDS["x"]])
        while harmed(found) < kills:
            found += run_pool(plan, backend, wanted, rng, kills - harmed(found))
            found["pools"] += 1
            print(json.dumps(found), flush=True)
    return found


def harmed(found: Counter[str]) -> int:
    """Return how many workers were killed or stopped."""
    return sum(count for name, count in found.items() if name.startswith(("SIGKILL", "SIGSTOP")))


def main() -> None:
    """Read the command line and soak."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=200, help="workers to kill or stop")
    arguments.add_argument("--seed", type=int, default=0, help="of the moments and the victims")
    options = arguments.parse_args()
    start = time.monotonic()
    found = soak(options.kills, options.seed)
    states = ", ".join(f"{count} {name}" for name, count in sorted(found.items()) if name.startswith("SIG"))
    print(f"{harmed(found)} workers of {found['pools']} pools were killed or stopped ({states})")
    print(f"{found['answers']} answers: {', '.join(f'{found[name]} {name}' for name in BAD)}")
    print(f"{time.monotonic() - start:.0f} s")
    sys.exit(any(found[name] for name in BAD))


if __name__ == "__main__":
    main()
