"""How well a character model foresees a text, and whether it writes what it is known to."""

from __future__ import annotations

from trtflow.datasets.characters import decode, read_vocabulary
from trtflow.formats import UserError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.perplexity import perplexity


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
    write_json(job.output("metrics"), {"metrics": metrics})
