"""What comes next in a text."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np

from trtflow.datasets.characters import decode, encode, read_vocabulary
from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.formats.damage import read_text
from trtflow.formats.files import write_json, write_text
from trtflow.job import Job
from trtflow.metrics.perplexity import perplexity, relative_difference
from trtflow.runtime.backend import read_backend
from trtflow.runtime.loop import StepLoop, measure_steps
from trtflow.runtime.session import load_engine
from trtflow.runtime.timing import DURATION_S, is_brief
from trtflow.samples import load as load_sample
from trtflow.steps import required
from trtflow.tasks.files import by_precision, write_metrics, write_scores
from trtflow.tasks.measurement import profile

__all__ = ["compare", "draw", "infer", "measure", "profile", "score"]

LENGTH = 100  # characters to write behind each seed where no number is set


def infer(job: Job) -> None:
    """Score a text, write on from each seed; print what was written, write what came of both."""
    sample, export, path = load_sample(job.sample), job.input("export").parent, job.input("val")
    vocabulary = read_vocabulary(export / "vocab.json")
    text = encode(read_text(path), vocabulary, path)
    named, length = required(job, "generation.seeds"), job.setting("generation.length", LENGTH)
    seeds = [encode(seed, vocabulary, f"seed {seed!r}") for seed in named]
    trt, engine = load_engine(job.input("plan"), read_backend(job.input("backend")))
    with closing(sample.make_loop(trt, engine, export)) as loop:
        generated = np.array([sample.generate(loop, seed, length) for seed in seeds], np.int32)
        chances = sample.score(loop, text)
    for seed, found in zip(named, generated, strict=True):
        print(f"{seed}|{decode(found, vocabulary)}")
    write_arrays(job.output("predictions"), {"log_probabilities": chances, "generated": generated})


def score(job: Job) -> None:
    """Write the perplexity, and the share of seeds that are followed by what is published, where something is."""
    chances, generated = read_arrays(job.input("predictions"), "log_probabilities", "generated")
    metrics, published = {"perplexity": perplexity(chances)}, job.setting("generation.published")
    if published:
        vocabulary = read_vocabulary(job.input("vocabulary"))
        texts = [decode(row, vocabulary) for row in generated]
        if len(texts) != len(published):
            raise UserError(f"{len(published)} published texts for {len(texts)} seeds: give one for each.")
        same = sum(found == wanted for found, wanted in zip(texts, published, strict=True))
        metrics["published_share"] = same / len(texts)
    write_scores(job, {"metrics": metrics}, {"log_probabilities": chances})


def compare(job: Job) -> None:
    """Write for each precision how its perplexity and its texts differ."""
    named, framework = by_precision(job.inputs["predictions"]), job.input("framework")
    write_metrics(job.output("agreement"), {name: _compare(path, framework) for name, path in named.items()})


def _compare(predictions: Path, framework: Path) -> dict[str, float]:
    """Return the relative difference of the perplexities, and the share of generated characters that are the same."""
    names = ("log_probabilities", "generated")
    (ours, written), (theirs, wanted) = (read_arrays(path, *names) for path in (predictions, framework))
    if ours.shape != theirs.shape or written.shape != wanted.shape:
        raise FormatError(predictions, f"not of the same text and seeds as {framework}", "Make both again.")
    return {
        "perplexity_difference": relative_difference(perplexity(ours), perplexity(theirs)),
        "generated_agreement": float(np.mean(written == wanted)),
    }


def draw(job: Job) -> None:
    """Draw what was written behind each seed beside TensorFlow's, as text and as a picture."""
    from trtflow.reporting.text import rendering, write_text_figure  # noqa: PLC0415 - matplotlib: drawing alone

    vocabulary, seeds = read_vocabulary(job.input("vocabulary")), required(job, "generation.seeds")
    written, wanted = (
        [decode(row, vocabulary) for row in read_arrays(job.input(name), "generated")[0]]
        for name in ("predictions", "framework")
    )
    write_text(job.output("text"), rendering(seeds, written))
    write_text_figure(job.output("picture"), seeds, written, wanted)


def measure(job: Job) -> None:
    """Measure all engines, write latency and characters a second."""
    sample, backend = load_sample(job.sample), read_backend(job.input("backend"))
    with ExitStack() as stack:
        writers = {}
        for name, plan in by_precision(job.inputs["plans"]).items():
            loop = sample.make_loop(*load_engine(plan, backend), job.input("export").parent)
            writers[name] = _writer(sample, stack.enter_context(closing(loop)))
        seconds = job.setting("latency_seconds", DURATION_S)
        write_json(job.output("latency"), measure_steps(writers, seconds, brief=is_brief(seconds)))


def _writer(sample: ModuleType, loop: StepLoop) -> Callable[[], object]:
    """Return a function that writes one character each time it is called, from the vocabulary's first on."""
    sample.give(loop, 0)
    return partial(sample.write_on, loop, 1)
