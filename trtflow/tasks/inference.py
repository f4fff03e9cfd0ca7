"""Engines that take prepared inputs at work."""

from __future__ import annotations

from collections import Counter

import numpy as np

from trtflow.formats.arrays import write_arrays
from trtflow.job import Job
from trtflow.metrics.finite import count_not_finite
from trtflow.runtime.backend import read_backend
from trtflow.runtime.session import Session
from trtflow.samples import ITEMS, Answers, batches_of, read_prepared
from trtflow.samples import load as load_sample
from trtflow.tasks.files import spoilt_arrays

BATCH = 8  # items a run where no largest batch is given


def infer(job: Job) -> None:
    """Run an engine over all inputs, and write what it said of each with the items' names.

    Values of inputs and outputs that are no numbers are counted, before the host makes answers of them.
    """
    sample = load_sample(job.sample)
    values, names = read_prepared(sample, job.input("inputs"))
    batches = batches_of(sample, values, job.setting("max_batch_size", BATCH))
    answers, spoilt = Answers(sample), Counter[str]()
    with Session.load(job.input("plan"), read_backend(job.input("backend"))) as session:
        for inputs, outputs in zip(batches, session.run_all(batches), strict=True):
            spoilt.update(count_not_finite({**inputs, **outputs}))
            answers.add(sample.postprocess({**inputs, **outputs}))
    joined = answers.joined(len(names))
    if "detections" in joined:
        joined["detections"][..., 0] = np.arange(len(names))[:, None]  # number in the split, not in the batch
    write_arrays(job.output("predictions"), {**joined, **spoilt_arrays(spoilt), ITEMS: names})
