"""CONTRIBUTING.md can be followed: its family, sample and task, put into a copy of the workflow, make their reports."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest
from workflow_copy import ROOT, Workflow, copy

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
# a file's name in backticks on a line of its own, an empty line, and its text between fences
FILES = dict(re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))
GATE = re.findall(r"^`(\{name: sure, .*\})`", TEXT, re.MULTILINE)
REPORT = "results/linear_mnist_report.json"
CONFIG = ("backend=reference", "latency_seconds=0.1")


class Run(NamedTuple):
    """What a run made: its report, and when each file was written."""

    report: dict[str, Any]
    written: dict[str, int]


def make_report(workflow: Workflow) -> Run:
    """Run CONTRIBUTING.md's command."""
    done = workflow.run(REPORT, config=CONFIG)
    assert done.returncode == 0, done.stdout
    return Run(json.loads((workflow.folder / REPORT).read_text()), workflow.written())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """The run of the new sample, and the one after it has become a sample of the new task."""
    workflow = copy(tmp_path_factory.mktemp("contributing"), "none of the guide's")
    for name, text in FILES.items():
        (workflow.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (workflow.folder / name).write_text(text)
    first = make_report(workflow)
    family, sample = (workflow.folder / f"config/{name}.yaml" for name in ("families/linear", "samples/linear_mnist"))
    for path in (family, sample):
        path.write_text(path.read_text().replace("task: classification", "task: confidence"))
    sample.write_text(f"{sample.read_text()}  - {GATE[0]}\n")
    return first, make_report(workflow)


def test_files_are_all_read() -> None:
    folders = {name.split("/")[0] + "/" + name.split("/")[1] for name in FILES}
    assert folders >= {f"config/{kind}" for kind in ("families", "samples", "tasks")}
    assert folders >= {f"trtflow/{kind}" for kind in ("families", "samples", "tasks")}
    assert len(FILES) == TEXT.count("```yaml") + TEXT.count("```python")
    assert f"snakemake {REPORT}\n" in TEXT


def test_new_files_are_in_nobodys_way() -> None:
    assert not [name for name in FILES if (ROOT / name).exists()]


def test_report_passes(runs: tuple[Run, Run]) -> None:
    report = runs[0].report
    assert report["passed"], report["gates"]
    assert {gate["name"] for gate in report["gates"]} == {"top1", "fp16_top1_drop", "framework_agreement"}


def test_new_task_is_scored_without_a_training(runs: tuple[Run, Run]) -> None:
    before, after = ({gate["name"]: gate for gate in run.report["gates"]} for run in runs)
    assert after["sure"]["passed"], after
    assert after["top1"]["value"] == before["top1"]["value"]
    assert 0 < after["sure"]["value"] <= 1 - after["top1"]["value"]
    model, metrics = (f"linear_mnist/{name}" for name in ("model/network.npz", "metrics.fp32.json"))
    assert runs[1].written[model] == runs[0].written[model]
    assert runs[1].written[metrics] > runs[0].written[metrics]
