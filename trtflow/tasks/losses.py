"""What INT8 loses of each tensor of a model of the user's own."""

from __future__ import annotations

import numpy as np

from trtflow.calibration.calibrators import make_calibrator
from trtflow.formats.batch_file import read_batch
from trtflow.formats.calibration_table import read_table
from trtflow.formats.files import write_json, write_text
from trtflow.job import Job
from trtflow.losses import Precise, losses_text, tensor_losses
from trtflow.runtime.backend import open_backend
from trtflow.runtime.devices import device_of
from trtflow.samples import definition, packed_feeds
from trtflow.samples import load as load_sample

BATCH = 8  # items of a run: with every tensor an output, a large one takes much memory
MOST = 64  # items: sums of squares hardly change with more


def measure_losses(job: Job) -> None:
    """Write how far each tensor is from float32 on the calibration batches, as JSON and, the worst first, as text."""
    trt, _ = open_backend(job.input("backend"))
    sample, export, table = load_sample(job.sample), job.input("export").parent, job.input("table")
    images = np.concatenate([read_batch(path).images for path in job.inputs["batches"]])[:MOST]
    size = sample.batch or min(job.setting("max_batch_size"), BATCH, len(images))
    feeds, kept = packed_feeds(sample), job.input("kept").read_text().splitlines() if job.files("kept") else []
    calibrator = make_calibrator(trt, job.setting("calibration.algorithm"), None, table, device_of(trt).allocate)
    losses = tensor_losses(
        trt,
        definition(sample, export, "fp32"),
        Precise(definition(sample, export, "int8", kept=kept), calibrator),
        [feeds(images[first : first + size]) for first in range(0, len(images) - size + 1, size)],
        read_table(table).scales,
        explicit_batch=sample.EXPLICIT_BATCH,
    )
    write_json(job.output("losses"), {"tensors": [loss.to_json() for loss in losses]})
    write_text(job.output("text"), losses_text(losses))
