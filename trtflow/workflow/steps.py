"""Steps of samples as rules: those that write files of the same names are one rule, with a job for each sample."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trtflow.workflow.configuration import holds, leaf, put
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import Plan

ALWAYS = ("data_set", "task", "family")


@dataclass
class StepRule:
    """Steps of several samples that one rule does.

    Attributes:
        name: of the rule.
        step: name of the step.
        says: how the first of these samples declares it.
        samples: whose steps they are.
        outputs: files by name, with the wildcards sample and precision.
    """

    name: str
    step: str
    says: Mapping[str, Any]
    outputs: dict[str, str | list[str]]
    samples: list[str] = field(default_factory=list)

    @property
    def per_precision(self) -> bool:
        """Whether every precision has a job of it."""
        return "{precision}" in json.dumps(self.outputs)

    @property
    def log(self) -> str:
        """File name that logs and benchmarks of its jobs have, without the ending."""
        return f"{{sample}}/{self.step}" + (".{precision}" if self.per_precision else "")


def step_rules(plan: Plan, stage: str) -> list[StepRule]:
    """Return the rules of a stage, such as train: one for all samples whose files have the same names."""
    found: dict[str, StepRule] = {}
    for sample in plan.samples:
        if plan.config["data"] not in plan.samples[sample]["data"]:
            continue
        for step, says in plan.steps(sample).items():
            if says["stage"] != stage:
                continue
            outputs = {name: _pattern(sample, files) for name, files in outputs_of(plan, sample, step, says).items()}
            key = json.dumps([step, says["of"], outputs], sort_keys=True)
            name = f"{step}_{says['of']}"
            found.setdefault(key, StepRule(name, step, says, outputs)).samples.append(sample)
    return _named_apart(list(found.values()))


def _named_apart(rules: list[StepRule]) -> list[StepRule]:
    """Give rules of the same name the name of their first sample too."""
    names = [rule.name for rule in rules]
    for rule in rules:
        if names.count(rule.name) > 1:
            rule.name = f"{rule.step}_{rule.samples[0]}"
    return rules


def _pattern(sample: str, files: list[str]) -> str | list[str]:
    """Return files of a sample with the sample as a wildcard."""
    start = f"results/{sample}/"
    named = [f"results/{{sample}}/{file.removeprefix(start)}" if file.startswith(start) else file for file in files]
    return named if len(named) > 1 else named[0]


def outputs_of(plan: Plan, sample: str, step: str, says: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the files that a step of a sample writes, by name; {precision} stays a wildcard."""
    return {name: _expand(plan, sample, step, value, output=True) for name, value in says["output"].items()}


def inputs_of(plan: Plan, sample: str, step: str, says: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the files that a step of a sample reads, by name; {precision} stays a wildcard."""
    return {name: _expand(plan, sample, step, value) for name, value in says.get("input", {}).items()}


def _expand(plan: Plan, sample: str, step: str, value: Any, *, output: bool = False) -> list[str]:
    """Return the files that a value of `input` or `output` stands for."""
    if isinstance(value, dict):
        return _expand(plan, sample, step, value["file"]) if holds(value["when"], plan.values(sample)) else []
    if isinstance(value, list):
        return [file for item in value for file in _expand(plan, sample, step, item, output=output)]
    if not value.startswith("@"):
        return [plan.path(sample, value)]
    symbol, slash, rest = value[1:].partition("/")
    if symbol in ("train", "val", "calibration"):
        return plan.made_split(sample, symbol) if output else plan.split(sample, symbol)
    if symbol == "exports" and output:
        return plan.exported(sample, step)
    if symbol not in SYMBOLS:
        raise PlanError(f"samples.{sample}: step {step}: unknown symbol @{symbol}. Known: {', '.join(SYMBOLS)}.")
    files = SYMBOLS[symbol](plan, sample)
    return [f"{file}{slash}{rest}" for file in files]


def _first(pattern: str, place: int = 0) -> Callable[[Plan, str], list[str]]:
    """Return what gives the file of a sample's first precision, or that of another place."""
    return lambda plan, sample: [plan.per_precision(sample, pattern)[place]]


def _each(pattern: str) -> Callable[[Plan, str], list[str]]:
    """Return what gives one file a precision of a sample."""
    return lambda plan, sample: plan.per_precision(sample, pattern)


SYMBOLS: dict[str, Callable[[Plan, str], list[str]]] = {
    "exports": Plan.exports,
    "published": Plan.published,
    "artefacts": Plan.artefacts,
    "batches": Plan.batches,
    "drawn": Plan.drawn,
    "own_model": Plan.own_model,
    "own_classes": lambda plan, sample: [plan.sample(sample)["own"]["data"]["classes"]],
    "picture": lambda plan, sample: [plan.path(sample, plan.sample(sample)["picture"])],
    "programs": lambda plan, sample: [plan.path(sample, name) for name in plan.sample(sample).get("programs", [])],
    "frozen": lambda plan, sample: [plan.of_owner(sample, "frozen")],
    "darknet": lambda plan, sample: [plan.of_owner(sample, "darknet")],
    "checkpoint": lambda plan, sample: [
        f"{plan.of_owner(sample, 'checkpoint')}.{end}" for end in ("index", "data-00000-of-00001")
    ],
    "choices": lambda plan, sample: [
        plan.path(sample, f"{'data' if plan.is_trained(sample) else 'artefacts'}/test.negative")
    ],
    "predictions": _each("predictions.{precision}.npz"),
    "plans": _each("engine.{precision}.plan"),
    "origins": _each("engine.{precision}.json"),
    "encoders": _each("encoder.{precision}.plan"),
    "translations": _each("translations.{precision}.txt"),
    "metrics": _each("metrics.{precision}.json"),
    "last_predictions": _first("predictions.{precision}.npz", -1),
    "first_plan": _first("engine.{precision}.plan"),
    "first_origin": _first("engine.{precision}.json"),
    "first_attention": _first("attention.{precision}.npz"),
}


def settings_of(plan: Plan, sample: str, says: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a sample's configuration that a step depends on, nested as in config/samples."""
    values = plan.sample(sample)
    settings: dict[str, Any] = {}
    for key in says.get("settings", []):
        value = leaf(values, key)
        if value is not None:
            put(settings, key, value)
    if says.get("alone"):
        settings["latency_seconds"] = plan.config["latency_seconds"]
    return {**settings, **says.get("set", {})}


def job_of(
    plan: Plan,
    sample: str,
    step: str,
    says: Mapping[str, Any],
    inputs: Mapping[str, Sequence[str]],
    outputs: Mapping[str, Sequence[str]],
    precision: str | None = None,
) -> dict[str, Any]:
    """Return a job as `trtflow.job.Job` takes it."""
    values = plan.sample(sample)
    return {
        "sample": sample,
        "step": step,
        "function": says["function"],
        **{key: values[key] for key in ALWAYS},
        "settings": settings_of(plan, sample, says),
        "inputs": {name: list(files) for name, files in inputs.items() if files},
        "outputs": {name: list(files) for name, files in outputs.items()},
        "precision": precision,
    }


def threads_of(plan: Plan, sample: str, says: Mapping[str, Any], cores: int) -> int:
    """Return how many threads a job takes: those of the training, all where nothing may disturb it, or a number."""
    if says.get("alone"):
        return cores
    threads = says.get("threads", 1)
    return int(plan.sample(sample)["training"]["threads"] if threads == "training" else threads)


def resource(plan: Plan, says: Mapping[str, Any], name: str) -> int:
    """Return the memory, MB, or the time, minutes, that a job may take."""
    full = says.get("full", {}) if plan.config["data"] == "full" else {}
    return int(full.get(name, says[name]))
