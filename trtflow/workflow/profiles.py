"""Snakemake's workflow profiles."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

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
