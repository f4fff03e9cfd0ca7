"""An engine timed layer by layer."""

from __future__ import annotations

from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.runtime.backend import read_backend
from trtflow.runtime.profile import profile_layers
from trtflow.runtime.session import Session, load_engine
from trtflow.samples import first_batch

ITERATIONS = 10  # runs to take the mean of


def profile(job: Job) -> None:
    """Time the layers of an engine and write the mean time of each.

    The engine is given the inputs `values`, where time depends on values.
    """
    batch_size = job.setting("profile_batch_size", 1)
    trt, engine = load_engine(job.input("plan"), read_backend(job.input("backend")))
    with Session(trt, engine) as session:
        if job.files("values"):
            session.fill(first_batch(job.sample, job.input("values"), batch_size))
        layers = profile_layers(trt, session, ITERATIONS, batch_size)
    settings = {"iterations": ITERATIONS, "batch_size": batch_size}
    write_json(job.output("profile"), {"precision": job.precision, **settings, "layers": layers})
