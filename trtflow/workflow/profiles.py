"""Snakemake's workflow profiles, and a default of its own that they do not reach."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtflow.workflow.errors import PlanError


def check_workflow_profile(arguments: Sequence[str], base: str) -> None:
    """Refuse a workflow profile that is not there: Snakemake would pass over it and run on this machine.

    Args:
        arguments: of Snakemake's command line.
        base: folder of the workflow.

    Raises:
        PlanError: it is not there.
    """
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--workflow-profile", default="none")
    name = options.parse_known_args(arguments)[0].workflow_profile
    folders = (Path(), Path("profiles"), Path(base, "profiles"))
    if name != "none" and not any((folder / name).exists() for folder in folders):
        raise PlanError(f"--workflow-profile: {name} is not there. See profiles/README.md.")


def lift_default_job_rate(scheduler: Any) -> None:
    """Take back Snakemake's limit of 100 jobs a second, unless somebody set another.

    With a limit, Snakemake 9.27 wakes its scheduler once more a second for every job that has ended, for the rest of
    the run: after some 80 jobs that alone takes most of a core.
    """
    limiter = getattr(scheduler, "job_rate_limiter", None)
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        scheduler.job_rate_limiter = None
