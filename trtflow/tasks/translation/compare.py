"""What engines translate beside TensorFlow."""

from __future__ import annotations

from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.bleu import bleu_scores
from trtflow.tasks.common.files import by_precision
from trtflow.tasks.translation.texts import read_references, read_translations


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
