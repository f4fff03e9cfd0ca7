"""Translations, for people."""

from __future__ import annotations

from trtflow.datasets.bpe import join
from trtflow.datasets.translation import read_sentences
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.job import Job
from trtflow.reporting.report import read_json
from trtflow.reporting.translation import rendering, write_translation_figure
from trtflow.tasks.common.files import by_precision

SHOWN = 10  # translations to write


def draw(job: Job) -> None:
    """Draw what the words of a translation looked at and the BLEU of each precision; write the first translations."""
    weights, source, target = read_arrays(job.input("attention"), "weights", "source", "target")
    details = {}
    for name, path in by_precision(job.inputs["metrics"]).items():
        scores = read_json(path)
        details[name] = {"bleu": scores["metrics"]["bleu"], **scores["details"]}
    words = ([str(word) for word in source], [str(word) for word in target])
    write_translation_figure(job.output("picture"), weights, *words, details)
    translations = job.input("translations").read_text(encoding="utf-8").splitlines()[:SHOWN]
    sources, references = (
        [join(line) for line in read_sentences(path, len(translations))] for path in job.inputs["val"]
    )
    write_text(job.output("text"), rendering(sources, translations, references))
