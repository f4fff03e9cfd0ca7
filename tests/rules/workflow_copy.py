"""Copies of the workflow that tests may edit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile",
    "environment.yml",
    "config",
    "plugins",
    "profiles",
    "report",
    "rules",
    "scripts",
    "trtflow",
    "workflow",
)
SMALL = (
    "samples={ssd: {splits: {train: 12, calibration: 4, val: 6}, model: {width: 0.0625}, max_batch_size: 2,"
    " figures: {count: 2}, training: {pretraining_steps: 2, pretraining_batch_size: 4, steps: 3, batch_size: 4}}}"
)


FINISHED = ("results/ssd_report.json", "results/ssd/network.int8.onnx")


class Workflow:
    """A copy of the workflow in a folder of its own.

    Args:
        folder: where the copy is; its results lie there too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = dict(os.environ)  # not activated: jobs run under the Python that runs Snakemake

    def command(self, *arguments: str, config: Sequence[str] = (SMALL,)) -> list[str]:
        """Return the command line of a run."""
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--config", *config]

    def run(self, *arguments: str, config: Sequence[str] = (SMALL,)) -> subprocess.CompletedProcess[str]:
        """Run to the end; standard output and error come back in one text."""
        return subprocess.run(
            self.command(*arguments, config=config),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def planned(self, *targets: str) -> set[str]:
        """Return the outputs that a run would make now."""
        done = self.run(*(targets or ("results/ssd_report.json",)), "--dry-run", "--verbose")  # Snakemake's own lines
        assert done.returncode == 0, done.stdout
        lines = [line.strip() for line in done.stdout.splitlines()]
        found = [line.removeprefix("output: ").split(", ") for line in lines if line.startswith("output: ")]
        return {path for paths in found for path in paths}

    def written(self) -> dict[str, int]:
        """Return when each file of the results was last written, in nanoseconds."""
        results = self.folder / "results"
        return {
            str(path.relative_to(results)): path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file()
        }

    def path(self, name: str) -> Path:
        """Return the path of a result of the sample."""
        return self.folder / "results" / "ssd" / name


def copy(folder: Path, *samples: str) -> Workflow:
    """Copy the workflow, without results and with a few samples, or ssd alone, so that `check` is soon done."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part)  # with what is compiled: dates and sizes are the same
        else:
            shutil.copy2(ROOT / part, folder / part)
    keep_samples(folder, *(samples or ("ssd",)))
    time_briefly(folder)
    return Workflow(folder)


def time_briefly(folder: Path) -> None:
    """Let a copy of the workflow time an engine for a moment: no other step may run meanwhile."""
    path = folder / "config/config.yaml"
    text, count = re.subn(r"^latency_seconds: \d+", "latency_seconds: 0.1", path.read_text(), flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)


def finish(folder: Path) -> None:
    """Run a copy once, as `kept("finished", SMALL, finish)` keeps it for all tests that start from a finished run."""
    done = copy(folder).run(*FINISHED)
    assert done.returncode == 0, done.stdout


def keep_samples(folder: Path, *names: str) -> None:
    """Let a copy of the workflow have these samples alone."""
    for path in (folder / "config/samples").glob("*.yaml"):
        if path.stem not in names:
            path.unlink()
