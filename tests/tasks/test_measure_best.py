"""`measure: best`: which batches are timed, and which of them are told."""

import pytest

from trtflow.reporting.tables import timing_rows
from trtflow.tasks.measurement import batch_ladder, best_rows


@pytest.mark.parametrize(("most", "sizes"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_batches_double_up_to_the_largest(most, sizes):
    assert batch_ladder(most) == sizes


def row(batch_size, images_per_s, p99, **more):
    latency = {"median": p99 / 2, "p99": p99}
    parts = dict.fromkeys(("h2d_ms", "compute_ms", "d2h_ms", "enqueue_ms", "queries_per_s"), 0.0)
    return {"batch_size": batch_size, "images_per_s": images_per_s, "latency_ms": latency, **parts, **more}


ROWS = [row(1, 100, 10), row(1, 150, 7, cuda_graph=True), row(4, 300, 14), row(4, 290, 15, cuda_graph=True)]


def test_the_most_images_of_all_and_within_a_limit():
    best = best_rows(ROWS, 12)
    assert best["throughput"] == {"batch_size": 4, "cuda_graph": False, "images_per_s": 300, "p99_ms": 14}
    assert best["within"] == {"batch_size": 1, "cuda_graph": True, "images_per_s": 150, "p99_ms": 7}
    assert best_rows(ROWS, 1)["within"] is None
    assert set(best_rows(ROWS, None)) == {"throughput"}


def test_the_report_marks_them():
    report = {"precisions": {"fp16": {"timing": ROWS, "best": best_rows(ROWS, 12)}}}
    head, *rows = timing_rows(report)
    assert head[-1] == "best"
    assert [found[-1] for found in rows] == ["", "within 12 ms", "images/s", ""]
    assert timing_rows({"precisions": {"fp16": {"timing": ROWS}}})[0][-1] == "images/s"
