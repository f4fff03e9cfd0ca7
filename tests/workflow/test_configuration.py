"""Mistakes are told before anything runs, each with one clear line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from list_sources import sources

ROOT = Path(__file__).resolve().parents[2]


def dry_run(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--dry-run", "--cores", "1"]
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_all_targets_can_be_planned_from_another_folder(tmp_path):
    done = dry_run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "train_ssd" in done.stdout
    assert list(tmp_path.glob("results/*")) == []


def test_workflow_catalogue_entry_is_the_same_workflow(tmp_path):
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "workflow" / "Snakefile", "--list-rules"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {"all", "check", "list", "train_ssd", "build_engine"} <= set(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["results/sdd_report.json"], "unknown sample 'sdd'. Known: ssd"),
        (["--config", "dta=mini"], "'dta' was unexpected"),
        (["--config", "data=tiny"], "data: 'tiny' is not one of ['mini', 'full']"),
        (["results/ssd_report.json", "--config", "data=full"], "sample 'ssd' has no data set 'full', only mini"),
        (["--config", "backend=cuda"], "backend: 'cuda' is not one of ['reference']"),
        (["--config", "samples={sdd: {}}"], "samples.sdd: unknown sample. Known: ssd"),
        (["--config", "samples={ssd: {training: {step: 3}}}"], "samples.ssd: training: Additional properties"),
        (["--config", "samples={ssd: {model: {width: 2}}}"], "samples.ssd: model.width: 2 is greater than"),
    ],
)
def test_mistake_is_named(tmp_path, arguments, message):
    done = dry_run(tmp_path, *arguments)
    assert done.returncode != 0
    printed = done.stdout + done.stderr
    assert message in printed
    assert "Traceback (most recent call last)" not in printed


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
        assert "benchmark:" in block or "output:" not in block or "write_sample_config" in block, block
        assert "run:" not in block
        assert "script:\n" not in block


def test_list_of_sources_is_up_to_date():
    listed = yaml.safe_load((ROOT / "rules" / "sources.yaml").read_text())
    assert listed == sources(), "run: python scripts/list_sources.py rules/sources.yaml"


def test_metrics_are_not_among_the_sources_of_engines():
    listed = yaml.safe_load((ROOT / "rules" / "sources.yaml").read_text())
    engine = {*listed["scripts"]["build_engine"], *listed["samples"]["ssd"]}
    assert "trtflow/reference/lower/layers.py" in engine
    assert not any(path.startswith(("trtflow/metrics", "trtflow/reporting", "trtflow/models")) for path in engine)


def test_schemas_describe_every_key():
    def undescribed(schema, name):
        for key, value in schema.get("properties", {}).items():
            if "description" not in value:
                yield f"{name}.{key}"
            yield from undescribed(value, f"{name}.{key}")

    for path in (ROOT / "config" / "schema").glob("*.json"):
        assert list(undescribed(json.loads(path.read_text()), path.stem)) == []
