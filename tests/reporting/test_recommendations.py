"""Recommendations in the guide's form, and what is said of one process and several."""

import numpy as np
import pytest

from trtflow.reporting.recommendations import rendering, write_ranking
from trtflow.reporting.serving import advice, write_serving
from trtflow.reporting.tables import serving_rows

USUAL = {"identical": 1.0, "workers_lost": 0}


def row(processes, rate, batch_size=1, mps="none"):
    return {"processes": processes, "batch_size": batch_size, "mps": mps, "queries_per_s": rate, **USUAL}


CPU = [row(1, 100.0), row(4, 250.0), row(1, 2000.0, 64)]
GPU = [*CPU, row(1, 90.0, mps="own"), row(4, 500.0, mps="own")]


def test_text_of_a_user_is_the_guides():
    (text,) = rendering(np.array([7]), np.array([[3, 1, 2]]), np.array([[2, 3]]), np.array([[0.75, 0.5]], np.float32))
    assert text.splitlines() == [
        "user : 7",
        "items : [3, 1, 2]",
        "predicted_max_rating_item : 2",
        "predicted_max_rating_prob : [0.75000000]",
        "Top 2 Ratings:",
        "2 : 0.75000000",
        "3 : 0.50000000",
        "#" * 80,
    ]


def test_figures_are_drawn_and_the_same_each_time(tmp_path):
    rng = np.random.default_rng(0)
    probabilities, choices = rng.random((20, 100)), np.tile(np.arange(100), (20, 1))
    for name in "ab":
        write_ranking(tmp_path / f"{name}.png", probabilities, choices)
        write_serving(tmp_path / f"{name}{name}.png", GPU)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "aa.png").read_bytes() == (tmp_path / "bb.png").read_bytes()
    write_serving(tmp_path / "cpu.png", CPU)
    write_serving(tmp_path / "one.png", CPU[:1])


def test_advice_on_a_cpu():
    text = advice(CPU)
    assert "4 processes, batch of 1: 250 queries/s" in text
    assert "one by one: 4 processes, batch of 1, 2.50 times one process." in text
    assert "can wait for one another: 1 process, batch of 64." in text
    assert "The large batch has 8.00 times the queries/s of the best small one." in text
    assert "MPS" not in text


def test_advice_on_a_gpu_knows_what_mps_gains():
    text = advice(GPU)
    assert "one by one: 4 processes, batch of 1, MPS (own daemon), 5.00 times one process." in text
    assert "with it are 2.00 times the most without" in text


def test_where_the_large_batch_is_slower_it_is_not_advised():
    text = advice([row(1, 100.0), row(2, 300.0), row(1, 200.0, 64)])
    assert "can wait for one another: 2 processes, batch of 1." in text


@pytest.mark.parametrize("serving", [GPU, []])
def test_report_has_a_table_of_processes(serving):
    entry = {"metrics": {}, "latency_ms": dict.fromkeys(("mean", "median", "p95", "p99"), 1.0), "throughput_per_s": 1.0}
    entry |= {"engine_bytes": 1, "build_s": 1.0, **({"serving": serving} if serving else {})}
    report = {"title": "t", "passed": True, "chapter": 15, "upstream": "u", "data": "mini", "gates": []}
    report |= {"backend": {"name": "reference", "version": "1", "device": "d"}, "precisions": {"fp32": entry}}
    assert len(serving_rows(report)) == 1 + len(serving)
