"""What every step needs that translates."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.job import Job
from trtflow.runtime.backend import read_backend
from trtflow.samples import load as load_sample

BATCH, LANES, UNLIMITED = 128, 1, -1  # where the sample sets nothing: those of the guide's §11.3


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
    lanes = job.setting("inference.lanes", LANES)
    backend = read_backend(job.input("backend"))
    found: tuple[ModuleType, Any] = load_sample(job.sample).load_translator(
        encoder, plan, backend, batch_of(job), most, lanes
    )
    return found
