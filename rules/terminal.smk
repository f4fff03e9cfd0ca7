"""What a run says on the terminal, and at its end; a workflow that imports this one says its own."""

import time

from snakemake.settings.enums import Quietness
from trtflow.workflow import manifests, targets

STARTED = time.monotonic()
# jobs inherit it (trtflow/progress.py)
os.environ.update(TRTFLOW_TERMINAL=terminal.started_from(workflow.output_settings))


def tell_results(counted=True):
    """Say the gates of the reports that were asked for, if `check` has not, and where these and their pages lie."""
    jobs = list(workflow.dag.jobs)
    quiet = Quietness.ALL in (workflow.output_settings.quiet or ())
    if quiet or workflow.dryrun or any(job.rule.name == "check" for job in jobs):
        return
    made = [path for job in jobs for path in job.output]
    asked = closing.asked_reports(
        made, [f"results/{name}{closing.REPORT}" for name in SAMPLES]
    )
    ran = len(list(workflow.dag.finished_jobs))
    numbers = {"jobs": ran, "seconds": time.monotonic() - STARTED} if counted else {}
    closing.tell_results(asked, SCRIPTS / "check_reports.py", PYTHON, **numbers)
    if any(job.rule.name == "fetch" for job in jobs):
        print(
            *FETCH.left_out(), sep="\n", file=sys.stderr
        )  # their list has scrolled away by now


def refuse_unknown_targets(words):
    """End with what may be meant where a report or a sample of the command line is none."""
    for before, word in zip(words, words[1:]):
        asked = word.startswith("results/") or (
            word in SAMPLES and not before.startswith("--")
        )
        fault = targets.unknown_target(word, SAMPLES, []) if asked else ""
        if fault:
            raise WorkflowError(fault)


def check_manifests():
    """End where the pictures of a split are not those of its manifest, as far as their names tell, before anything runs."""
    made = {path for job in workflow.dag.needrun_jobs() for path in job.output}
    read = {
        path
        for job in workflow.dag.needrun_jobs()
        for path in job.input
        if str(path).endswith(".sha256")
    }
    for path in sorted(read - made):
        planned(manifests.check_names, Path(path))
