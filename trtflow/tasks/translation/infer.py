"""A translator's engines at work (guide §11.3)."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.bpe import join
from trtflow.datasets.translation import read_sentences, to_text
from trtflow.formats import UserError
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import write_text
from trtflow.job import Job
from trtflow.metrics.bleu import bleu_scores
from trtflow.tasks.translation.engines import UNLIMITED, load_translator, read_model

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
