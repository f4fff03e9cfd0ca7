"""How good translations are."""

from __future__ import annotations

from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.bleu import bleu_scores
from trtflow.tasks.translation.texts import read_references, read_translations


def score(job: Job) -> None:
    """Write BLEU of the beam search's translations, and of greedy ones beside them."""
    references = read_references(job)
    beam, greedy = (
        bleu_scores(read_translations(job.input(name), references), references) for name in ("beam", "greedy")
    )
    bleu = beam.pop("bleu")
    metrics = {"bleu": bleu, "greedy_bleu": greedy["bleu"], "beam_gain": bleu - greedy["bleu"]}
    write_json(job.output("metrics"), {"metrics": metrics, "details": beam})
