"""Samples through a real Slurm of one node: GPU jobs get a GPU, a cancelled job is made again, finished ones are not.

make test-slurm, as root. SLURM_SAMPLES has the samples, `mnist` if not set, whose gates must pass. ssd runs beside
them, trained for three steps: its gates on the result cannot pass and are not looked at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from workflow_copy import ROOT, SMALL, Workflow, copy, keep_samples

NODE = Path(__file__).with_name("one_node.sh")
SAMPLES = os.environ.get("SLURM_SAMPLES", "mnist").split()
PROFILE = ("--workflow-profile", "profiles/slurm", "--quiet", "host", "--default-resources", "mem_mb=500", "runtime=5")
SOON = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10")
# a Python on every machine, without TensorRT: jobs ask for a GPU, and the node says that it has the reference alone
CONFIG = (SMALL, "backend=auto", "engine_python=python3", "latency_seconds=0.3")
WITH_ENGINE = {"record_backend", "build_engine", "infer_detection", "measure", "profile"}


def missing() -> str:
    """Return why no Slurm can be started here, or nothing."""
    os.environ["PATH"] += ":/usr/sbin"
    programs = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name)]
    if programs:
        return f"{', '.join(programs)} not installed, see tests/slurm/one_node.sh"
    if os.getuid():
        return "only root starts slurmd"
    plugin = subprocess.run([sys.executable, "-c", "import snakemake_executor_plugin_slurm"], capture_output=True)  # noqa: PLW1510
    return "requirements-cluster.txt is not installed" if plugin.returncode else ""


WHY = missing()
pytestmark = pytest.mark.skipif(bool(WHY), reason=WHY)


@pytest.fixture(scope="module")
def slurm() -> Iterator[None]:
    """A Slurm that is stopped afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # munge, another user, has its key below
        try:
            subprocess.run([NODE, "up", f"{folder}/node"], check=True)
            yield
        finally:
            subprocess.run([NODE, "down", f"{folder}/node"], check=True)


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A copy of the workflow with ssd and the samples asked for."""
    folder = tmp_path_factory.mktemp("work")
    workflow = copy(folder)
    for name in SAMPLES:
        shutil.copy2(ROOT / f"config/samples/{name}.yaml", folder / "config/samples")
    keep_samples(folder, "ssd", *SAMPLES)
    return workflow


def jobs() -> dict[str, tuple[str, bool]]:
    """Return the id, the rule and whether it got a GPU, of each job that Slurm remembers."""
    shown = subprocess.run(["scontrol", "show", "job", "--oneliner"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"JobId=(\d+) .*?Comment=(?:rule|group)_(\S+)", shown)
    lines = {line.split()[0].removeprefix("JobId="): line for line in shown.splitlines() if line}
    return {job: (comment, "gres:gpu" in lines[job] or "gres/gpu" in lines[job]) for job, comment in found}


def cancel_first(rule: str, run: subprocess.Popen[bytes]) -> None:
    """Cancel the first job of a rule as soon as it runs."""
    while run.poll() is None:
        listed = subprocess.run(
            ["squeue", "--noheader", "--states", "RUNNING", "--format", "%A %k"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in listed.splitlines():
            if f"rule_{rule}" in line:
                subprocess.run(["scancel", line.split()[0]], check=True)
                return
        time.sleep(0.2)
    pytest.fail(f"the run ended before a job of {rule} ran")


def test_cancelled_job_is_made_again_and_gates_pass(slurm: None, workflow: Workflow) -> None:
    targets = [f"results/{name}_report.json" for name in ("ssd", *SAMPLES)]
    arguments = (*targets, *PROFILE, *SOON)
    command = workflow.command(*arguments, "--retries", "0", config=CONFIG)
    log = workflow.folder / "cancelled.log"  # a pipe that nobody reads while the job is awaited would stop the run
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=workflow.folder, env=workflow.environment, stdout=output, stderr=subprocess.STDOUT
        ) as run,
    ):
        cancel_first("train_digits", run)
        run.wait()
    printed = log.read_text()
    assert run.returncode != 0, printed
    assert "train_digits" in printed
    finished = workflow.written()  # Snakemake ended after the jobs that still ran
    assert finished
    done = workflow.run(*arguments, config=CONFIG)
    assert done.returncode == 0, done.stdout
    written = workflow.written()
    assert {path for path, time in finished.items() if written.get(path) != time} == set()
    for name in SAMPLES:
        report = json.loads((workflow.folder / f"results/{name}_report.json").read_text())
        assert report["passed"], report["gates"]
    assert json.loads((workflow.folder / "results/backend.json").read_text())["name"] == "reference"
    with_gpu, without = set(), set()
    for comment, gpu in jobs().values():
        (with_gpu if gpu else without).add(comment)
    for rule in WITH_ENGINE:
        assert any(comment.startswith(rule) for comment in with_gpu), (rule, with_gpu)
        assert not any(comment.startswith(rule) for comment in without), (rule, without)
    assert not any(comment.startswith(("train_", "export_", "make_", "report")) for comment in with_gpu), with_gpu


def test_cluster_without_gpus_is_one_clear_error(slurm: None, workflow: Workflow) -> None:
    """A GPU type that no node has is refused as any GPU is where there is none."""
    type_of = ("--set-resources", "record_backend:gpu_model=h100")
    (workflow.folder / "results/backend.json").unlink(missing_ok=True)
    done = workflow.run("results/backend.json", *PROFILE, *SOON, *type_of, "--retries", "0", config=CONFIG)
    assert done.returncode != 0, done.stdout
    assert "backend=reference" in done.stdout, done.stdout
