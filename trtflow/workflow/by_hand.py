"""A step by hand: the same files and settings that the workflow gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trtflow.workflow.configuration import put, typed
from trtflow.workflow.errors import PlanError, unknown
from trtflow.workflow.plan import Plan, make_plan
from trtflow.workflow.steps import inputs_of, job_of, outputs_of

ROOT = Path(__file__).resolve().parents[2]


def plan_step(
    sample: str,
    stage: str,
    step: str | None,
    precision: str | None,
    data: str,
    changes: Sequence[str],
    program: str | None = None,
) -> dict[str, Any]:
    """Return the job of a step as `trtflow.job.Job` takes it.

    Args:
        sample: name of the sample.
        stage: such as train.
        step: its name; by default that of the stage's name, or the only one of the stage.
        precision: one of the sample's; by default the first where the step is of one.
        data: mini or full.
        changes: KEY=VALUE, settings that differ from the sample's configuration.
        program: another form of the model, caffe or uff; by default the first where the step is of one.

    Raises:
        PlanError: there is no such sample, step, setting, precision or program.
    """
    own: dict[str, Any] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise PlanError(f"--set: {change!r} is not KEY=VALUE.")
        put(own, key, typed(value))
    plan = make_plan(ROOT, {"data": data, "samples": {sample: own}})
    steps = {name: says for name, says in plan.steps(plan.sample(sample)["name"]).items() if says["stage"] == stage}
    step = _step(sample, stage, step, steps)
    return _job(plan, sample, step, steps[step], {"precision": precision, "program": program})


def replace_files(job: dict[str, Any], kind: str, texts: Sequence[str]) -> None:
    """Let an input or output of a job be other files.

    Args:
        job: as `plan_step` returns it.
        kind: input or output.
        texts: NAME=PATH and further paths.

    Raises:
        PlanError: the step has none of that name.
    """
    name, equals, first = texts[0].partition("=")
    if not equals:
        raise PlanError(f"--{kind}: {texts[0]!r} is not NAME=PATH.")
    if name not in job[f"{kind}s"]:
        raise PlanError(f"--{kind}: {job['sample']}: {job['step']}: {unknown(kind, name, job[f'{kind}s'])}")
    job[f"{kind}s"][name] = [first, *texts[1:]]


def _step(sample: str, stage: str, step: str | None, steps: Mapping[str, Any]) -> str:
    """Return the step asked for, of a sample's steps of a stage."""
    if not steps:
        raise PlanError(f"{sample}: no step of stage {stage}.")
    if step is None:
        step = next(iter(steps)) if len(steps) == 1 else stage
        if step not in steps:
            raise PlanError(f"{sample}: several steps of stage {stage}: {', '.join(steps)}. Give one by --step.")
    if step not in steps:
        raise PlanError(f"{sample}: {unknown(f'step of stage {stage}', step, steps)}")
    return step


def _job(plan: Plan, sample: str, step: str, says: dict[str, Any], asked: dict[str, str | None]) -> dict[str, Any]:
    """Return a step's job, of the precision or the program asked for where it has one for each."""
    files = [inputs_of(plan, sample, step, says), outputs_of(plan, sample, step, says)]
    parts = {name: _part(plan.sample(sample), step, files, name, value) for name, value in asked.items()}
    for name, value in parts.items():
        files = [{key: [file.replace(f"{{{name}}}", value) for file in given[key]] for key in given} for given in files]
    job = job_of(plan, sample, step, says, files[0], files[1], parts["precision"] or None)
    if parts["program"]:
        job["sample"] += f".{parts['program']}"  # whose module has the other form
    return job


def _part(sample: dict[str, Any], step: str, files: list[dict[str, list[str]]], name: str, value: str | None) -> str:
    """Return which of a sample's precisions or programs a step is of, nothing where it is of all."""
    if not any(f"{{{name}}}" in file for given in files for paths in given.values() for file in paths):
        if value is not None:
            raise PlanError(f"{sample['name']}: step {step} is not of one {name}. Leave --{name} out.")
        return ""
    known = sample[f"{name}s"]
    if value is not None and value not in known:
        raise PlanError(f"{sample['name']}: {unknown(name, value, known)}")
    return value or str(known[0])
