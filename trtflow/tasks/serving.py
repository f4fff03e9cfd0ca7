"""A recommender that several processes ask at once, with and without NVIDIA's MPS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.job import Job
from trtflow.runtime import mps
from trtflow.runtime.backend import read_backend
from trtflow.runtime.timing import DURATION_S
from trtflow.samples import load as load_sample
from trtflow.steps import required

Answers = dict[str, np.ndarray]
CHOICES = ("auto", "always", "never")


def measured(job: Job, users: np.ndarray, choices: np.ndarray) -> Iterator[tuple[dict[str, Any], Answers]]:
    """Yield a row and the answers of each number of processes, without and with MPS, and of the large batch.

    Args:
        job: with the settings `serving` and `max_batch_size`, the large batch of one process, to compare with.
        users: int32 [N].
        choices: int32 [N, C], movies to choose from.

    Raises:
        UserError: MPS is wanted and does not come up.
    """
    sample, backend = load_sample(job.sample), read_backend(job.input("backend"))
    counts, size = required(job, "serving.processes"), job.setting("serving.batch_size", 1)
    choice, seconds = job.setting("serving.mps", "auto"), job.setting("latency_seconds", DURATION_S)
    if choice not in CHOICES:
        raise UserError(f"{job.sample}: serving.mps: {choice!r} is not {', '.join(CHOICES[:-1])} or {CHOICES[-1]}.")

    def measure(processes: int, batch_size: int, daemon: str) -> tuple[dict[str, Any], Answers]:
        with sample.start_workers(job.input("plan"), backend, users, choices, processes, batch_size) as pool:
            answer = sample.recommend(pool, choices)
            row = {"processes": processes, "batch_size": batch_size, "mps": daemon}
            return {**row, **sample.measure(pool, seconds)}, answer

    with mps.hidden():
        for processes in counts:
            yield measure(processes, size, "none")
        yield measure(1, required(job, "max_batch_size"), "none")
    if not _wants_mps(choice, backend):
        return
    with ExitStack() as stack:
        if job.setting("serving.exclusive"):
            stack.enter_context(mps.exclusive_process())
        try:
            daemon = stack.enter_context(mps.daemon())
        except UserError as error:
            if choice == "always":
                raise
            print(f"without MPS: {error}")
            return
        for processes in counts:
            yield measure(processes, size, daemon)


def identical_share(answer: Answers, first: Answers) -> float:
    """Return the share of users whose answers are the same, bit by bit."""
    same = [(answer[name] == first[name]).all(axis=1) for name in first]
    return float(np.all(same, axis=0).mean())


def _wants_mps(choice: str, backend: dict[str, Any]) -> bool:
    """Whether to measure with MPS; where it is left open and there is none, say why not."""
    if choice == "never" or backend["name"] != "tensorrt":
        return False
    if choice == "auto" and not mps.is_available():
        print(f"without MPS: {mps.CONTROL} is not on the path")
        return False
    return True
