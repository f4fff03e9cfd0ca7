"""Which class each pixel of a picture is of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.images import read_image
from trtflow.datasets.labelled.lists import pictures_of
from trtflow.datasets.labelled.masks import mask_form, masks_of, read_mask
from trtflow.datasets.placement import map_in_picture
from trtflow.formats.arrays import read_arrays
from trtflow.job import Job
from trtflow.metrics.segmentation import confusion, segmentation_scores
from trtflow.samples import ITEMS
from trtflow.samples import load as load_sample
from trtflow.tasks.files import write_scores
from trtflow.tasks.inference import infer
from trtflow.tasks.losses import measure_losses
from trtflow.tasks.measurement import measure, profile
from trtflow.tasks.own import compare_outputs, hook_scores
from trtflow.tasks.targets import run_targets

__all__ = ["compare_outputs", "draw_masks", "infer", "measure", "measure_losses", "profile", "run_targets", "score"]

COUNT = 4  # pictures to draw where no number is set


def read_masks(job: Job, sample: Any) -> Iterator[tuple[Path, np.ndarray, np.ndarray]]:
    """Yield each picture that was asked, its true mask, and what is said of it, int [H, W] both."""
    data = job.setting("own.data")
    form = mask_form(data, sample.classes)
    split = pictures_of(Path(data["val"]), sample.folder)
    pictures = zip(split.paths, masks_of(split, Path(data["masks"])), strict=True)
    known = dict(zip(split.names, pictures, strict=True))
    answers, names = read_arrays(job.input("predictions"), "mask", ITEMS)
    for name, said in zip(names.tolist(), answers, strict=True):
        path, mask = known[name]
        truth = read_mask(mask, form)
        yield path, truth, said_in_picture(sample, truth, said)


def said_in_picture(sample: Any, truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return what is said of a picture, int [h, w] over the network's input, over the picture, [H, W] as its mask."""
    taken = sample.inputs[sample.INPUT]
    return map_in_picture(said, (truth.shape[0], truth.shape[1]), taken.size, taken.resize)


def score(job: Job) -> None:
    """Write mean intersection over union and accuracy of the pixels, and the metrics of the user's hook."""
    sample = load_sample(job.sample)
    found = [confusion(truth, said, len(sample.classes)) for _, truth, said in read_masks(job, sample)]
    scores = segmentation_scores(found, sample.classes)
    scores["metrics"] |= hook_scores(job)
    write_scores(job, scores, {})


def draw_masks(job: Job) -> None:
    """Draw the first held-out pictures as they are, with their true masks, and with what the engine says."""
    from trtflow.reporting.boxes import write_png  # noqa: PLC0415 - Pillow, which the engine's Python lacks
    from trtflow.reporting.masks import colours_of, draw_mask, mask_sheet  # noqa: PLC0415 - as above

    sample = load_sample(job.sample)
    colours, rows = colours_of(sample.classes), []
    for _, (path, truth, said) in zip(
        range(job.setting("own.drawn.count", COUNT)), read_masks(job, sample), strict=False
    ):
        image = read_image(path)
        rows.append([image, draw_mask(image, truth, colours), draw_mask(image, said, colours)])
    write_png(job.output("picture"), mask_sheet(rows, ["picture", "truth", "engine"], sample.classes))
