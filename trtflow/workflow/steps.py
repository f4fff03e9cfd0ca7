"""Steps of samples as rules: those that write files of the same names are one rule, with a job for each sample."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trtflow.workflow.configuration import holds, leaf, put
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import Plan
from trtflow.workflow.wildcards import one_of

MANY = 30  # outputs; of so many each would be held against every file of the workflow if its sample were a wildcard
ALWAYS = ("data_set", "task", "family")
PARTS = ("{program}", "{precision}")  # wildcards of steps that a sample has more than one job of


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
    def log(self) -> str:
        """File name that logs and benchmarks of its jobs have, without the ending."""
        text = json.dumps(self.outputs)
        start = "{sample}" if "{sample}" in text else self.samples[0]
        return f"{start}/{self.step}" + "".join(f".{part}" for part in PARTS if part in text)

    def sample_of(self, wildcards: Any) -> str:
        """Return the sample of a job."""
        return str(wildcards.get("sample") or self.samples[0])


def step_rules(plan: Plan, stage: str) -> list[StepRule]:
    """Return the rules of a stage, such as train: one for all samples whose files have the same names."""
    found: dict[str, StepRule] = {}
    for sample in plan.samples:
        if plan.config["data"] not in plan.samples[sample]["data"]:
            continue
        for step, says in plan.steps(sample).items():
            if says["stage"] != stage:
                continue
            written = outputs_of(plan, sample, step, says)
            outputs = {name: _pattern(sample, files) for name, files in written.items()}
            if max(map(len, written.values())) > MANY:
                outputs = {name: _one_or_all(files) for name, files in written.items()}
            key = json.dumps([step, says["of"], outputs], sort_keys=True)
            name = f"{step}_{says['of']}" if says["of"] else step
            found.setdefault(key, StepRule(name, step, says, outputs)).samples.append(sample)
    return _named_apart(plan, list(found.values()))


def _named_apart(plan: Plan, rules: list[StepRule]) -> list[StepRule]:
    """Give rules of the same name that of their first sample too; those of samples of the user's own are numbered.

    Jobs are told by rule and sample: with another sample's name in it, "import_model_mine of yours" would mislead.
    """
    names, numbers = [rule.name for rule in rules], Counter[str]()
    for rule, name in zip(rules, names, strict=True):
        if names.count(name) == 1:
            continue
        if rule.samples[0] in plan.own:
            numbers[name] += 1
            rule.name = f"{rule.step}_own" + (f"_{numbers[name]}" if numbers[name] > 1 else "")
        else:
            rule.name = f"{rule.step}_{rule.samples[0]}"
    return rules


def _pattern(sample: str, files: list[str]) -> str | list[str]:
    """Return files of a sample with the sample as a wildcard."""
    start = f"results/{sample}/"
    return _one_or_all(
        [f"results/{{sample}}/{file.removeprefix(start)}" if file.startswith(start) else file for file in files]
    )


def _one_or_all(files: list[str]) -> str | list[str]:
    return files if len(files) > 1 else files[0]


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
    "own_model": lambda plan, sample: [plan.path(sample, "own/model.sha256")],
    "picture": Plan.picture,
    "programs": lambda plan, sample: [plan.path(sample, name) for name in plan.sample(sample).get("programs", [])],
    "frozen": Plan.frozen,
    "darknet": Plan.darknet,
    "checkpoint": Plan.checkpoint,
    "choices": lambda plan, sample: [
        plan.path(sample, f"{'data' if plan.is_trained(sample) else 'artefacts'}/test.negative")
    ],
    "table": lambda plan, sample: plan.table(sample, "int8"),
    "kept_layers": lambda plan, sample: plan.kept_layers(sample, "int8"),
    "networks": _each("network.{precision}.onnx"),
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
        value = plan.config[key] if key == "latency_seconds" else leaf(values, key)
        if value is not None:
            put(settings, key, value)
    if says.get("alone") and says["stage"] != "profile":
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


def job_text(plan: Plan, rule: StepRule, wildcards: Mapping[str, str], inputs: Any, outputs: Any) -> str:
    """Return the job of a rule as JSON, with the files as Snakemake has them: a module has a prefix.

    Args:
        plan: of the run.
        rule: of the job.
        wildcards, inputs, outputs: Snakemake's of the job.
    """
    sample = rule.sample_of(wildcards)
    says = plan.steps(sample)[rule.step]
    read, written = ({name: _listed(files) for name, files in both.items()} for both in (inputs, outputs))
    job = job_of(plan, sample, rule.step, says, read, written, wildcards.get("precision"))
    if wildcards.get("program"):
        job["sample"] += f".{wildcards['program']}"
    return json.dumps(job, sort_keys=True)


def _listed(files: Any) -> list[str]:
    return [files] if isinstance(files, str) else list(files)


def settings_text(plan: Plan, rule: StepRule, sample: str) -> str:
    """Return the settings that a job of a rule depends on, as JSON."""
    return json.dumps(settings_of(plan, sample, plan.steps(sample)[rule.step]), sort_keys=True)


def input_names(plan: Plan, rule: StepRule) -> list[str]:
    """Return the names of the inputs of a rule: those of any of its samples."""
    return list(
        dict.fromkeys(name for sample in rule.samples for name in plan.steps(sample)[rule.step].get("input", {}))
    )


def same_input(plan: Plan, rule: StepRule, name: str) -> list[str]:
    """Return the files of an input with the sample as a wildcard, or nothing where they differ between samples."""
    if "{sample}" not in json.dumps(rule.outputs):
        return []
    found = []
    for sample in rule.samples:
        files = inputs_of(plan, sample, rule.step, plan.steps(sample)[rule.step]).get(name, [])
        found.append(_listed(_pattern(sample, files)) if files else [])
    return found[0] if all(files == found[0] for files in found) else []


def input_files(plan: Plan, rule: StepRule, name: str, wildcards: Mapping[str, str]) -> list[str]:
    """Return the files of an input of a job."""
    sample = rule.sample_of(wildcards)
    files = inputs_of(plan, sample, rule.step, plan.steps(sample)[rule.step]).get(name, [])
    for part in PARTS:
        files = [file.replace(part, wildcards.get(part[1:-1]) or "") for file in files]
    return files


def outputs(rule: StepRule) -> dict[str, list[tuple[str, bool]]]:
    """Return the outputs of a rule by name, each with whether it is a folder, which one with a manifest is."""
    constrained = f"{{sample,{one_of(rule.samples)}}}"
    found = {}
    for name, files in rule.outputs.items():
        listed = _listed(files)
        found[name] = [(file.replace("{sample}", constrained), f"{file}.sha256" in listed) for file in listed]
    return found
