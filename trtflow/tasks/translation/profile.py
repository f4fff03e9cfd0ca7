"""The layers of a translator's engines timed while they translate (guide §11.3, --profile).

The time of a layer is that of a whole batch: the generator's layers run once for each word of the longest translation.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial

from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.tasks.translation.engines import batch_of, load_translator, read_model

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
