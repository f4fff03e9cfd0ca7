"""What a run says at its end, without a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from trtflow.workflow import closing, targets

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "docs/results/cpu"


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("Training: 1 of 2\nTraceback (most recent call last):\nerror: m.caffemodel: bad\n", "m.caffemodel: bad"),
        ("Traceback (most recent call last):\n  File\nKeyError: 'x'\n\n", "KeyError: 'x'"),
        ("a\ntorch.cuda.OutOfMemoryError: no memory\nbye\n", "torch.cuda.OutOfMemoryError: no memory"),
        ("plugin.cu:3:1: error: expected ';'\n1 warning\n", "plugin.cu:3:1: error: expected ';'"),
        ("Fatal Python error: Segmentation fault\n\nThread 0x1:\n  File 'a', line 3 in b\n", "Fatal Python error"),
        ("sh: nvcc: command not found\n", "sh: nvcc: command not found"),
        ("error: first\nwarning: late\n", "error: first"),
        ("Training: 1 of 2\n", "it left no error; its last words: Training: 1 of 2"),
        ("", "it left no error"),
    ],
)  # fmt: skip
def test_a_failure_ends_with_its_cause(tmp_path, log, cause):
    path = tmp_path / "train.log"
    path.write_text(log)
    line = str(closing.Failure("train of ssd", [str(path)]))
    assert line.startswith(f"failed: train of ssd, see {path}: ")
    assert cause in line.partition(f"{path}: ")[2]
    assert "\n" not in line


def test_the_log_that_has_the_error_is_named(tmp_path):
    (tmp_path / "a").write_text("fine\n")
    (tmp_path / "b").write_text("error: bad\n")
    logs = [str(tmp_path / name) for name in "abc"]
    assert str(closing.Failure("x", logs)) == f"failed: x, see {logs[1]}: error: bad"


def test_a_log_that_is_no_text_or_not_there_stands_in_nobodys_way(tmp_path):
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00error\n")
    assert "error" in str(closing.Failure("x", [str(path)]))
    missing = str(tmp_path / "missing")
    assert str(closing.Failure("x", [missing])) == f"failed: x, see {missing}: it left no error"


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        ("Command 'set -euo pipefail;  python x' died with <Signals.SIGKILL: 9>.", "killed by SIGKILL, as where"),
        ("Command 'set -euo pipefail;  python x' died with <Signals.SIGSEGV: 11>.", "killed by SIGSEGV"),
        ("Command 'set -euo pipefail;  false' returned non-zero exit status 3.", "exit status 3 of false"),
        (f"Command '{'x' * 999}' returned non-zero exit status 3.", "x…"),
        ("Something else\n went wrong", "Something else went wrong"),
    ],
)  # fmt: skip
def test_without_a_log_what_snakemake_said_is_the_cause(said, ending):
    line = str(closing.Failure("train", [], said))
    assert ending in line
    assert len(line) < 200


def test_jobs_are_described_by_step_sample_and_the_rest():
    assert closing.described("all", {}) == "all"
    assert closing.described("infer", {"precision": "int8", "sample": "ssd"}) == "infer of ssd, int8"
    assert closing.described("make_data", {}, ["results/ssd/data/train", "results/ssd/x"]) == "make_data of ssd"
    assert closing.described("all", {}, ["results/ssd/a", "results/mnist/a"]) == "all"
    assert closing.described("x", {}, ["/elsewhere/results/ssd/a"]) == "x of ssd"


def test_the_way_out_where_a_cluster_has_no_such_gpu(tmp_path):
    log = tmp_path / "log"
    log.write_text("sbatch: error: Invalid generic resource (gres) specification\n")
    assert "backend=reference" in closing.refused_gpu([str(log)])
    log.write_text("sbatch: error: no account\n")
    assert closing.refused_gpu([str(log)]) == ""


@pytest.fixture
def reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results/ssd").mkdir(parents=True)
    for name in ("ssd", "mnist"):
        content = json.loads((REPORTS / f"{name}_report.json").read_text())
        Path(f"results/{name}_report.json").write_text(json.dumps(content))
    return ["results/mnist_report.json", "results/ssd_report.json", "results/missing_report.json"]


def test_a_run_ends_with_gates_and_where_report_and_page_lie(reports, capfd):
    closing.tell_results(reports[1:], ROOT / "scripts/check_reports.py", sys.executable, 30, 287.4)
    said = capfd.readouterr().out.splitlines()
    assert said[0].split() == ["sample", "gate", "value", "limit", "result"]
    assert said[-3:] == [
        "report: results/ssd_report.json",
        "page: snakemake results/ssd/index.html makes it",
        "30 jobs in 4:47",
    ]
    Path("results/ssd/index.html").touch()
    closing.tell_results(reports[1:], ROOT / "scripts/check_reports.py")
    assert capfd.readouterr().out.splitlines()[-1] == "page: results/ssd/index.html"


def test_several_reports_have_the_page_of_all(reports):
    assert closing.places(reports[:2])[0] == "2 reports: results/*_report.json"
    assert closing.places(reports[:2])[1] == "page: snakemake results/index.html makes it"


def test_a_run_without_reports_says_nothing(reports, capfd):
    closing.tell_results(reports[2:], ROOT / "scripts/check_reports.py")
    assert capfd.readouterr().out == ""


def test_asked_are_the_reports_among_the_outputs_in_the_order_of_samples():
    assert closing.asked_reports(["results/b_report.json", "x", "results/a_report.json"], [
        "results/a_report.json", "results/b_report.json", "results/c_report.json"
    ]) == ["results/a_report.json", "results/b_report.json"]  # fmt: skip


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (65, "1:05"), (3599.6, "1:00:00"), (3725, "1:02:05")])
def test_times_read_as_clocks(seconds, text):
    assert closing.clock(seconds) == text


def test_a_page_in_snakemakes_report_says_how_many_gates_passed(tmp_path):
    path = REPORTS / "ssd_report.json"
    gates = [gate["passed"] for gate in json.loads(path.read_text())["gates"]]
    assert closing.page_labels(path) == {"what": closing.PAGE, "gates": f"{gates.count(True)} of {len(gates)} passed"}
    (tmp_path / "cut_report.json").write_text('{"gates": [')
    for name in ("cut_report.json", "none_report.json"):
        assert closing.page_labels(tmp_path / name) == {"what": closing.PAGE}


SAMPLES, RULES = ["mnist", "ssd", "tf_ssd", "uff_ssd"], ["all", "check", "fetch", "list"]


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("results/sssd_report.json", "Did you mean 'ssd'?"),
        ("results/xyz_report.json", "Known: mnist, ssd, tf_ssd, uff_ssd."),
        ("results/sdd/network.int8.onnx", "Did you mean 'ssd'?"),
        ("results/ssd_report.jso", "Did you mean results/ssd_report.json?"),
        ("results/mnist_reports.json", "Did you mean results/mnist_report.json?"),
        ("results/mnits_report.html", "Did you mean results/mnist_report.json?"),
        ("ssd", "Did you mean results/ssd_report.json?"),
        ("chekc", "Did you mean check?"),
        ("mnits", "Did you mean results/mnist_report.json?"),
    ],
)
def test_a_target_that_is_not_there_says_which_may_be_meant(target, meant):
    assert meant in targets.unknown_target(target, SAMPLES, RULES)


@pytest.mark.parametrize(
    "target",
    ["all", "results/ssd_report.json", "results/ssd/x", "results/downloads/a/b", "results/index.html", "x.txt", "qqqq",
     "results/report.html", "elsewhere/sssd_report.json"],
)  # fmt: skip
def test_other_targets_are_left_to_snakemake(target):
    assert targets.unknown_target(target, SAMPLES, RULES) == ""
