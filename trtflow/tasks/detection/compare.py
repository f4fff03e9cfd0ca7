"""What engines find beside the framework."""

from __future__ import annotations

from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.detections import LEAST_SCORE, least_matched_iou, max_difference
from trtflow.metrics.scores import detection_scores
from trtflow.tasks.common.files import by_precision, read_alike
from trtflow.tasks.detection.truth import job_classes, read_found

PRECISION = "fp32"  # of the engine that is compared with the framework alone
THRESHOLD = 0.5  # least score of a box whose partner is sought, where none is set


def compare(job: Job) -> None:
    """Write the largest difference of a box or score from the framework's, and the worst overlap."""
    engine, framework = read_alike(job.input("predictions"), job.input("framework"), "detections")
    largest = max_difference(engine, framework, LEAST_SCORE)
    found = {"agreement": largest, "matched_iou": least_matched_iou(engine, framework)}
    write_json(job.output("agreement"), {PRECISION: found})


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
            "agreement": max_difference(detections, expected, LEAST_SCORE),
            "matched_iou": least_matched_iou(detections, expected, threshold),
            "framework_map": framework_map,
            "framework_map_drop": abs(engine_map - framework_map),
        }
    write_json(job.output("agreement"), found)
