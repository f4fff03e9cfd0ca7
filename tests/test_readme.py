"""Every command in the README works, in a copy of the workflow with a small training.

That of ssd is the one that tests/rules start from; what `make ssd` has to add to it is the end.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kept import kept
from workflow_copy import SMALL as SMALL_RUN
from workflow_copy import finish, keep_samples, time_briefly

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
TESTED_ELSEWHERE = {
    "make test": "it runs this test",
    "make engine-env": "it needs Python 3.10 and nvcc",
    "make test-gpu": "it needs a GPU",
}
SMALL_SSD = (  # as workflow_copy.SMALL has it
    (r"train: \d+, calibration: \d+, val: \d+", "train: 12, calibration: 4, val: 6"),
    (r"vgg16, width: [\d.]+", "vgg16, width: 0.0625"),
    (r"pretraining_steps: \d+, pretraining_batch_size: \d+", "pretraining_steps: 2, pretraining_batch_size: 4"),
    (r" steps: \d+, batch_size: \d+", " steps: 3, batch_size: 4"),
    (r"max_batch_size: \d+", "max_batch_size: 2"),
    (r"figures: {count: \d+", "figures: {count: 2"),
)
SMALL_DIGITS = (
    (r"train: \d+, calibration: \d+, val: \d+", "train: 40, calibration: 50, val: 100"),
    (r"\bsteps: \d+", "steps: 3"),
)
SMALL = {"ssd": SMALL_SSD, "mnist": SMALL_DIGITS, "uff_mnist": SMALL_DIGITS}  # the copy has these samples alone
FAILS_SMALL = {"snakemake check"}  # a training of three steps passes no gate on the result
LEFT_TO_MAKE = ("ssd_report.json", "ssd/metrics.fp32.json", "ssd/network.int8.onnx")


def make_small(folder):
    keep_samples(folder, *SMALL)
    time_briefly(folder)
    for path in (folder / "config" / "samples").glob("*.yaml"):
        text = path.read_text()
        for old, new in SMALL[path.stem]:
            text, count = re.subn(old, new, text)
            assert count == 1, (path, old)
        path.write_text(text)


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Return a function that runs a command of the README in a copy, with the environment of this test as its .venv."""
    folder = tmp_path_factory.mktemp("readme")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    make_small(folder)
    for part in ("results", ".snakemake"):
        shutil.copytree(kept("finished", SMALL_RUN, finish) / part, folder / part, dirs_exist_ok=True)
    for name in LEFT_TO_MAKE:
        (folder / "results" / name).unlink()
    environment = folder / ".venv"
    (environment / "bin").mkdir(parents=True)
    for name, module in (("python", ""), ("snakemake", "-m snakemake")):
        program = environment / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        program.chmod(0o755)
    (environment / ".workflow").touch()  # set up already: newer than the requirements
    path = f"{environment / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(command):
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_there_are_commands():
    assert {"make ssd", "make test"} <= set(COMMANDS)


def test_the_shared_run_is_gone_on_with(shell):
    """Its settings are those of this copy: the report and what it is made of are all that is left to do."""
    done = shell("snakemake results/ssd_report.json --dry-run --quiet rules")
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    assert counts.pop("total", "") == "3", done.stdout + done.stderr
    assert {"write_report", "plot_precisions"} < counts.keys()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in TESTED_ELSEWHERE])
def test_command(shell, command):
    done = shell(command)
    if command in FAILS_SMALL:
        assert done.returncode != 0
        assert "failed: ssd: map is" in done.stdout + done.stderr
    else:
        assert done.returncode == 0, done.stdout + done.stderr
