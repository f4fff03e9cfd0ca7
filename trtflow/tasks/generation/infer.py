"""The engine of a character model at work."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from trtflow.datasets.characters import decode, encode, read_vocabulary
from trtflow.formats.arrays import write_arrays
from trtflow.job import Job
from trtflow.runtime.backend import read_backend
from trtflow.runtime.session import load_engine
from trtflow.samples import load as load_sample
from trtflow.steps import required

LENGTH = 100  # characters to write behind each seed where no number is set


def infer(job: Job) -> None:
    """Score a text, write on from each seed; print what was written, write what came of both."""
    sample, export, path = load_sample(job.sample), job.input("export").parent, job.input("val")
    vocabulary = read_vocabulary(export / "vocab.json")
    text = encode(path.read_text(encoding="utf-8"), vocabulary, path)
    named, length = required(job, "generation.seeds"), job.setting("generation.length", LENGTH)
    seeds = [encode(seed, vocabulary, f"seed {seed!r}") for seed in named]
    trt, engine = load_engine(job.input("plan"), read_backend(job.input("backend")))
    with closing(sample.make_loop(trt, engine, export)) as loop:
        generated = np.array([sample.generate(loop, seed, length) for seed in seeds], np.int32)
        chances = sample.score(loop, text)
    for seed, found in zip(named, generated, strict=True):
        print(f"{seed}|{decode(found, vocabulary)}")
    write_arrays(job.output("predictions"), {"log_probabilities": chances, "generated": generated})
