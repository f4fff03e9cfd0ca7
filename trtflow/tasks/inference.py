"""Engines that take prepared inputs at work."""

from __future__ import annotations

import numpy as np

from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.job import Job
from trtflow.runtime.backend import read_backend
from trtflow.runtime.session import Session, load_engine
from trtflow.samples import batches_of
from trtflow.samples import load as load_sample

BATCH = 8  # items a run where no largest batch is given


def infer(job: Job) -> None:
    """Run an engine over all inputs, and write what it said of each with the items' names."""
    sample = load_sample(job.sample)
    values, names = read_arrays(job.input("inputs"), sample.INPUT, "images")
    batches = batches_of(sample, values, job.setting("max_batch_size", BATCH))
    with Session(*load_engine(job.input("plan"), read_backend(job.input("backend")))) as session:
        answers = zip(batches, session.run_all(batches), strict=True)
        results = [sample.postprocess({**inputs, **outputs}) for inputs, outputs in answers]
    joined = {name: np.concatenate([result[name] for result in results]) for name in results[0]}
    if "detections" in joined:
        joined["detections"][..., 0] = np.arange(len(names))[:, None]  # number in the split, not in the batch
    write_arrays(job.output("predictions"), {**joined, "images": names})
