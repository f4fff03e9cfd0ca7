"""What is where on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.images import read_image
from trtflow.datasets.labelled import Labelled, read_objects
from trtflow.datasets.labelled.voc_xml import BACKGROUND
from trtflow.datasets.manifest import locate
from trtflow.datasets.objects import classes_of
from trtflow.datasets.placement import boxes_in_picture
from trtflow.datasets.voc import Annotation, image_path, read_predictions
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.netpbm import write_ppm
from trtflow.job import Job
from trtflow.metrics.detections import LEAST_SCORE, holds_something, least_matched_iou, max_difference
from trtflow.metrics.scores import detection_scores
from trtflow.samples import ITEMS
from trtflow.samples import load as load_sample
from trtflow.tasks.files import by_precision, read_alike, write_metrics, write_scores
from trtflow.tasks.inference import infer
from trtflow.tasks.losses import measure_losses
from trtflow.tasks.measurement import measure, profile
from trtflow.tasks.own import compare_outputs, hook_scores
from trtflow.tasks.targets import run_targets

__all__ = [
    "compare",
    "compare_map",
    "compare_outputs",
    "draw",
    "draw_objects",
    "draw_picture",
    "infer",
    "measure",
    "measure_losses",
    "profile",
    "run_targets",
    "score",
    "score_objects",
]

OBJECTS = "digits"  # what is looked for where nothing else is set


def job_classes(job: Job) -> tuple[str, ...]:
    """Return the classes that a detector looks for, the background first."""
    return classes_of(job.setting("splits.objects", OBJECTS))


def read_found(job: Job, *paths: Path) -> tuple[Path, list[np.ndarray], list[Annotation]]:
    """Return the folder of the held-out pictures, the detections of each file [N, K, 7], and the pictures' annotations.

    Raises:
        FormatError: detections are of other pictures.
    """
    folder, split = locate(job.input("val"))
    found = [read_predictions(path, folder, split, job_classes(job)) for path in paths]
    return folder, [detections for detections, _ in found], found[0][1]


def score(job: Job) -> None:
    """Write VOC's and COCO's mean average precision."""
    _, (detections,), truths = read_found(job, job.input("predictions"))
    scores = detection_scores(detections, truths, job_classes(job))
    write_scores(job, scores, {"detections": detections[holds_something(detections)]})


def read_objects_found(job: Job) -> tuple[Labelled, list[Annotation], np.ndarray, Any]:
    """Return a user's labelled pictures, the objects on those that were asked, what is found, and the sample.

    Detections, float32 [N, K, 7], are in parts of the pictures, however these got into the network's input.
    """
    sample = load_sample(job.sample)
    (detections, names) = read_arrays(job.input("predictions"), "detections", ITEMS)
    place, labels = Path(job.setting("own.data.val")), Path(job.setting("own.data.labels"))
    labelled = read_objects(place, labels, sample.classes, sample.folder)
    truths = labelled.of(names.tolist(), labels)
    return labelled, truths, found_in_pictures(sample, truths, detections), sample


def found_in_pictures(sample: Any, truths: Sequence[Annotation], detections: np.ndarray) -> np.ndarray:
    """Return detections, float32 [N, K, 7], in parts of the network's input, in parts of the pictures; changed there.

    Args:
        sample: of the user's own.
        truths: the objects of each picture, whose size is used.
        detections: as `infer` gives them.
    """
    taken = sample.inputs[sample.INPUT]
    for rows, truth in zip(detections, truths, strict=True):
        rows[:, 3:] = boxes_in_picture(rows[:, 3:], truth.size, taken.size, taken.resize)
    return detections


def score_objects(job: Job) -> None:
    """Write VOC's and COCO's mean average precision of a user's model, and the metrics of its hook."""
    _, truths, detections, sample = read_objects_found(job)
    scores = detection_scores(detections, truths, (BACKGROUND, *sample.classes))
    scores["metrics"] |= hook_scores(job)
    write_scores(job, scores, {"detections": detections[holds_something(detections)]})


def draw_objects(job: Job) -> None:
    """Draw what a user's model finds on the first held-out pictures, its boxes whole and the true ones dashed."""
    from trtflow.reporting import boxes  # noqa: PLC0415 - Pillow, which the engine's Python lacks
    from trtflow.reporting.masks import into_cell  # noqa: PLC0415 - as above

    labelled, truths, detections, sample = read_objects_found(job)
    (names,) = read_arrays(job.input("predictions"), ITEMS)
    paths, drawn = dict(zip(labelled.names, labelled.pictures, strict=True)), job.setting("own.drawn", {})
    sheet = []
    shown = zip(names.tolist(), truths, detections, strict=True)
    for name, truth, rows in list(shown)[: drawn.get("count", COUNT)]:
        image = np.asarray(into_cell(read_image(paths[name])))
        found = boxes.visible(rows, drawn.get("threshold", DRAWN_THRESHOLD))
        classes = (BACKGROUND, *sample.classes)
        sheet.append(boxes.draw_labelled_boxes(image, found, classes, truth.normalised_boxes()))
    boxes.write_png(job.output("picture"), boxes.contact_sheet(boxes.of_one_size(sheet), columns=2))


PRECISION = "fp32"  # of the engine that is compared with the framework alone
DRAWN_THRESHOLD = 0.3  # least score of a box that is drawn of a user's model, where none is set
THRESHOLD = 0.5  # least score of a box whose partner is sought, where none is set


def compare(job: Job) -> None:
    """Write the largest difference of a box or score from the framework's, and the worst overlap."""
    engine, framework = read_alike(job.input("predictions"), job.input("framework"), "detections")
    largest = max_difference(engine, framework, LEAST_SCORE, job.setting("nms_iou"))
    found = {"agreement": largest, "matched_iou": least_matched_iou(engine, framework)}
    write_metrics(job.output("agreement"), {PRECISION: found})


def compare_map(job: Job) -> None:
    """Write for each precision how boxes, scores and VOC's mean average precision differ from the framework's."""
    named, classes = by_precision(job.inputs["predictions"]), job_classes(job)
    threshold = job.setting("figures.threshold", THRESHOLD)
    _, (expected, *engines), truths = read_found(job, job.input("framework"), *named.values())
    framework_map = detection_scores(expected, truths, classes)["metrics"]["map"]
    found = {}
    for precision, detections in zip(named, engines, strict=True):
        engine_map = detection_scores(detections, truths, classes)["metrics"]["map"]
        found[precision] = {
            "agreement": max_difference(detections, expected, LEAST_SCORE, job.setting("nms_iou")),
            "matched_iou": least_matched_iou(detections, expected, threshold),
            "framework_map": framework_map,
            "framework_map_drop": abs(engine_map - framework_map),
        }
    write_metrics(job.output("agreement"), found)


COUNT = 8  # pictures to draw where no number is set


def draw(job: Job) -> None:
    """Draw the first held-out pictures: as PPM with red boxes, as PNG with labels, and one sheet of them all."""
    from trtflow.reporting import boxes  # noqa: PLC0415 - Pillow, which the engine's Python lacks

    sheet, classes = job.output("picture"), job_classes(job)
    data, (detections,), truths = read_found(job, job.input("predictions"))
    labelled: list[np.ndarray] = []
    for truth, rows in zip(truths[: job.setting("figures.count", COUNT)], detections, strict=False):
        image = read_image(image_path(data, truth.image_id))
        found = boxes.visible(rows, job.setting("figures.threshold", boxes.VISUAL_THRESHOLD))
        write_ppm(sheet.with_name(f"{truth.image_id}.ppm"), boxes.draw_boxes(image, found[:, 3:]))
        labelled.append(boxes.draw_labelled_boxes(image, found, classes, truth.normalised_boxes()))
        boxes.write_png(sheet.with_name(f"{truth.image_id}.png"), labelled[-1])
    boxes.write_png(sheet, boxes.contact_sheet(labelled))


def draw_picture(job: Job) -> None:
    """Draw one picture, as PPM with red boxes and as PNG with labels; print class, score and box in pixels."""
    from trtflow.reporting import boxes  # noqa: PLC0415 - as above

    path, predictions = job.input("picture"), job.input("predictions")
    classes, image = job_classes(job), read_image(path)
    detections, images = read_arrays(predictions, "detections", "images")
    if images.tolist() != [path.stem]:
        raise FormatError(predictions, f"not of {path} alone", "Run infer.py on it.")
    found = boxes.visible(detections[0], job.setting("figures.threshold", boxes.VISUAL_THRESHOLD))
    height, width = image.shape[:2]
    for row in found:
        corners = " ".join(f"{value:.1f}" for value in row[3:] * np.array([width, height, width, height]))
        print(f"{classes[int(row[1])]} {row[2]:.4f} {corners}")
    write_ppm(job.output("drawn"), boxes.draw_boxes(image, found[:, 3:]))
    boxes.write_png(job.output("picture"), boxes.draw_labelled_boxes(image, found, classes))
