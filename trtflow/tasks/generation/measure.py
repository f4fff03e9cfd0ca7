"""Engines of a character model timed against one another, in turns: a query is one character written, state and all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from types import ModuleType

from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.runtime.backend import read_backend
from trtflow.runtime.loop import StepLoop, measure_steps
from trtflow.runtime.session import load_engine
from trtflow.runtime.timing import DURATION_S
from trtflow.samples import load as load_sample
from trtflow.tasks.common.files import by_precision


def measure(job: Job) -> None:
    """Measure all engines, write latency and characters a second."""
    sample, backend = load_sample(job.sample), read_backend(job.input("backend"))
    with ExitStack() as stack:
        writers = {}
        for name, plan in by_precision(job.inputs["plans"]).items():
            loop = sample.make_loop(*load_engine(plan, backend), job.input("export").parent)
            writers[name] = _writer(sample, stack.enter_context(closing(loop)))
        write_json(job.output("latency"), measure_steps(writers, job.setting("latency_seconds", DURATION_S)))


def _writer(sample: ModuleType, loop: StepLoop) -> Callable[[], object]:
    """Return a function that writes one character each time it is called, from the vocabulary's first on."""
    sample.give(loop, 0)
    return partial(sample.write_on, loop, 1)
