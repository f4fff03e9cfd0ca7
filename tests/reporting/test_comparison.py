"""Two runs side by side."""

from trtflow.reporting.comparison import result_rows, table_rows, to_markdown


def report(chapter, top1, median, gates=(True, True), graph=None):
    parts = {"h2d_ms": 0.1, "compute_ms": 0.1, "d2h_ms": 0.1, "enqueue_ms": 0.1}
    rows = [
        {"batch_size": 1, "latency_ms": {"median": median}, "queries_per_s": 10, "images_per_s": 10, **parts},
        {"batch_size": 8, "latency_ms": {"median": median}, "queries_per_s": 9, "images_per_s": 72, **parts},
    ]
    if graph:
        rows += [{**row, "cuda_graph": True, "latency_ms": {"median": graph}} for row in rows]
        rows[-1]["images_per_s"] = 80
    entry = {"metrics": {"agreement": 0.0, "top1": top1}, "latency_ms": {"median": median}, "timing": rows}
    return {"chapter": chapter, "precisions": {"fp32": entry}, "gates": [{"passed": passed} for passed in gates]}


def test_rows_are_in_the_guides_order_with_both_runs():
    cpu = {"late": report(9, 0.9, 2.0), "early": report(2, 0.99, 1.0)}
    gpu = {"late": report(9, 0.8, 0.5, gates=(True, False), graph=0.25)}
    _, early, late = result_rows(cpu, gpu)
    assert early == ["early", "fp32", "top1", 0.99, None, "2 of 2", None, 1.0, None, None, 8, 72, None]
    assert late == ["late", "fp32", "top1", 0.9, 0.8, "2 of 2", "1 of 2", 2.0, 0.5, 0.25, 8, 72, 80]


def test_markdown_has_a_heading_and_escapes_bars():
    assert to_markdown([["a", "b|c"], [1.5, None]]) == "| a | b\\|c |\n| --- | --- |\n| 1.5 | – |\n"  # noqa: RUF001


def test_tensors_that_differ_follow_their_sample():
    entry = {"relative": 0.02, "divergence": 0.5, "divergence_excess": 1e-9}
    rows = table_rows({"int8": {"common": 9, "equal": 8, "differing": {"ip1": entry}}})
    assert rows[1:] == [
        ["int8", 9, 8, None, None, None, None],
        [None, None, None, "ip1", 0.02, 0.5, 1e-9],
    ]
