"""Translators of several precisions timed against one another, in turns: a query is a batch of sentences."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial

from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.runtime.loop import measure_steps
from trtflow.runtime.timing import DURATION_S
from trtflow.tasks.common.files import by_precision
from trtflow.tasks.translation.engines import batch_of, load_translator, read_model


def measure(job: Job) -> None:
    """Measure with the first batch, write latency of a batch and sentences a second."""
    sample, model = read_model(job)
    _, sentences = sample.read_source(job.input("val"), model, batch_of(job))
    encoders, queries = by_precision(job.inputs["encoders"]), {}
    with ExitStack() as stack:
        for precision, plan in by_precision(job.inputs["plans"]).items():
            _, translator = load_translator(job, encoders[precision], plan)
            stack.enter_context(closing(translator))
            queries[precision] = partial(translator.translate, sentences, model.beam)
        found = measure_steps(queries, job.setting("latency_seconds", DURATION_S))
    for times in found.values():
        times["throughput_per_s"] *= len(sentences)  # sentences, not batches
    write_json(job.output("latency"), found)
