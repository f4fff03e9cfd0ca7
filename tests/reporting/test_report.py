"""Gates that can fail, and reports that say so."""

import copy
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from trtflow.formats import FormatError, UserError
from trtflow.formats.files import write_json
from trtflow.reporting.report import (
    SCHEMA,
    Gate,
    evaluate_gates,
    git_commit,
    make_report,
    read_precision,
    read_report,
    validate,
)

ROOT = Path(__file__).resolve().parents[2]
BACKEND = {"name": "reference", "version": "8.6.0", "device": "CPU", "compute_capability": None, "driver": None}
GATES = [
    {"name": "map", "metric": "map", "precision": "fp32", "op": ">=", "limit": 0.7},
    {"name": "int8_map_drop", "metric": "map", "precision": "int8", "against": "fp32", "op": "<=", "limit": 0.01},
]
CONFIG = {"chapter": 16, "upstream": "sampleSSD", "title": "Object detection with SSD", "gates": GATES}


def entry(score):
    return {
        "metrics": {"map": score},
        "latency_ms": {"mean": 2.0, "median": 2.0, "p95": 3.0, "p99": 4.0},
        "throughput_per_s": 500.0,
        "engine_bytes": 1000,
        "build_s": 0.5,
    }


def report_of(**scores):
    precisions = {precision: entry(score) for precision, score in scores.items()}
    return make_report(
        sample="ssd", config=CONFIG, data="mini", backend=BACKEND, precisions=precisions, inputs={}, figures=[]
    )


@pytest.mark.parametrize(
    ("score", "key", "value"),
    [
        (0.75, "below", 0.05),
        (0.85, "below", 0.0),
        (0.8, "below", 0.0),
        (0.85, "against", 0.05),
        (None, "below", None),
    ],
)
def test_gates_between_precisions(score, key, value):
    spec = {"name": "drop", "metric": "map", "precision": "int8", key: "fp32", "op": "<=", "limit": 0.01}
    (gate,) = evaluate_gates([spec], {"fp32": entry(0.8), "int8": entry(score)})
    assert gate.to_json()["value"] == (value if value is None else pytest.approx(value))
    assert gate.passed == (value == 0)


@pytest.mark.parametrize(
    ("value", "op", "limit", "passed"),
    [
        (0.7, ">=", 0.7, True),
        (0.69, ">=", 0.7, False),
        (0.01, "<=", 0.01, True),
        (0.011, "<=", 0.01, False),
        (5, "==", 5, True),
        (4, "==", 5, False),
        *((np.nan, op, 0.0, False) for op in ("<=", ">=", "==")),
        (np.inf, ">=", 0.7, False),
    ],
)
def test_every_kind_of_gate_can_fail(value, op, limit, passed):
    gate = Gate("name", value, op, limit)
    assert gate.passed is passed
    json.dumps(gate.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("int8", "passed"), [(0.75, True), (0.745, True), (0.755, True), (0.735, False), (0.765, False)]
)
def test_a_difference_counts_in_both_directions(int8, passed):
    _, drop = evaluate_gates(GATES, {"fp32": entry(0.75), "int8": entry(int8)})
    assert drop.value == pytest.approx(abs(int8 - 0.75))
    assert drop.passed is passed


def test_gates_of_precisions_that_were_not_built_are_left_out():
    assert [gate.name for gate in evaluate_gates(GATES, {"fp32": entry(0.8)})] == ["map"]
    with pytest.raises(UserError, match="no gate applies to the precisions int8"):
        evaluate_gates(GATES, {"int8": entry(0.8)})


def test_a_missing_metric_names_the_gate():
    with pytest.raises(UserError, match="gate map: fp32 has no metric 'map'; it has bleu"):
        evaluate_gates(GATES, {"fp32": {"metrics": {"bleu": 20.0}}})


def test_a_report_passes_if_all_gates_do():
    assert report_of(fp32=0.8, int8=0.795)["passed"] is True
    failed = report_of(fp32=0.8, int8=0.7)
    assert failed["passed"] is False
    assert [gate["passed"] for gate in failed["gates"]] == [True, False]


@pytest.mark.parametrize(
    ("changes", "told", "untold"),
    [
        ({}, ["int8_map_drop: results/mine/figures/losses.txt", "{algorithm: auto}", "mixed_precision: auto"], []),
        ({"calibration": {"algorithm": "auto"}}, ["mixed_precision: auto"], ["{algorithm: auto}"]),
        ({"mixed_precision": {"metric": "snr_db", "least": 20}}, ["{algorithm: auto}"], ["mixed_precision: auto"]),
        ({"calibration": {"algorithm": "entropy2", "table": "t"}}, None, []),  # what is given cannot be set
        ({"upstream": "sampleSSD"}, None, []),
    ],
)
def test_a_gate_of_int8_that_fails_names_the_way_out(changes, told, untold):
    config = {**CONFIG, "upstream": "own", "chapter": 0, "calibration": {"algorithm": "entropy2"}, **changes}
    for int8, expected in ((0.7, told), (0.795, None)):
        scores = {"fp32": entry(0.8), "int8": entry(int8)}
        made = {"data": "mini", "backend": BACKEND, "precisions": scores, "inputs": {}, "figures": []}
        report = make_report(sample="mine", config=config, **made)
        ways = report.get("ways_out")
        assert (ways is None) is (expected is None)
        assert all(part in ways[0] for part in expected or [])
        assert not any(part in ways[0] for part in untold if ways)


def test_int8_that_answers_as_float32_is_told():
    config = {**CONFIG, "upstream": "own", "chapter": 0}
    scores = {name: entry(0.8) for name in ("fp32", "fp16", "int8", "best")}
    for name, snr in (("fp32", 140.0), ("fp16", 140.0), ("int8", 140.0), ("best", 50.0)):
        scores[name]["metrics"] = {**scores[name]["metrics"], "snr_db": snr}
    made = {"data": "mini", "backend": BACKEND, "precisions": scores, "inputs": {}, "figures": []}
    (told,) = make_report(sample="mine", config=config, **made)["ways_out"]
    assert told.startswith("int8: answers as fp32 to the last digit")


def test_a_metric_that_is_no_number_fails_its_gate():
    report = report_of(fp32=None)
    assert report["gates"][0] == {"name": "map", "value": None, "op": ">=", "limit": 0.7, "passed": False}


def test_values_that_are_no_numbers_have_a_failing_gate_of_their_own():
    precisions = {"fp32": entry(0.9), "int8": {**entry(0.9), "not_finite": {"prob": 2, "boxes": 1}}}
    gates = {gate.name: gate for gate in evaluate_gates(GATES, precisions)}
    assert [gate.passed for gate in gates.values()] == [True, True, False]
    assert gates["int8_not_finite"].value == 3


def test_the_same_configuration_has_the_same_checksum():
    shuffled = dict(reversed(CONFIG.items()))
    assert json.dumps(shuffled) != json.dumps(CONFIG)
    arguments = {"sample": "ssd", "data": "mini", "backend": BACKEND, "precisions": {"fp32": entry(1.0)}}
    first, second = (make_report(config=config, inputs={}, figures=[], **arguments) for config in (CONFIG, shuffled))
    assert first["provenance"] == second["provenance"]


def test_inputs_are_checksummed_and_paths_are_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"weights")
    report = make_report(
        sample="ssd",
        config=CONFIG,
        data="mini",
        backend=BACKEND,
        precisions={"fp32": entry(0.8)},
        inputs={"model": tmp_path / "model.bin"},
        figures=[tmp_path / "figures" / "a.png"],
    )
    assert report["inputs"] == {"model": {"path": "model.bin", "sha256": hashlib.sha256(b"weights").hexdigest()}}
    assert report["figures"] == ["figures/a.png"]
    assert "numpy" in report["provenance"]["versions"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("extra",), 1),
        (("sample",), "No Name"),
        (("backend", "extra"), 1),
        (("gates",), []),
        (("gates", 0, "op"), "<"),
        (("precisions", "fp8"), entry(0.5)),
        (("precisions", "fp32", "metrics", "map"), "high"),
        (("precisions", "fp32", "latency_ms", "p95"), -1),
        (("figures",), ["/tmp/a.png"]),
        (("provenance", "config_sha256"), "123"),
    ],
)
def test_what_the_schema_refuses(place, value):
    report = copy.deepcopy(report_of(fp32=0.8))
    target = report
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    with pytest.raises(FormatError, match=r"^ssd\.json: not a valid report, at "):
        validate(report, "ssd.json")


@pytest.mark.parametrize("key", ["precisions", "gates", "provenance", "backend"])
def test_what_the_schema_requires(key):
    report = report_of(fp32=0.8)
    del report[key]
    with pytest.raises(FormatError, match=f"'{key}' is a required property"):
        validate(report, "ssd.json")


def test_the_schema_is_one_and_describes_every_key():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)

    def check(node):
        for key, value in node.get("properties", {}).items():
            assert value.get("description"), f"{key} has no description"
            check(value)
        for key in ("items", "additionalProperties"):
            if isinstance(node.get(key), dict):
                check(node[key])

    check(schema)


def test_the_commit_is_read_without_git(tmp_path):
    assert git_commit(tmp_path) is None
    git = tmp_path / ".git"
    git.mkdir()
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert git_commit(tmp_path) is None  # nothing committed yet
    (git / "packed-refs").write_text("# pack-refs with: peeled\nabc123 refs/heads/main\n")
    assert git_commit(tmp_path) == "abc123"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "refs" / "heads" / "main").write_text("def456\n")
    assert git_commit(tmp_path) == "def456"
    (git / "HEAD").write_text("0123ab\n")
    assert git_commit(tmp_path) == "0123ab"


def test_the_commit_of_a_linked_work_tree(tmp_path):
    main, linked = tmp_path / "main" / ".git", tmp_path / "linked"
    own = main / "worktrees" / "linked"
    own.mkdir(parents=True)
    linked.mkdir()
    (linked / ".git").write_text(f"gitdir: {own}\n")
    (own / "HEAD").write_text("ref: refs/heads/side\n")
    (own / "commondir").write_text("../..\n")
    (main / "packed-refs").write_text("abc123 refs/heads/side\n")
    assert git_commit(linked) == "abc123"


@pytest.fixture
def results(tmp_path):
    """Return a folder of results in fp32 and int8 whose int8 lost too much."""
    for precision, score in (("fp32", 0.8), ("int8", 0.6)):
        scores = {"metrics": {"map": score}, "details": {"average_precision": {"0": score}}}
        write_json(tmp_path / f"metrics.{precision}.json", scores)
        write_json(tmp_path / f"engine.{precision}.json", {"build_s": 1.5, "precision": precision})
        (tmp_path / f"engine.{precision}.plan").write_bytes(b"plan")
    times = {key: entry(0)[key] for key in ("latency_ms", "throughput_per_s")}
    write_json(tmp_path / "latency.json", {"fp32": times, "int8": times})
    write_json(tmp_path / "agreement.json", {"fp32": {"agreement": 1e-5}})
    write_json(tmp_path / "backend.json", BACKEND)
    write_json(tmp_path / "config.json", CONFIG)
    return tmp_path


def test_results_of_a_precision(results):
    found = read_precision(results, "fp32")
    assert found["metrics"] == {"map": 0.8, "agreement": 1e-5}
    assert found["engine_bytes"] == 4
    assert found["build_s"] == 1.5
    assert found["details"] == {"average_precision": {"0": 0.8}}
    assert "agreement" not in read_precision(results, "int8")["metrics"]


def test_operators_beyond_tensorrt_are_told(results):
    write_json(results / "engine.fp32.json", {"build_s": 1.5, "beyond_tensorrt": ["Det"]})
    assert read_precision(results, "fp32")["beyond_tensorrt"] == ["Det"]
    assert "beyond_tensorrt" not in read_precision(results, "int8")


def test_a_precision_without_times(results):
    write_json(results / "latency.json", {})
    with pytest.raises(FormatError, match="no times of fp32"):
        read_precision(results, "fp32")


def script(name, *arguments, folder=ROOT):
    command = [sys.executable, ROOT / "scripts" / name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def write_report(results, *precisions):
    return script(
        "write_report.py",
        *("--sample", "ssd", "--sample-config", "config.json", "--backend-file", "backend.json", "--results-dir", "."),
        *("--precisions", *precisions, "--inputs", "engine=engine.fp32.plan", "--out", "ssd_report.json"),
        folder=results,
    )


def test_a_failed_gate_is_reported_and_only_the_check_fails(results):
    written = write_report(results, "fp32", "int8")
    assert written.returncode == 0, written.stderr
    assert read_report(results / "ssd_report.json")["passed"] is False

    checked = script("check_reports.py", results / "ssd_report.json")
    assert checked.returncode == 1
    assert "failed: ssd: int8_map_drop is 0.2, which is not <= 0.01" in checked.stderr
    assert checked.stdout.splitlines()[1].split() == ["ssd", "map", "0.8", ">=", "0.7", "passed"]


def test_a_report_that_passes_is_the_same_each_time_and_checks(results):
    write_report(results, "fp32")
    first = (results / "ssd_report.json").read_bytes()
    write_report(results, "fp32")
    assert (results / "ssd_report.json").read_bytes() == first
    checked = script("check_reports.py", results / "ssd_report.json")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_damaged_report_is_one_clear_error(results):
    (results / "ssd_report.json").write_text('{"schema": 1')
    checked = script("check_reports.py", results / "ssd_report.json")
    assert checked.returncode == 1
    assert checked.stderr.splitlines()[-1].startswith("error: ")
    assert "not JSON" in checked.stderr


def test_no_report_without_the_metric_of_a_gate(results):
    write_json(results / "metrics.fp32.json", {"metrics": {"bleu": 1.0}})
    (results / "agreement.json").unlink()
    written = write_report(results, "fp32", "int8")
    assert written.returncode == 1
    assert "error: gate map: fp32 has no metric 'map'; it has bleu" in written.stderr
    assert not (results / "ssd_report.json").exists()


def test_tables(results):
    write_report(results, "fp32", "int8")
    made = script(
        "write_tables.py",
        *("ssd_report.json", "--precisions", "p.csv", "--gates", "g.csv"),
        folder=results,
    )
    assert made.returncode == 0, made.stderr
    heading, fp32, int8 = (results / "p.csv").read_text().splitlines()
    assert heading.startswith("precision,map,agreement,mean ms,")
    assert fp32.startswith("fp32,0.8,1e-05,2.0,")
    assert int8.startswith("int8,0.6,,2.0,")
    assert (results / "g.csv").read_text().splitlines()[2].endswith(",<=,0.01,failed")
