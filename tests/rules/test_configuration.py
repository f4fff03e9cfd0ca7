"""Mistakes are told before anything runs, each with one clear line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import make_plan

ROOT = Path(__file__).resolve().parents[2]


def dry_run(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--dry-run", "--cores", "1"]
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_all_targets_can_be_planned_from_another_folder(tmp_path):
    done = dry_run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "train_ssd" in done.stdout
    assert list(tmp_path.glob("results/*")) == []


def test_list_tells_what_the_chosen_data_set_needs(tmp_path):
    own = {
        "name": "mine",
        "title": "Of my own",
        "model": {"file": "digits.onnx"},
        "data": {"classes": "classes.txt", "val": "pictures", "pictures": {"colour": "grey"}},
        "precisions": ["fp32"],
        "gates": [{"name": "top1", "metric": "top1", "precision": "fp32", "op": ">=", "limit": 0.9}],
        "max_batch_size": 8,
    }
    (tmp_path / "config/samples").mkdir(parents=True)
    (tmp_path / "config/samples/mine.yaml").write_text(yaml.safe_dump(own))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "1", "list"]
    changes = ["--config", "data=full", "samples={mnist: {title: Mine}}"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*command, *changes], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = {row[0]: row[1:] for row in (re.split("  +", line) for line in done.stdout.splitlines()) if len(row) == 5}
    assert rows["nmt"][:3] == ["11", "not run", "3 published files"]
    assert rows["uff_ssd"][2] == "3 published files, TensorFlow"
    assert rows["mnist"][2:] == ["4 published files, PyTorch", "Mine"]
    assert rows["mine"] == ["your own", "not run", "digits.onnx", "Of my own"]


def test_workflow_catalogue_entry_is_the_same_workflow(tmp_path):
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "workflow" / "Snakefile", "--list-rules"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {"all", "check", "list", "train_ssd", "build_engine"} <= set(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["results/sdd_report.json"], "unknown sample 'sdd'. Did you mean 'ssd'? Known: "),
        (["results/comparison.html"], "compare: name two runs and their folders: --config 'compare={CPU: "),
        (
            ["results/ssd_report.json", "--config", "data=full", "samples={ssd: {data: [mini]}}"],
            "sample 'ssd' has no data set 'full', only mini",
        ),
        (["--config", "samples={ssd: {training: {step: 3}}}"], "samples.ssd: training: unknown key step. Known:"),
    ],
)
def test_mistake_is_named(tmp_path, arguments, message):
    done = dry_run(tmp_path, *arguments)
    assert done.returncode != 0
    printed = done.stdout + done.stderr
    assert message in printed
    assert "Traceback (most recent call last)" not in printed


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            "dta: mini",
            "unknown key dta. Known: data, backend, engine_python, builder, reference, latency_seconds, mirror,"
            " download_attempts, download_timeout, fetch, page, compare, init, own_samples, samples.",
        ),
        ("page: [sssd]", "page: unknown sample 'sssd'. Did you mean 'ssd'? Known: "),
        ("compare: {a: docs/results/cpu, b: b}", "compare: no *_report.json in "),
        ("data: tiny", "data: 'tiny' is not one of ['mini', 'full']"),
        ("backend: cuda", "backend: 'cuda' is not one of ['auto', 'reference', 'tensorrt']"),
        ("samples: {sdd: {}}", "samples.sdd: unknown sample 'sdd'. Did you mean 'ssd'? Known: "),
        (
            "samples: {ssd: {calibration: {batch_size: 4}}}",
            "samples.ssd: calibration.batch_size: 50 pictures (splits.calibration) do not fill batches of 4",
        ),
        (
            "samples: {nmt: {inference: {batch: 129}}}",
            "samples.nmt: inference.batch: 129 sentences exceed max_batch_size, 128",
        ),
        (
            "samples: {uff_ssd: {model: {trained_by: ssd}}}",
            "samples.uff_ssd: model.trained_by: sample 'ssd' trains no inception_v2",
        ),
        ("samples: {nmt: {recurrent: gru}}", "samples.nmt: recurrent: 'gru' is not one of ['rnn_v2', 'l"),
        ("samples: {ssd: {model: {width: 2}}}", "samples.ssd: model.width: 2 is greater than"),
    ],
)
def test_mistake_is_named_by_the_plan(config, message):
    with pytest.raises(PlanError, match=re.escape(message)):
        make_plan(ROOT, yaml.safe_load(config))


@pytest.mark.parametrize(
    "changes",
    [
        "{training: {learning_rate: 1e-3, steps: 20}}",
        '{gates: [{name: map, metric: map, precision: fp32, op: ">=", limit: 0.5}]}',
        '{title: "Detection: SSD"}',
    ],
)
def test_change_is_taken_from_command_line_and_from_file(tmp_path, changes):
    file = tmp_path / "mine.yaml"
    file.write_text(f"samples: {{ssd: {changes}}}\n")
    for arguments in (["--config", f"samples={{ssd: {changes}}}"], ["--configfile", file]):
        done = dry_run(tmp_path, "results/ssd/config.yaml", *arguments)
        assert done.returncode == 0, done.stderr


def test_every_rule_has_log_and_benchmark():
    files = [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    blocks = [
        block
        for path in files
        for block in path.read_text().split("rule ")[1:] + path.read_text().split("    rule:")[1:]
        if "shell:" in block
    ]
    assert len(blocks) > 15
    for block in blocks:
        assert "log:" in block, block
        assert "benchmark:" in block or "output:" not in block, block
        assert not re.search(r"^ *run:", block, re.MULTILINE)
        assert "script:\n" not in block


def test_schemas_describe_every_key():
    def undescribed(schema, name):
        for key, value in schema.get("properties", {}).items():
            if "description" not in value:
                yield f"{name}.{key}"
            yield from undescribed(value, f"{name}.{key}")

    for path in (ROOT / "config" / "schema").glob("*.json"):
        assert list(undescribed(json.loads(path.read_text()), path.stem)) == []


def test_every_package_is_pinned_once():
    def pins(name):
        lines = [line.split(" #")[0].strip() for line in (ROOT / name).read_text().splitlines()]
        return [line for line in lines if line and not line.startswith("#")]

    exact = dict(line.lower().replace("_", "-").split("==") for line in pins("constraints.txt"))
    wanted = pins("requirements.txt") + pins("requirements-dev.txt")
    for name, _, version in (line.partition("==") for line in wanted):
        assert exact[name.split("[")[0]] == version, name


def test_conda_environment_is_that_of_pip():
    packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert packages == [line for line in lines if not line.startswith("#")]


def test_make_help_lists_every_command():
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert listed >= {"ssd", "all", "check", "report", "test", "lint", "clean"}
