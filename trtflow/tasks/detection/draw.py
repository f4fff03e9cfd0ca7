"""What an engine found, on the pictures."""

from __future__ import annotations

import numpy as np

from trtflow.datasets.images import read_image
from trtflow.datasets.voc import image_path
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.netpbm import write_ppm
from trtflow.job import Job
from trtflow.reporting.boxes import (
    VISUAL_THRESHOLD,
    contact_sheet,
    draw_boxes,
    draw_labelled_boxes,
    visible,
    write_png,
)
from trtflow.tasks.detection.truth import job_classes, read_found

COUNT = 8  # pictures to draw where no number is set


def draw(job: Job) -> None:
    """Draw the first held-out pictures: as PPM with red boxes, as PNG with labels, and one sheet of them all."""
    sheet, classes = job.output("picture"), job_classes(job)
    data, (detections,), truths = read_found(job, job.input("predictions"))
    labelled: list[np.ndarray] = []
    for truth, rows in zip(truths[: job.setting("figures.count", COUNT)], detections, strict=False):
        image = read_image(image_path(data, truth.image_id))
        found = visible(rows, job.setting("figures.threshold", VISUAL_THRESHOLD))
        write_ppm(sheet.with_name(f"{truth.image_id}.ppm"), draw_boxes(image, found[:, 3:]))
        labelled.append(draw_labelled_boxes(image, found, classes, truth.normalised_boxes()))
        write_png(sheet.with_name(f"{truth.image_id}.png"), labelled[-1])
    write_png(sheet, contact_sheet(labelled))


def draw_picture(job: Job) -> None:
    """Draw one picture, as PPM with red boxes and as PNG with labels; print class, score and box in pixels."""
    path, predictions = job.input("picture"), job.input("predictions")
    classes, image = job_classes(job), read_image(path)
    detections, images = read_arrays(predictions, "detections", "images")
    if images.tolist() != [path.stem]:
        raise FormatError(predictions, f"not of {path} alone", "Run infer.py on it.")
    found = visible(detections[0], job.setting("figures.threshold", VISUAL_THRESHOLD))
    height, width = image.shape[:2]
    for row in found:
        corners = " ".join(f"{value:.1f}" for value in row[3:] * np.array([width, height, width, height]))
        print(f"{classes[int(row[1])]} {row[2]:.4f} {corners}")
    write_ppm(job.output("drawn"), draw_boxes(image, found[:, 3:]))
    write_png(job.output("picture"), draw_labelled_boxes(image, found, classes))
