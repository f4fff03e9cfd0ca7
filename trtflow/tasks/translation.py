"""A sentence in another language."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.bpe import join
from trtflow.datasets.translation import read_sentences, to_text
from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.formats.damage import read_lines
from trtflow.formats.files import read_json, write_json, write_text
from trtflow.job import Job
from trtflow.metrics.bleu import bleu_scores
from trtflow.runtime.backend import read_backend
from trtflow.runtime.loop import measure_steps
from trtflow.runtime.timing import DURATION_S, is_brief
from trtflow.samples import load as load_sample
from trtflow.tasks.files import by_precision

BATCH, UNLIMITED = 128, -1  # where the sample sets nothing: those of the guide's §11.3


def batch_of(job: Job) -> int:
    """Return how many sentences a batch has."""
    return int(job.setting("inference.batch", BATCH))


def read_model(job: Job) -> tuple[Any, Any]:
    """Return the sample and what its exported model says of itself."""
    sample = load_sample(job.sample)
    return sample, sample.read_model(job.input("export").parent)


def load_translator(job: Job, encoder: Path, plan: Path) -> tuple[ModuleType, Any]:
    """Return the backend's module and the translator of two engines."""
    most = job.setting("inference.max_output_sequence_length", UNLIMITED)
    backend = read_backend(job.input("backend"))
    found: tuple[ModuleType, Any] = load_sample(job.sample).load_translator(encoder, plan, backend, batch_of(job), most)
    return found


def read_references(job: Job) -> list[str]:
    """Return the right translations of the sentences that are scored."""
    lines = read_sentences(job.inputs["val"][1], job.setting("inference.max_inference_samples", -1))
    return [join(line) for line in lines]


def read_translations(path: Path, references: list[str]) -> list[str]:
    """Return the lines of a file of translations.

    Raises:
        FormatError: they are not as many as the right ones.
    """
    lines = read_lines(path, "Run infer.py again.")
    if len(lines) != len(references):
        fault = f"{len(lines)} translations, but there are {len(references)} sentences"
        raise FormatError(path, fault, "Run infer.py again.")
    return lines


WRITERS = ("bleu", "text", "benchmark")


def infer(job: Job) -> None:
    """Translate by beam search, and say of it what the data writer is for.

    Where they are outputs, a greedy search's translations and the attention of one sentence are written too.
    """
    writer, most = job.setting("inference.data_writer", WRITERS[0]), _most(job)
    if writer not in WRITERS:
        raise UserError(f"{job.sample}: inference.data_writer: {writer!r} is not one of {', '.join(WRITERS)}.")
    sample, model = read_model(job)
    lines, sentences = sample.read_source(job.input("val"), model, most)
    _, translator = load_translator(job, job.input("encoder"), job.input("plan"))
    with closing(translator):
        start = time.perf_counter()
        found = translator.translate(sentences, model.beam)
        seconds = time.perf_counter() - start
        greedy = translator.translate(sentences, 1) if "greedy" in job.outputs else []
        if "attention" in job.outputs:
            _write_attention(job.output("attention"), translator, lines, sentences, model)
    translations = _write_translations(job.output("beam"), found, model)
    if "greedy" in job.outputs:
        _write_translations(job.output("greedy"), greedy, model)
    if writer == "benchmark":
        print(f"{len(lines)} sentences in {seconds:.3f} s: {len(lines) / seconds:.1f} sentences/s")
    elif writer == "text":
        print("\n".join(f"{join(line)} -> {text}" for line, text in zip(lines, translations, strict=True)))
    else:
        _say_bleu(job, translations)


def _most(job: Job) -> int:
    return int(job.setting("inference.max_inference_samples", UNLIMITED))


def _write_attention(
    path: Path, translator: Any, lines: Sequence[str], sentences: Sequence[np.ndarray], model: Any
) -> None:
    """Write what the words of the longest sentence's translation looked at."""
    longest = max(range(len(sentences)), key=lambda place: len(sentences[place]))
    words, weights = translator.attention(sentences[longest])
    source, target = lines[longest].split(), to_text(words, model.target).split()
    write_arrays(path, {"weights": weights, "source": np.array(source), "target": np.array(target)})


def _write_translations(path: Path, found: Sequence[Sequence[int]], model: Any) -> list[str]:
    """Write a line for each translation; return the lines."""
    lines = [join(to_text(numbers, model.target)) for numbers in found]
    write_text(path, "".join(f"{line}\n" for line in lines))
    return lines


def _say_bleu(job: Job, translations: Sequence[str]) -> None:
    if importlib.util.find_spec("sacrebleu") is None:
        print("This Python has no sacrebleu: score.py scores the translations in one that has.")
        return
    references = [join(line) for line in read_sentences(job.inputs["val"][1], _most(job))]
    scores = bleu_scores(translations, references)
    print(f"BLEU {scores['bleu']:.2f} ({scores['signature']})")


def score(job: Job) -> None:
    """Write BLEU of the beam search's translations, and of greedy ones beside them."""
    references = read_references(job)
    beam, greedy = (
        bleu_scores(read_translations(job.input(name), references), references) for name in ("beam", "greedy")
    )
    bleu = beam.pop("bleu")
    metrics = {"bleu": bleu, "greedy_bleu": greedy["bleu"], "beam_gain": bleu - greedy["bleu"]}
    write_json(job.output("metrics"), {"metrics": metrics, "details": beam})


def compare(job: Job) -> None:
    """Write for each precision how its BLEU differs from TensorFlow's, and the share of sentences that are the same.

    Published weights come without a checkpoint: there TensorFlow says nothing, and nothing is compared.
    """
    if not job.files("framework"):
        write_json(job.output("agreement"), {})
        return
    references = read_references(job)
    theirs = read_translations(job.input("framework"), references)
    wanted = bleu_scores(theirs, references)["bleu"]
    found = {}
    for name, path in by_precision(job.inputs["translations"]).items():
        ours = read_translations(path, references)
        difference = abs(bleu_scores(ours, references)["bleu"] - wanted)
        same = sum(one == other for one, other in zip(ours, theirs, strict=True)) / len(theirs)
        found[name] = {"bleu_difference": difference, "sentences_agreement": same}
    write_json(job.output("agreement"), found)


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
        seconds = job.setting("latency_seconds", DURATION_S)
        found = measure_steps(queries, seconds, brief=is_brief(seconds))
    for times in found.values():
        times["throughput_per_s"] *= len(sentences)  # sentences, not batches
    write_json(job.output("latency"), found)


ITERATIONS = 1  # translations of the batch to take the mean of


def profile(job: Job) -> None:
    """Translate the first batch with profilers attached, write the mean time of each layer.

    With `inference.aggregate_profile` layers of the same name are added up, whichever engine they are of.
    """
    sample, model = read_model(job)
    _, sentences = sample.read_source(job.input("val"), model, batch_of(job))
    trt, translator = load_translator(job, job.input("encoder"), job.input("plan"))
    translate = partial(translator.translate, sentences, model.beam)
    with closing(translator):
        translate()  # a warm-up, which no profiler sees
        aggregate = bool(job.setting("inference.aggregate_profile"))
        layers = sample.profile_translation(trt, translator, translate, ITERATIONS, aggregate=aggregate)
    settings = {"iterations": ITERATIONS, "batch_size": batch_of(job)}
    write_json(job.output("profile"), {"precision": job.precision, **settings, "layers": layers})


SHOWN = 10  # translations to write


def draw(job: Job) -> None:
    """Draw what the words of a translation looked at and the BLEU of each precision; write the first translations."""
    from trtflow.reporting.translation import (  # noqa: PLC0415 - matplotlib: drawing alone
        rendering,
        write_translation_figure,
    )

    weights, source, target = read_arrays(job.input("attention"), "weights", "source", "target")
    details = {}
    for name, path in by_precision(job.inputs["metrics"]).items():
        scores = read_json(path)
        details[name] = {"bleu": scores["metrics"]["bleu"], **scores["details"]}
    words = ([str(word) for word in source], [str(word) for word in target])
    write_translation_figure(job.output("picture"), weights, *words, details)
    translations = read_lines(job.input("translations"))[:SHOWN]
    sources, references = (
        [join(line) for line in read_sentences(path, len(translations))] for path in job.inputs["val"]
    )
    write_text(job.output("text"), rendering(sources, translations, references))
