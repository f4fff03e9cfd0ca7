"""What a run says while it lasts: a line a job, in place of Snakemake's paragraph.

`attach` puts `JobLines` in place of Snakemake's own handler, with that one's stream, filter and colours, so that
`--quiet`, `-p` and `--nocolor` keep their meaning; `--verbose`, `--debug-dag` and a `--logger` that somebody chose
leave Snakemake's. The Snakefile attaches it, and not a profile's `logger:`: so it needs no installation, works under
any profile and any Python that has Snakemake, and stays out of jobs on a cluster and of workflows that import this one.
As a plugin of its interface, `--logger trtflow`, it is in `snakemake_logger_plugin_trtflow`.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TextIO

from trtflow.workflow.closing import Failure, clock, described, failures_of, said_of

NOTHING = "Nothing to be done"
FAILED = "At least one job did not complete successfully"
# Snakemake's messages that tell nothing of this run, by how they begin; whatever else it says is shown
CHATTER = (
    *("Assuming unrestricted shared filesystem", "Building DAG of jobs", "Using shell:", "Provided cores:"),
    *("Provided resources:", "Provided remote nodes:", "Rules claiming more threads", "Select jobs to execute"),
    *("Execute ", "DAG of jobs will be updated", "Updating checkpoint dependencies", "Conda environments: ignored"),
    *("Singularity containers: ignored", "Removing temporary output", "Exiting because a job execution failed"),
    *("Elapsed time:", "Group jobs: inactive", "This was a dry-run", "The run involves checkpoint jobs"),
    *("Some jobs were triggered by provenance", "Rules with provenance triggered", "Reasons:"),
)
ERASE = "\r\x1b[K"
GREEN, RED, YELLOW, DIM = 32, 31, 33, 2
FIRST_PAUSE = 3  # seconds that nothing is said of a job, which most need


class JobLines(logging.Handler):
    """Snakemake's messages as a line a job; on a terminal the last line tells what is running.

    Args:
        stream: where to.
        settings: Snakemake's `OutputSettings`.
        colour: whether the stream shows colours.
    """

    def __init__(self, stream: TextIO, settings: Any, colour: bool) -> None:
        super().__init__()
        self.stream, self.settings, self.colour = stream, settings, colour
        self.jobs: dict[int, _Job] = {}
        self.failures: dict[int, Failure] = {}
        self._finished: list[tuple[_Job, float]] = []
        self.said: list[str] = []  # Snakemake's errors
        self._unclaimed: list[str] = []  # those of them that a job's line is to tell, which comes later
        self._counted = False
        self._status = _Status(self) if stream.isatty() and colour and not settings.dryrun else None

    def emit(self, record: logging.LogRecord) -> None:
        """Say what there is to say of a record."""
        try:
            event = str(getattr(record, "event", None) or "message")
            getattr(self, f"on_{event}", self.on_other)(record)
        except BrokenPipeError:  # `| head` reads no more; raised, it ends the thread of logs, and the run hangs
            self.stream = open(os.devnull, "w")  # noqa: SIM115 - as long as the run
        except Exception:  # as logging does, for a record must not end the run
            self.handleError(record)

    def close(self) -> None:
        """Say what is left to say, and end the line of what is running."""
        if self._status is not None:
            self._status.end()
        for text in self._unclaimed:
            self.say(text, RED)
        self._unclaimed = []
        super().close()

    def say(self, text: str, colour: int | None = None) -> None:
        """Write lines, in place of the line of what is running."""
        if self._status is not None:
            self.stream.write(ERASE)
        painted = f"\x1b[{colour}m{text}\x1b[0m" if colour and self.colour else text
        self.stream.write(f"{painted}\n")
        self.stream.flush()

    def on_message(self, record: logging.LogRecord) -> None:
        """Show a message without a kind, but not `CHATTER`."""
        text = str(record.msg or "").strip()
        if text.startswith("Complete log(s)") and not self.failures:
            return
        if not text or text.startswith(CHATTER):
            return
        self.say(text, {logging.WARNING: YELLOW, logging.ERROR: RED, logging.CRITICAL: RED}.get(record.levelno))

    def on_other(self, record: logging.LogRecord) -> None:
        """Pass over a kind of message that has no line."""

    def on_run_info(self, record: Any) -> None:
        """Say how many jobs there are."""
        dry = self.settings.dryrun
        if dry and self._counted:
            return  # a dry run says so at its end too
        self._counted = True
        if dry and self.is_quiet("RULES"):
            self.say(str(record.msg).strip())  # no line a job will follow: this table is all there is
            return
        total = record.stats["total"]
        self.say(f"{total} job{'' if total == 1 else 's'} {'would run' if dry else 'to run'}")

    def on_job_info(self, record: Any) -> None:
        """Note a job; say so now where that is all there is to come."""
        job = _Job(record)
        self.jobs[record.jobid] = job
        if self.settings.dryrun:
            self.say(f"{job.what}{_short_reason(record.reason)}")
        elif self.is_quiet("PROGRESS"):
            self.say(job.what)
        if self._status is not None:
            self._status.begin()

    def on_shellcmd(self, record: Any) -> None:
        """Show a command, which passes the filter with --printshellcmds alone."""
        if record.shellcmd:
            self.say(str(record.shellcmd).strip(), YELLOW)

    def on_job_finished(self, record: Any) -> None:
        """Note that a job is done; `on_progress`, which follows, says so."""
        self.failures.pop(record.job_id, None)
        job = self.jobs.pop(record.job_id, None)
        if job is not None:
            self._finished.append((job, record.created - job.started))

    def on_progress(self, record: Any) -> None:
        """Say which jobs are done, of how many, and how long they took."""
        width = len(str(record.total))
        first = record.done - len(self._finished) + 1
        for count, (job, seconds) in enumerate(self._finished, first):
            self.say(f"[{count:{width}}/{record.total}] {job.what}  {clock(seconds)}", GREEN)
        if not self._finished:
            self.say(f"[{record.done:{width}}/{record.total}]", GREEN)
        self._finished = []

    def on_job_error(self, record: Any) -> None:
        """Say that a job failed, and why; once more at the end, when this has scrolled away."""
        job = self.jobs.pop(record.jobid, None)
        what = job.what if job is not None else record.rule_name
        if record.jobid in self.failures and job is None:
            return  # said with its group
        failure = Failure(what, tuple(record.log), said_of(record.rule_name, record.shellcmd, self.said))
        self._unclaimed = [text for text in self._unclaimed if text != failure.said]
        self.failures[record.jobid] = failure
        if self.settings.show_failed_logs:
            self._show_logs(record.log)
        self.say(str(failure), RED)

    def on_group_error(self, record: Any) -> None:
        """Pass over it: Snakemake names each job of a group afterwards."""

    def on_error(self, record: Any) -> None:
        """Show an error; but leave a failed command to its job's line, and end with the causes of all failures."""
        text = str(record.msg).strip()
        if FAILED in text and self.failures:
            for failure in self.failures.values():
                self.say(str(failure), RED)
            return
        text = _plain(text)
        self.said.append(text)
        if "CalledProcessError" in text:
            self._unclaimed.append(text)
        else:
            self.say(text, RED)

    def claim(self) -> None:
        """Take note that what Snakemake said of failed jobs is told at the end."""
        self._unclaimed = []

    def _show_logs(self, logs: list[str]) -> None:
        for log in logs:
            with suppress(OSError), open(log, errors="replace") as file:
                self.say(f"{log}:\n{file.read().rstrip()}", DIM)

    def is_quiet(self, kind: str) -> bool:
        """Return whether --quiet names a kind: ALL, RULES, PROGRESS, REASON or HOST."""
        return kind in {getattr(quiet, "name", str(quiet)).upper() for quiet in self.settings.quiet or ()}


class _Job:
    """A job that runs: what it is, and since when."""

    def __init__(self, record: Any) -> None:
        self.started: float = record.created
        self.what: str = record.rule_msg or described(record.rule_name, record.wildcards or {}, record.output)


class _Status:
    """The last line of a terminal, once a second: the job that has run longest, and how many more there are."""

    def __init__(self, lines: JobLines) -> None:
        self._lines = lines
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def end(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._write("")

    def _run(self) -> None:
        while not self._ended.wait(1):
            text = self._text()
            if text:
                self._write(text)

    def _write(self, text: str) -> None:
        self._lines.acquire()
        try:
            with suppress(OSError, ValueError):  # the terminal may be closed by now
                self._lines.stream.write(f"{ERASE}\x1b[{DIM}m{text}\x1b[0m" if text else ERASE)
                self._lines.stream.flush()
        finally:
            self._lines.release()

    def _text(self) -> str:
        now = time.time()
        running = sorted(self._lines.jobs.values(), key=lambda job: job.started)
        if not running or now - running[0].started < FIRST_PAUSE:
            return ""
        more = f"  and {len(running) - 1} more" if len(running) > 1 else ""
        text = f"{running[0].what}  {clock(now - running[0].started)}{more}"
        return text[: shutil.get_terminal_size().columns - 1]


def attach(logger: logging.Logger, settings: Any) -> JobLines | None:
    """Let a run of Snakemake say a line a job.

    Args:
        logger: `snakemake.logging.logger`.
        settings: `workflow.output_settings`.

    Returns:
        the handler, or None where Snakemake's own output is wanted, or this is a job of a run.
    """
    if settings.verbose or settings.debug_dag or getattr(settings, "skip_plugin_handlers", False):
        return None
    default = next((handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"), None)
    if not isinstance(default, logging.StreamHandler):
        return None  # a plugin writes to the terminal
    lines = JobLines(default.stream, settings, colour=not getattr(default, "nocolor", True))
    for shown in default.filters:
        lines.addFilter(shown)
    logger.removeHandler(default)
    logger.addHandler(lines)
    return lines


def started_from(settings: Any) -> str:
    """Return the terminal that the run was started from and may tell its progress to, or "".

    Args:
        settings: `workflow.output_settings`.
    """
    if settings.quiet or not sys.stderr.isatty():
        return ""
    try:
        return os.ttyname(sys.stderr.fileno())
    except OSError:  # a container may have a terminal without its device
        return ""


class _NothingToDo(logging.Handler):
    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith(NOTHING):
            sys.stderr.flush()
            self._tell()


def at_nothing_to_do(logger: logging.Logger, tell: Callable[[], None]) -> None:
    """Call `tell` when Snakemake finds nothing to do: it runs neither `onstart` nor `onsuccess` then.

    Args:
        logger: `snakemake.logging.logger`.
        tell: what `onsuccess` calls, for a second run to say what the first one said.
    """
    logger.addHandler(_NothingToDo(tell))


def tell_failures(lines: JobLines | None, failed: Iterable[Any]) -> None:
    """Say of each job that failed why it did, in the last lines of the run: for `onerror`.

    Args:
        lines: what `attach` returned; it says them after Snakemake's own last words, unless --quiet holds it back.
        failed: `workflow.scheduler.failed`.
    """
    failures = failures_of(failed, lines.said if lines is not None else ())
    if lines is not None and not lines.is_quiet("ALL"):
        lines.failures = {number: lines.failures.get(number, failure) for number, failure in failures.items()}
        lines.claim()
        return
    for failure in failures.values():
        print(failure, file=sys.stderr)


def _short_reason(reason: str) -> str:
    """Return why a job would run: kinds alone, the first file of those that changed, nothing where another job asks."""
    kinds = []
    for part in re.split(r"; ", reason or ""):
        kind, _, files = part.partition(": ")
        if kind.startswith("Input files updated by another job"):
            continue
        first, *rest = files.split(", ") if kind.startswith("Updated input files") else [""]
        kinds.append(kind + (f": {first}" if first else "") + (f" and {len(rest)} more" if rest else ""))
    text = "; ".join(filter(None, kinds)).split("\n")[0].rstrip(":")
    return f"  ({text[0].lower()}{text[1:]})" if text else ""


def _plain(error: str) -> str:
    """Return an error of the workflow's own, as of its configuration, without what Snakemake says around it."""
    inside = re.match(r"InputFunctionException .*\nError:\n  WorkflowError:\n((?: {4}.*\n?)+)", error)
    if inside:  # a function of a rule's found it
        return "error: " + "\n".join(line[4:] for line in inside[1].splitlines())
    heading, *lines = error.splitlines()
    if not heading.startswith("WorkflowError"):
        return error
    kept = [line for line in lines if not re.match(r'\s+File ".*", line \d+, in ', line)]
    lacks = re.match(r"File (.+) marked for report but does not exist", kept[0] if kept else "")
    if lacks:
        return (
            f"error: {lacks[1]}: not made yet, and the report shows it. Make it first: snakemake {lacks[1]}; or name a "
            "sample's page, for a report of it alone: snakemake --report report.html results/NAME/index.html"
        )
    return "\n".join(["error: " + kept[0], *kept[1:]]) if kept else heading
