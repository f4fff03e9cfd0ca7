"""Time what the workflow itself costs: planning beside Snakemake's own start, jobs that do next to nothing, scripts.

python tests/speed/time_workflow.py --rounds 5 --out workflow.json

Planning and scripts in processor seconds (user and system, of all processes), which other programs on the machine
change less than the clock; sides take turns, and the least of the rounds counts. A script counts up to its `--help`:
Python and all imports at its head. Jobs are those of write_tables on the reports of docs/results/cpu, and all steps of
a small ssd, by the clock, split as `trtflow list --times` does.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from trtflow.cli import columns, parser, run  # noqa: E402 - the path comes first
from trtflow.commands.times import times, total  # noqa: E402
from trtflow.formats import UserError  # noqa: E402
from trtflow.formats.files import write_json  # noqa: E402
from trtflow.reporting.benchmarks import machine  # noqa: E402

SNAKEMAKE = (sys.executable, "-m", "snakemake")
REPORTS = ROOT / "docs/results/cpu"
CONFIG = ("--config", "backend=reference")
PLANS = {
    "snakemake --version": (*SNAKEMAKE, "--version"),
    "snakemake -n all": (*SNAKEMAKE, "-n", "all", *CONFIG),
    "snakemake -n results/ssd_report.json": (*SNAKEMAKE, "-n", "results/ssd_report.json", *CONFIG),
}
TRAINERS = ("bench_resnet50_torch", "dump_tf_weights", "freeze")  # they load a framework at their head
SSD = {  # a small ssd, of which every step takes next to no time
    "splits": {"train": 12, "calibration": 4, "val": 6},
    "model": {"width": 0.0625},
    "max_batch_size": 2,
    "figures": {"count": 2},
    "training": {"pretraining_steps": 2, "pretraining_batch_size": 4, "steps": 3, "batch_size": 4},
}
SSD_TARGETS = ("results/ssd_report.json", "results/ssd/tables/gates.csv", "results/ssd/index.html")
RULE = "write_tables"  # reads a report and writes two small files


def processor_seconds(command: Sequence[str], folder: Path) -> float:
    """Run a command in a folder; return user and system seconds of all its processes.

    Raises:
        UserError: it failed; with its last line.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise UserError(f"{' '.join(command)} failed: {done.stderr.strip().rpartition(chr(10))[2]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def least(commands: Mapping[str, Sequence[str]], rounds: int, folder: Path) -> dict[str, float]:
    """Return the least processor seconds of each command, of rounds in which they take turns."""
    taken = [{name: processor_seconds(command, folder) for name, command in commands.items()} for _ in range(rounds)]
    return {name: round(min(row[name] for row in taken), 3) for name in commands}


def planning(rounds: int) -> dict[str, float]:
    """Return the processor seconds of dry runs from nothing, and of Snakemake's own start."""
    with tempfile.TemporaryDirectory() as folder:
        commands = {name: (*command, "--directory", folder) for name, command in PLANS.items()}
        commands["snakemake --version"] = PLANS["snakemake --version"]
        return least(commands, rounds, ROOT)


def starts(rounds: int) -> dict[str, float]:
    """Return the processor seconds of each script up to its `--help`, those of Python's own first."""
    scripts = [path for path in sorted((ROOT / "scripts").glob("[a-z]*.py")) if path.stem not in TRAINERS]
    commands = {path.stem: (sys.executable, str(path), "--help") for path in scripts}
    return least({"python": (sys.executable, "-c", ""), **commands}, rounds, ROOT)


def jobs(cores: int) -> dict[str, Any]:
    """Make the tables of all published reports, as many at a time as there are cores; return what a job took, s."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "results").mkdir()
        reports = sorted(REPORTS.glob("*_report.json"))
        for report in reports:
            shutil.copy(report, folder / "results")
        samples = [report.name.removesuffix("_report.json") for report in reports]
        tables = [f"results/{sample}/tables/gates.csv" for sample in samples]
        options = ("--directory", name, "--cores", str(cores), "--allowed-rules", RULE, *CONFIG)
        processor_seconds((*SNAKEMAKE, *options, "--", *tables), ROOT)
        (row,) = times(folder)
        benchmarks = [path.read_text().splitlines() for path in (folder / "benchmarks").rglob("*.tsv")]
        walls = [float(lines[-1].split("\t")[0]) for lines in benchmarks]
    overhead, most = (round(value, 2) for value in (row["overhead"] / row["jobs"], row["most"]))
    return {"cores": cores, "jobs": row["jobs"], "median s": median(walls), "overhead s": overhead, "most s": most}


def steps() -> list[dict[str, Any]]:
    """Make a small ssd, one job at a time; return seconds and overhead of its steps, as `trtflow list --times` does."""
    with tempfile.TemporaryDirectory() as name:
        small = ("--config", "backend=reference", f"samples={json.dumps({'ssd': SSD})}")
        processor_seconds((*SNAKEMAKE, "--directory", name, "--cores", "1", *small, "--", *SSD_TARGETS), ROOT)
        rows = times(Path(name))
    known = [row for row in rows if row["overhead"] is not None]  # a rule's log need not say it
    return [*known, total(known)]


def main() -> None:
    """Read the command line; time, print and write."""
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=5, help="of each command")
    arguments.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="of the jobs")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    result: dict[str, Any] = {"machine": machine(), "rounds": options.rounds}
    result["planning"] = planning(options.rounds)
    own = result["planning"]["snakemake --version"]
    rows = [[name, f"{seconds:.2f}", f"{seconds / own:.2f}"] for name, seconds in result["planning"].items()]
    print(columns(["planning", "processor s", "of --version"], rows), "\n", flush=True)
    result["jobs"] = jobs(options.cores)
    print(columns(["rule", *result["jobs"]], [[RULE, *map(str, result["jobs"].values())]]), "\n", flush=True)
    result["steps"] = steps()
    told = [[row["rule"], str(row["jobs"]), f"{row['overhead'] / row['jobs']:.2f}"] for row in result["steps"]]
    print(columns(["step", "jobs", "overhead s"], told), "\n", flush=True)
    result["starts"] = starts(options.rounds)
    by_time = sorted(result["starts"].items(), key=lambda item: -item[1])
    print(columns(["up to --help", "processor s"], [[name, f"{seconds:.2f}"] for name, seconds in by_time]))
    write_json(options.out, result)


if __name__ == "__main__":
    run(main)
