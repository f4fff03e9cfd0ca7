"""How well a detector finds objects."""

from __future__ import annotations

from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.scores import detection_scores
from trtflow.tasks.detection.truth import job_classes, read_found


def score(job: Job) -> None:
    """Write VOC's and COCO's mean average precision."""
    _, (detections,), truths = read_found(job, job.input("predictions"))
    write_json(job.output("metrics"), detection_scores(detections, truths, job_classes(job)))
