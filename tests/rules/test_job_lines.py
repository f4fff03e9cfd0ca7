"""What a run of Snakemake says on a terminal and through a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
HEAD = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from snakemake.logging import logger
from trtflow.workflow import closing, terminal

LINES = terminal.attach(logger, workflow.output_settings)

def tell():
    made = [path for job in workflow.dag.jobs for path in job.output]
    print("asked:", *closing.asked_reports(made, ["results/good_report.json"]))

terminal.at_nothing_to_do(logger, tell)

onsuccess:
    tell()

onerror:
    terminal.tell_failures(LINES, workflow.scheduler.failed)
"""
PROGRAM = """#!/bin/sh
[ "$1" = good ] && touch "$2" && exit
echo Traceback
echo "error: m.caffemodel: damaged"
exit 1
"""
RULES = """
rule train:
    output: "results/{sample}/model.{precision}"
    log: "logs/{sample}.{precision}.log"
    shell: "echo 'secret command' > {output} 2> {log}"

rule report:
    input: "results/{sample}/model.int8"
    output: "results/{sample}_report.json"
    log: "logs/{sample}.log"
    retries: 1
    shell: "./make_report {wildcards.sample} {output} >> {log} 2>&1"

rule silent:
    output: "silent"
    shell: "exit 7"

rule missing:
    output: "missing"
    log: "logs/missing.log"
    shell: "echo done > {log}"

rule slow:
    output: "slow"
    shell: "sleep 5; touch {output}"

rule retried:
    output: "retried"
    retries: 1
    shell: "mkdir once && exit 1; touch {output}"
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a small workflow of its own, as in many a home folder with a blank in its name."""
    place = tmp_path / "my work"
    place.mkdir()
    (place / "Snakefile").write_text(HEAD + RULES)
    (place / "make_report").write_text(PROGRAM)
    (place / "make_report").chmod(0o755)
    return place


def command(*words):
    return [str(SNAKEMAKE), "--cores", "2", *map(str, words)]


def through_pipe(folder, *words):
    done = subprocess.run(
        command(*words), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def on_terminal(folder, *words):
    """Run on a pseudo-terminal; return the exit status and what it was sent."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ["TERM"] = "xterm"
        os.execv(SNAKEMAKE, command(*words))
    said = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()


def test_a_job_is_a_line_and_the_end_is_ours(folder):
    status, said = through_pipe(folder, "results/good_report.json")
    assert status == 0
    assert said.splitlines() == [
        "2 jobs to run",
        "[1/2] train of good, int8  0:00",
        "[2/2] report of good  0:00",
        "asked: results/good_report.json",
    ]
    assert re.search("rule train:", next(folder.glob(".snakemake/log/*.log")).read_text())


def test_a_second_run_says_the_same_of_its_results(folder):
    through_pipe(folder, "results/good_report.json")
    status, said = through_pipe(folder, "results/good_report.json")
    assert status == 0
    assert sorted(said.splitlines()) == [
        "Nothing to be done (all requested files are present and up to date).",
        "asked: results/good_report.json",
    ]


def test_a_failure_ends_with_the_cause_itself(folder):
    for run in (through_pipe, on_terminal):
        status, said = run(folder, "results/bad_report.json", "results/good_report.json", "--keep-going", "--nocolor")
        assert status == 1
        cause = "failed: report of bad, see logs/bad.log: error: m.caffemodel: damaged"
        assert said.split("\x1b[K")[-1].strip().splitlines()[-1] == cause
        assert "Trying to restart" in said
        assert "At least one job" not in said


def test_failures_without_a_log_say_what_snakemake_knows(folder):
    status, said = through_pipe(folder, "silent", "missing", "--keep-going", "--latency-wait", "0")
    assert status == 1
    missing, silent = sorted(said.splitlines()[-2:])
    assert missing.startswith("failed: missing, see logs/missing.log: it did not make missing (missing locally")
    assert missing.endswith("its last words: done")
    assert silent == "failed: silent: exit status 7 of exit 7"


def test_what_failed_and_then_went_well_is_no_failure(folder):
    status, said = through_pipe(folder, "retried", "silent", "--keep-going")
    assert status == 1
    last = said[said.index("Complete log(s)") :]
    assert "failed: silent" in last
    assert "retried" not in last


def test_a_terminal_shows_colours_and_what_lasts(folder):
    status, said = on_terminal(folder, "slow")
    assert status == 0
    assert "\x1b[32m[1/1] slow  0:05\x1b[0m" in said
    assert re.search(r"\r\x1b\[K\x1b\[2mslow  0:0[34]\x1b\[0m", said)


def test_a_pipe_has_neither(folder):
    assert "\x1b" not in through_pipe(folder, "slow")[1]


def test_printshellcmds_shows_commands(folder):
    assert "secret command" not in through_pipe(folder, "results/a/model.fp32")[1]
    assert "echo 'secret command'" in through_pipe(folder, "results/b/model.fp32", "--printshellcmds")[1]


def test_verbose_is_snakemakes_own_output(folder):
    said = through_pipe(folder, "results/a/model.fp32", "--verbose")[1]
    assert "rule train:" in said
    assert "Finished jobid: 0 (Rule: train)" in said


@pytest.mark.parametrize("quiet", ["all", "rules", "progress"])
def test_quiet_is_quiet_but_failures_have_their_cause(folder, quiet):
    said = through_pipe(folder, "results/a/model.fp32", "--quiet", quiet)[1]
    lines = {"all": [], "rules": ["1 job to run", "[1/1]"], "progress": ["train of a, fp32"]}[quiet]
    assert said.splitlines() == [*lines, "asked:"]
    status, said = through_pipe(folder, "results/bad_report.json", "--quiet", quiet)
    assert status == 1
    assert said.splitlines()[-1] == "failed: report of bad, see logs/bad.log: error: m.caffemodel: damaged"


def test_a_dry_run_is_a_line_a_job_with_its_reason(folder):
    status, said = through_pipe(folder, "--dry-run", "results/good_report.json")
    assert status == 0
    assert said.splitlines() == [
        "2 jobs would run",
        "train of good, int8  (missing output files)",
        "report of good  (missing output files)",
    ]
    assert "secret command" in through_pipe(folder, "--dry-run", "-p", "results/good_report.json")[1]
    through_pipe(folder, "results/good_report.json")
    said = through_pipe(folder, "--dry-run", "results/good_report.json", "--forceall")[1]
    assert said.splitlines()[1:] == ["train of good, int8  (forced execution)", "report of good  (forced execution)"]


def test_a_quiet_dry_run_keeps_the_table_of_counts(folder):
    said = through_pipe(folder, "--dry-run", "--quiet", "rules", "--", "results/good_report.json")[1]
    assert re.search(r"^train +1$", said, re.MULTILINE)


def test_an_error_of_the_configuration_is_its_own_words(folder):
    (folder / "Snakefile").write_text(HEAD + "\nraise WorkflowError('config.yaml: seed: not a number')\n" + RULES)
    status, said = through_pipe(folder, "slow")
    assert status == 1
    assert said.splitlines()[-1] == "error: config.yaml: seed: not a number"


def test_a_report_without_what_it_shows_says_what_to_make(folder):
    page = '\nrule page:\n    output: report("page.html")\n    shell: "touch {output}"\n'
    (folder / "Snakefile").write_text(HEAD + page)
    status, said = through_pipe(folder, "--report", "report.html", "page.html")
    assert status == 1
    wanted = "error: page.html: not made yet, and the report shows it. Make it first: snakemake page.html"
    assert said.splitlines()[-1].startswith(wanted)


def test_an_error_of_the_snakefile_keeps_its_place(folder):
    (folder / "Snakefile").write_text(HEAD + "\nshell('exit 9')\n" + RULES)
    assert "Snakefile" in through_pipe(folder, "slow")[1]


def test_the_same_as_a_plugin(folder):
    (folder / "Snakefile").write_text(RULES)
    words = [*command("results/bad_report.json"), "--logger", "trtflow"]
    done = subprocess.run(
        words, cwd=folder, stderr=subprocess.PIPE, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.stderr.splitlines()[-1] == "failed: report of bad, see logs/bad.log: error: m.caffemodel: damaged"
    assert "[1/2] train of bad, int8  0:00" in done.stderr
