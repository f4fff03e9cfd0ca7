"""trtexec, a session and a bare loop side by side: on the reference, with a program in trtexec's place."""

import json
import sys

import bench_runtime
import pytest

import trtflow.reference as trt
from tests.scripts.test_bench_sizes import skeletons  # noqa: F401 - a fixture
from trtflow.formats import UserError
from trtflow.runtime.entry import engine_of

# three queries of 1, 2 and 4 ms, overlapped; as sampleReporting.cpp of NVIDIA/TensorRT 8.6 exports times
TIMES = """#!{python}
import json, sys
words = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
if "loadEngine" not in words:
    sys.exit("no engine")
keys = "startEnqMs endEnqMs startH2dMs endH2dMs startComputeMs endComputeMs startD2hMs endD2hMs h2dMs computeMs d2hMs"
rows = [(0, 0.5, 0, 1, 1, 3, 3, 7), (2, 2.5, 2, 3, 3, 5, 5, 9), (4, 4.5, 4, 5, 5, 7, 7, 11)]
queries = [dict(zip(keys.split(), (*row, row[3] - row[2], row[5] - row[4], row[7] - row[6]))) for row in rows]
json.dump(queries, open(words["exportTimes"], "w"))
"""


@pytest.fixture
def trtexec(tmp_path):
    path = tmp_path / "trtexec"
    path.write_text(TIMES.replace("{python}", sys.executable))
    path.chmod(0o755)
    return path


def bench(monkeypatch, skeletons, tmp_path, *words):  # noqa: F811
    out = tmp_path / "found.json"
    given = ["--skeletons", skeletons, "--plans", tmp_path / "plans", "--out", out, "--rounds", "2", "--seconds", "0"]
    monkeypatch.setattr(bench_runtime, "WARM_UP_S", 0.0)
    monkeypatch.setattr(sys, "argv", ["bench_runtime.py", *map(str, (*given, *words))])
    bench_runtime.main()
    return json.loads(out.read_text())


def test_all_sides_of_a_plan_are_timed_by_one_formula(monkeypatch, skeletons, tmp_path, trtexec, capsys):  # noqa: F811
    engines = ["resnet50:fp16:2", "resnet50:best:2:chw4-int8"]
    found = bench(monkeypatch, skeletons, tmp_path, "--engines", *engines, "--trtexec", trtexec)
    rows = found["rows"]
    assert [row["engine"] for row in rows] == ["resnet50.fp16.2", "resnet50.best.2.chw4-int8"]
    for row in rows:
        assert set(row["plain"]) == {"trtexec", "session", "bare"}
        assert row["plain"]["trtexec"]["queries_per_s"] == pytest.approx(3 / 11 * 1000)  # from first start to last end
        assert row["plain"]["trtexec"]["latency_ms"] == 7
        assert row["plain"]["session"]["compute_ms"] > 0
        assert row["plain"]["bare"]["compute_ms"] > 0
        assert "only a GPU has CUDA graphs" in row["graph"]["skipped"]
    told = capsys.readouterr().out
    assert "| resnet50.fp16.2 | plain | trtexec | 273 | 545 | 1.000 | 7.0000 | 1.000 | 1.000 | 2.000 | 4.000 |" in told
    again = bench(monkeypatch, skeletons, tmp_path, "--engines", engines[0], "--no-build", "--contexts", "2")
    assert again["rows"][0]["build_s"] == 0
    assert set(again["rows"][0]["plain"]) == {"session"}  # the bare loop has one context


@pytest.mark.parametrize("fixed", [True, False])
def test_a_batch_can_be_built_for_alone(monkeypatch, skeletons, tmp_path, fixed):  # noqa: F811
    bench(
        *(monkeypatch, skeletons, tmp_path, "--engines", "resnet50:fp32:2", "--build-only"),
        *(["--fixed-batch"] if fixed else []),
    )
    engine = engine_of(trt, (tmp_path / "plans/resnet50.fp32.2.plan").read_bytes())
    assert engine.get_binding_shape(0)[0] == (2 if fixed else -1)
    assert engine.get_binding_shape(0)[1] == 3


def test_what_fails_is_a_row_with_the_reason(monkeypatch, skeletons, tmp_path):  # noqa: F811
    found = bench(monkeypatch, skeletons, tmp_path, "--engines", "resnet50:fp32:1", "--no-build")
    assert "has no resnet50.fp32.1.plan" in found["rows"][0]["skipped"]


@pytest.mark.parametrize("text", ["resnet50", "lenet:fp16:1", "resnet50:fp8:1", "resnet50:fp16:1:chw5-int8"])
def test_engines_that_are_none_are_refused(text):
    with pytest.raises(bench_runtime.argparse.ArgumentTypeError, match="is no <network>"):
        bench_runtime.read_case(text)


def test_a_program_that_fails_is_told_with_its_last_words(tmp_path, trtexec):
    trtexec.write_text("#!/bin/sh\necho '[E] cannot load'\nexit 1\n")
    options = bench_runtime.argparse.Namespace(trtexec=trtexec, plans=tmp_path, seconds=1, spin=False, contexts=1)
    with pytest.raises(UserError, match=r"exit status 1: \[E\] cannot load"):
        bench_runtime.trtexec_queries(options, bench_runtime.Case("resnet50", "fp16", 1), [], "plain")


def test_batches_of_an_engine_are_drawn(monkeypatch, tmp_path):
    rows = [
        {"engine": f"resnet50.{kind}.{batch}{form}", "batch": batch, "plain": {"session": plain}, "graph": graph}
        for kind, form in (("fp16", ""), ("best", ".chw4-int8"))
        for batch, plain, graph in (
            (8, {"queries_per_s": 10, "latency_ms": 3}, {"session": {"queries_per_s": 20, "latency_ms": 2}}),
            (4, {"queries_per_s": 30, "latency_ms": 1}, {"skipped": "no graph"}),
        )
    ]
    rows.append({"engine": "resnet50.fp16.16", "batch": 16, "skipped": "not begun"})
    (tmp_path / "found.json").write_text(json.dumps({"rows": rows}))
    drawn = {}
    monkeypatch.setattr("trtflow.reporting.figures.write_batches", lambda path, engines: drawn.update({path: engines}))
    words = ["--out", tmp_path / "found.json", "--draw", tmp_path / "batches.png"]
    monkeypatch.setattr(sys, "argv", ["bench_runtime.py", *map(str, words)])
    bench_runtime.main()
    points = [
        {"batch": 4, "images_per_s": 120, "latency_ms": 1},
        {"batch": 8, "images_per_s": 160, "latency_ms": 2},  # of the graph, which is faster
    ]
    assert drawn == {tmp_path / "batches.png": {"fp16 resnet50": points, "best resnet50 chw4-int8": points}}
