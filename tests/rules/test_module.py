"""The workflow as a module of another one, with a configuration and a folder of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from workflow_copy import ROOT, SMALL, Workflow, copy

SNAKEFILE = """\
configfile: "settings.yaml"


module trtflow:
    snakefile: {snakefile}
    config: config["trtflow"]
    prefix: "trt"


use rule * from trtflow as trtflow_*


rule mine:
    default_target: True
    input:
        "trt/results/ssd_report.json",
    output:
        "mine.txt",
    shell:
        "wc -c {{input}} > {{output}}"
"""
SETTINGS = yaml.safe_load(f"{{{SMALL.replace('=', ': ', 1)}}}")


def user_of(snakefile: str, folder: Path) -> Workflow:
    """Make a workflow of someone else's that imports ours."""
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE.format(snakefile=snakefile))
    (folder / "settings.yaml").write_text(yaml.safe_dump({"trtflow": {**SETTINGS, "backend": "reference"}}))
    return Workflow(folder)


@pytest.fixture
def user(tmp_path: Path) -> Workflow:
    """Someone else's workflow, and ours in a folder beside it."""
    (tmp_path / "trtflow").mkdir()
    copy(tmp_path / "trtflow")
    return user_of(repr(str(tmp_path / "trtflow/workflow/Snakefile")), tmp_path / "user")


def test_module_runs_below_its_prefix_with_its_configuration(user: Workflow) -> None:
    done = user.run(config=["mine=1"])
    assert done.returncode == 0, done.stdout
    assert "trtflow_build_engine" in done.stdout
    assert (user.folder / "mine.txt").exists()
    report = json.loads((user.folder / "trt/results/ssd_report.json").read_text())
    assert report["sample"] == "ssd"
    assert json.loads((user.folder / "trt/results/backend.json").read_text())["name"] == "reference"
    assert not (user.folder / "results").exists()
    again = user.run("--dry-run", config=["mine=1"])
    assert "Nothing to be done" in again.stdout, again.stdout


def test_list_and_fetch_look_below_the_prefix(user: Workflow) -> None:
    report = user.folder / "trt/results/ssd_report.json"
    report.parent.mkdir(parents=True)
    shutil.copy2(ROOT / "docs/results/cpu/ssd_report.json", report)
    done = user.run("trtflow_list", config=["mine=1"])
    assert re.search(r"^ssd +16 +passed \(mini, reference\)", done.stdout, re.MULTILINE), done.stdout

    archive = user.folder / "trt/results/downloads/voc/VOCtest_06-Nov-2007.tar"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"")
    done = user.run("trtflow_fetch", "--dry-run", config=["mine=1"])
    assert re.search(r"VOCtest_06-Nov-2007.tar +there ", done.stdout), done.stdout
    assert "2 of 3 files to download" in done.stdout


def test_fault_in_the_module_s_configuration_is_named(user: Workflow) -> None:
    (user.folder / "settings.yaml").write_text("trtflow: {backend: cpu}\n")
    done = user.run("--dry-run", config=["mine=1"])
    assert done.returncode != 0
    assert "backend: 'cpu' is not one of" in done.stdout


def test_module_from_a_bare_clone_without_a_network(tmp_path: Path) -> None:
    """As from GitHub: Snakemake keeps such a clone in its source cache."""
    clone = tmp_path / "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com/owner/trtflow"
    clone.parent.mkdir(parents=True)
    (tmp_path / "trtflow").mkdir()
    copy(tmp_path / "trtflow")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-C", tmp_path / "trtflow"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"], ["tag", "v1"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", tmp_path / "trtflow", clone], check=True)
    user = user_of('github("owner/trtflow", path="workflow/Snakefile", tag="v1")', tmp_path / "user")
    user.environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    done = user.run("--dry-run", config=["mine=1"])
    assert done.returncode == 0, done.stdout
    assert "trtflow_build_engine" in done.stdout


def test_defaults_come_with_the_workflow_not_from_a_copied_config(user: Workflow) -> None:
    """As snakedeploy leaves it: `samples:` of the configuration changes a sample, its copied file does not."""
    shutil.copytree(ROOT / "config", user.folder / "config")
    sample = user.folder / "config/samples/ssd.yaml"
    sample.write_text(sample.read_text().replace("pretraining_batch_size: ", "pretraining_batch_size: 9"))
    (user.folder / "config/downloads.yaml").write_text("no artefacts")
    (user.folder / "settings.yaml").write_text("trtflow: {samples: {ssd: {training: {pretraining_steps: 123}}}}")
    done = user.run("trt/results/ssd/config.yaml", "--dry-run", "--printshellcmds", config=["mine=1"])
    assert done.returncode == 0, done.stdout
    assert "pretraining_steps: 123" in done.stdout
    assert "pretraining_batch_size: " in done.stdout
    assert "pretraining_batch_size: 9" not in done.stdout


def test_missing_workflow_profile_is_refused(tmp_path: Path) -> None:
    done = copy(tmp_path).run("--dry-run", "--workflow-profile", "profiles/slrum")
    assert done.returncode != 0
    assert "profiles/slrum is not there. See profiles/README.md." in done.stdout


def test_workflow_catalogue_finds_what_it_wants() -> None:
    assert (ROOT / "workflow/Snakefile").read_text() == 'include: "../Snakefile"\n'
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"]
    assert (ROOT / "config/README.md").exists()
    assert (ROOT / "environment.yml").exists()
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme
    assert "workflow" in readme
