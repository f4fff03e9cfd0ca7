"""A step by hand: the same files and settings that the workflow gives it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtflow.workflow.configuration import put, typed
from trtflow.workflow.errors import PlanError, unknown
from trtflow.workflow.plan import Plan, make_plan
from trtflow.workflow.steps import inputs_of, job_of, outputs_of

ROOT = Path(__file__).resolve().parents[2]


def plan_step(
    sample: str, stage: str, step: str, precision: str | None, data: str, changes: Sequence[str]
) -> dict[str, Any]:
    """Return the job of a step as `trtflow.job.Job` takes it.

    Args:
        sample: name of the sample.
        stage: such as train.
        step: its name; where the sample has one step of that stage alone, that.
        precision: fp32, fp16 or int8; by default the first where the step is of one.
        data: mini or full.
        changes: KEY=VALUE, settings that differ from the sample's configuration.

    Raises:
        PlanError: there is no such sample, step or setting.
    """
    own: dict[str, Any] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise PlanError(f"--set: {change!r} is not KEY=VALUE.")
        put(own, key, typed(value))
    plan = make_plan(ROOT, {"data": data, "samples": {sample: own}})
    steps = {name: says for name, says in plan.steps(plan.sample(sample)["name"]).items() if says["stage"] == stage}
    if step not in steps and len(steps) == 1:
        step = next(iter(steps))
    if step not in steps:
        raise PlanError(
            f"{sample}: {unknown(f'step of stage {stage}', step, steps) if steps else f'no step of stage {stage}.'}"
        )
    return _job(plan, sample, step, steps[step], precision)


def _job(plan: Plan, sample: str, step: str, says: dict[str, Any], precision: str | None) -> dict[str, Any]:
    outputs = outputs_of(plan, sample, step, says)
    if precision is None and any("{precision}" in file for files in outputs.values() for file in files):
        precision = plan.sample(sample)["precisions"][0]
    inputs, outputs = (
        {name: [file.replace("{precision}", precision or "") for file in files] for name, files in both.items()}
        for both in (inputs_of(plan, sample, step, says), outputs)
    )
    return job_of(plan, sample, step, says, inputs, outputs, precision)
