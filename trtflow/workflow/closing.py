"""What a run says at its end: gates, where report and page lie, or why it failed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPORT = "_report.json"
PAGE = "all results on a page"  # in Snakemake's list, which is in alphabetical order, before the pictures
TAIL = 200  # lines of a log that are searched for its error
SHOWN = 120  # characters of a command
FOLDER = re.compile(r"(?:.*/)?results/([^/]+)/")
# in this order: what our scripts end with, how Python names an exception, and whatever else speaks of a failure
ERRORS = (
    re.compile(r"^(fatal )?error: ", re.IGNORECASE),
    re.compile(r"^[\w.]*(Error|Exception|Exit|Interrupt)\b(:|$)"),
    re.compile(r"\b(errors?|fatal|killed|cannot|failed|not found|terminate called)\b", re.IGNORECASE),
)
REFUSALS = ("generic resource", "node configuration is not available")  # of Slurm, for a job's GPU
NO_SUCH_GPU = (
    "error: the cluster has no such GPU, or not in that partition. Name the partition and type in a profile"
    " (profiles/README.md), or run on CPUs: --config backend=reference"
)


@dataclass(frozen=True)
class Failure:
    """A job that failed.

    Attributes:
        what: its step and sample, such as "train of ssd".
        logs: its log files.
        said: what Snakemake said of it.
    """

    what: str
    logs: Sequence[str] = ()
    said: str = ""

    def __str__(self) -> str:
        """Return one line: what failed, where its log lies, and last the cause."""
        log, cause = next(self._errors(), (next(iter(self.logs), ""), self._without_error()))
        return f"failed: {self.what}{f', see {log}' if log else ''}: {cause}"

    def _errors(self) -> Iterator[tuple[str, str]]:
        for log in self.logs:
            cause = error_in(_lines(log))
            if cause:
                yield log, cause

    def _without_error(self) -> str:
        """Return what is known of a job whose logs have no error: how it ended, and what it said last."""
        last = [lines[-1] for lines in map(_lines, self.logs) if lines]
        ending = how_it_ended(self.said) or "it left no error"
        return f"{ending}; its last words: {last[-1]}" if last else ending


def error_in(lines: Sequence[str]) -> str:
    """Return the line of a log that says why its job failed, or "" where none speaks of an error."""
    for pattern in ERRORS:
        for line in reversed(lines):
            if pattern.search(line):
                return line
    return ""


def how_it_ended(said: str) -> str:
    """Return in one line what Snakemake said of a failed job: which signal or exit status, which file is missing."""
    text = " ".join(said.split())
    signal = re.search(r"died with <Signals\.(\w+): \d+>", text)
    if signal:
        return f"killed by {signal[1]}" + (", as where memory is short" if signal[1] == "SIGKILL" else "")
    command = re.search(r"Command '(?:set -euo pipefail; *)?(.*)' returned non-zero exit status (\d+)", text)
    if command:
        return f"exit status {command[2]} of {command[1][:SHOWN]}{'…' if len(command[1]) > SHOWN else ''}"
    missing = re.search(r"some output files are missing.*--latency-wait: (.*)", text)
    return f"it did not make {missing[1]}" if missing else text


def _lines(log: str) -> list[str]:
    try:
        text = Path(log).read_text(errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()][-TAIL:]


def described(rule: str, wildcards: Mapping[str, str], outputs: Iterable[str] = ()) -> str:
    """Return "build_engine of ssd, int8": a job's step, its sample, and what else tells it from others.

    Where no wildcard is the sample, it is the folder of results that the outputs lie in.
    """
    others = [value for name, value in wildcards.items() if name != "sample" and value]
    folders = {found[1] for found in map(FOLDER.match, map(str, outputs)) if found}
    sample = wildcards.get("sample") or (folders.pop() if len(folders) == 1 else "")
    of = ", ".join([sample, *others] if sample else others)
    return f"{rule} of {of}" if of else rule


def said_of(rule: str, command: str | None, said: Iterable[str]) -> str:
    """Return the last error of Snakemake's that is of a rule or a command, or ""."""
    words = (command or "").strip()
    of_job = [text for text in said if f" in rule {rule} " in text or (words and words in text)]
    return of_job[-1] if of_job else ""


def failures_of(jobs: Iterable[Any], said: Sequence[str] = ()) -> dict[int, Failure]:
    """Return the failures of jobs by their number.

    Args:
        jobs: Snakemake's jobs and groups of jobs, `workflow.scheduler.failed`.
        said: Snakemake's errors.
    """
    single = (part for job in sorted(jobs, key=str) for part in (job.jobs if job.is_group() else [job]))
    return {
        job.jobid: Failure(
            described(job.rule.name, job.wildcards_dict, job.output),
            list(job.log),
            said_of(job.rule.name, job.shellcmd, said),
        )
        for job in single
    }


def refused_gpu(logs: Iterable[str]) -> str:
    """Return the way out where one of these logs of Snakemake says that a cluster refused a job for its GPU, or ""."""
    texts = (Path(log).read_text(errors="replace") for log in logs)
    return NO_SUCH_GPU if any(refusal in text for text in texts for refusal in REFUSALS) else ""


def asked_reports(outputs: Iterable[str], reports: Iterable[str]) -> list[str]:
    """Return which of all samples' reports, in their order, are among the outputs of a run's jobs."""
    made = set(map(str, outputs))
    return [report for report in reports if report in made]


def tell_results(
    reports: Sequence[str],
    program: str | Path,
    python: str = sys.executable,
    jobs: int | None = None,
    seconds: float | None = None,
) -> None:
    """Print the gates of reports and where these and their pages lie.

    Args:
        reports: results/<sample>_report.json; those that are not there are passed over.
        program: scripts/check_reports.py, which prints the table.
        python: the Python to run it with.
        jobs: how many were run.
        seconds: how long that took.
    """
    there = [report for report in reports if Path(report).is_file()]
    if there:
        sys.stdout.flush()
        # a courtesy: what stands in its way, as a Python without rich, is no fault of the run
        subprocess.run([python, str(program), *there, "--closing"], stderr=subprocess.DEVNULL, check=False)
    print(*places(there), sep="\n", end="\n" if there else "")
    if jobs is not None and seconds is not None:
        print(f"{jobs} job{'' if jobs == 1 else 's'} in {clock(seconds)}")


def places(reports: Sequence[str]) -> list[str]:
    """Return lines that say where reports lie, and pages that were made of them."""
    if not reports:
        return []
    first = Path(reports[0])
    if len(reports) == 1:
        page = first.with_name(first.name.removesuffix(REPORT)) / "index.html"
        what, where = "report", str(first)
    else:
        page = first.with_name("index.html")
        what, where = f"{len(reports)} reports", str(first.with_name(f"*{REPORT}"))
    seen = str(page) if page.is_file() else f"snakemake {page} makes it"
    return [f"{what}: {where}", f"page: {seen}"]


def page_labels(report: str | Path) -> dict[str, str]:
    """Return what Snakemake's report says of a sample's page, beside its link.

    Args:
        report: results/<sample>_report.json; where it is not there, or damaged, the gates are left out.
    """
    told = {"what": PAGE}
    try:
        passed = [bool(gate["passed"]) for gate in json.loads(Path(report).read_text(encoding="utf-8"))["gates"]]
    except (OSError, ValueError, KeyError, TypeError):  # whoever makes the page tells it
        return told
    return {**told, "gates": f"{sum(passed)} of {len(passed)} passed"}


def clock(seconds: float) -> str:
    """Return minutes and seconds as 1:05, hours as 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
