"""The engine of a recommender at work."""

from __future__ import annotations

from trtflow.datasets.ratings import read_choices
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.families.ncf.layers import read_sizes
from trtflow.runtime.backend import read_backend
from trtflow.runtime.session import Session, load_engine
from trtflow.samples import load as load_sample
from trtflow.tasks.recommendation.serving import identical_share, measured

BATCH = 32  # users a run where no largest batch is given


def infer(job: Job) -> None:
    """Ask for all users which movies they would like best, and write the answers."""
    users, choices = read_choices(job.input("choices"), **read_sizes(job.input("export").parent))
    sample = load_sample(job.sample)
    with Session(*load_engine(job.input("plan"), read_backend(job.input("backend")))) as session:
        answers = sample.recommend(session, users, choices, job.setting("max_batch_size", BATCH))
    write_arrays(job.output("predictions"), {"users": users, "choices": choices, **answers})


def serve(job: Job) -> None:
    """Ask from one process, from several, and from several under MPS; write the last answers, and each measurement."""
    users, choices = read_choices(job.input("choices"), **read_sizes(job.input("export").parent))
    rows, answers = [], []
    for row, answer in measured(job, users, choices):
        answers.append(answer)
        rows.append({**row, "identical": identical_share(answer, answers[0])})
        print(rows[-1], flush=True)
    # those of the largest number of processes
    last = answers[len(job.setting("serving.processes")) - 1]
    write_arrays(job.output("predictions"), {"users": users, "choices": choices, **last})
    write_json(job.output("serving"), rows)
