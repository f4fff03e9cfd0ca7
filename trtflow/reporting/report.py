"""The report of a sample: its metrics, its gates and where they came from (docs: config/schema/report.schema.json)."""

from __future__ import annotations

import hashlib
import json
import math
import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import read_lines
from trtflow.formats.files import read_json, sha256_of
from trtflow.runtime.backend import BEYOND

SCHEMA = Path(__file__).resolve().parents[2] / "config" / "schema" / "report.schema.json"
PACKAGES = (
    "numpy",
    "onnx",
    "onnxruntime",
    "pycocotools",
    "scikit-learn",
    "snakemake",
    "tensorflow-cpu",
    "tensorrt",
    "torch",
)
COMPARISONS = ("agreement", "top5", "programs")  # files of metrics that more than one set of predictions gives
OWN, INT8 = "own", ("int8", "best")  # whose samples a user can set; precisions whose engines take scales
OPERATORS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


@dataclass(frozen=True)
class Gate:
    """A condition on a result. One on a value that is no number fails, whatever the condition."""

    name: str
    value: float
    op: str
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the value meets the limit."""
        return math.isfinite(self.value) and bool(OPERATORS[self.op](self.value, self.limit))

    def to_json(self) -> dict[str, Any]:
        """Return the gate as the report has it; JSON knows no NaN, which becomes null."""
        value = self.value if math.isfinite(self.value) else None
        return {"name": self.name, "value": value, "op": self.op, "limit": self.limit, "passed": self.passed}


def evaluate_gates(specs: Sequence[Mapping[str, Any]], precisions: Mapping[str, Any]) -> list[Gate]:
    """Return the gates of a sample's configuration with their values.

    Args:
        specs: each with name, metric, precision, op and limit; with `against`, another precision, the value is the
            absolute difference between the two, and with `below` how far it is below that one's, 0 where it is not.
        precisions: the report's part of that name. Gates on precisions that were not built are left out. Where one has
            values that are no numbers, a gate of its own fails.
    """
    gates = []
    for spec in specs:
        other = spec.get("against", spec.get("below"))
        wanted = [spec["precision"], *([other] if other else [])]
        if not all(precision in precisions for precision in wanted):
            continue
        values = [_metric(spec, precisions[precision]["metrics"], precision) for precision in wanted]
        gates.append(Gate(spec["name"], _gated(spec, *values), spec["op"], spec["limit"]))
    for precision, entry in precisions.items():
        if spoilt := entry.get("not_finite"):
            gates.append(Gate(f"{precision}_not_finite", sum(spoilt.values()), "==", 0))
    if not gates:
        raise UserError(f"no gate applies to the precisions {', '.join(precisions)}: build fp32 too, or add a gate")
    return gates


def _gated(spec: Mapping[str, Any], value: float, other: float = 0.0) -> float:
    """Return what a gate is on; NaN where one of both is."""
    if "against" in spec:
        return abs(value - other)
    if "below" in spec:
        return other - value if not other <= value else 0.0
    return value


def ways_out(sample: str, config: Mapping[str, Any], gates: Sequence[Gate]) -> list[str]:
    """Return what the user can set where gates of INT8 fail, of a sample of the user's own that is calibrated here.

    Args:
        sample: its name.
        config: its effective configuration.
        gates: as `evaluate_gates` returns them.
    """
    quantised = {spec["name"] for spec in config["gates"] if spec["precision"] in INT8}
    calibration = config.get("calibration", {})
    failed = [gate.name for gate in gates if not gate.passed and gate.name in quantised]
    if not failed or config["upstream"] != OWN or not calibration or "table" in calibration:
        return []
    found = [f"results/{sample}/figures/losses.txt has the tensors that INT8 loses"]
    if calibration["algorithm"] != "auto":
        found.append("with calibration: {algorithm: auto} the better of entropy2 and minmax calibrates")
    if "mixed_precision" not in config:
        found.append("with mixed_precision: auto the fewest layers stay in float32 that INT8 cannot have")
    return [f"{', '.join(failed)}: {'; '.join(found)}"]


def unquantised(precisions: Mapping[str, Any]) -> list[str]:
    """Return which of INT8's engines of a user's own model give what float32 gives, to the last digit."""
    plain = precisions.get("fp32", {}).get("metrics", {})
    alike = [name for name in INT8 if "snr_db" in plain and precisions.get(name, {}).get("metrics") == plain]
    words = "answers as fp32 to the last digit: nothing of it runs in INT8, for no layer gains by it or none can"
    return [f"{name}: {words}" for name in alike]


def _metric(spec: Mapping[str, Any], metrics: Mapping[str, float | None], precision: str) -> float:
    if spec["metric"] not in metrics:
        known = ", ".join(metrics)
        raise UserError(f"gate {spec['name']}: {precision} has no metric {spec['metric']!r}; it has {known}")
    value = metrics[spec["metric"]]
    return math.nan if value is None else value


def read_precision(folder: Path, precision: str) -> dict[str, Any]:
    """Collect what a sample's results say of one precision: metrics, latency, size and build time of the engine."""
    scores = read_json(folder / f"metrics.{precision}.json")
    latency = read_json(folder / "latency.json")
    if precision not in latency:
        raise FormatError(folder / "latency.json", f"no times of {precision}", "Measure it again.")
    before = folder / f"before_refit.{precision}.json"
    compared = [path for name in COMPARISONS if (path := folder / f"{name}.json").exists()]
    found = {name: value for path in compared for name, value in read_json(path).get(precision, {}).items()}
    refitted = read_json(before) if before.exists() else {}
    origin = read_json(folder / f"engine.{precision}.json")
    result = {
        "metrics": {**scores["metrics"], **found, **refitted},
        **latency[precision],
        "engine_bytes": (folder / f"engine.{precision}.plan").stat().st_size,
        "build_s": origin["build_s"],
    }
    if BEYOND in origin:
        result[BEYOND] = origin[BEYOND]
    return {**result, **{key: scores[key] for key in ("details", "serving", "not_finite") if key in scores}}


def make_report(
    *,
    sample: str,
    config: Mapping[str, Any],
    data: str,
    backend: Mapping[str, Any],
    precisions: Mapping[str, Any],
    inputs: Mapping[str, Path],
    figures: Sequence[Path],
    texts: Mapping[str, Path] = MappingProxyType({}),
    targets: Path | None = None,
    repository: Path = Path(),
) -> dict[str, Any]:
    """Return a valid report. It is as good as its gates: one that fails makes `passed` false, and hides nothing.

    Args:
        sample: name of the sample.
        config: the sample's effective configuration: chapter, upstream, title, gates and more.
        data: "mini" or "full".
        backend: content of `results/backend.json`, as `trtflow.runtime.backend.read_backend` returns it.
        precisions: for each precision what `read_precision` returns.
        inputs: files that the result depends on, by name.
        figures: pictures and tables.
        texts: text files to put in, by name.
        targets: what other runtimes made of the lowered network; None where there are none.
        repository: folder of the workflow, whose commit is recorded.
    """
    gates = evaluate_gates(config["gates"], precisions)
    report = {
        "schema": 1,
        "sample": sample,
        **{key: config[key] for key in ("chapter", "upstream", "title")},
        "data": data,
        "backend": dict(backend),
        "precisions": dict(precisions),
        "gates": [gate.to_json() for gate in gates],
        "passed": all(gate.passed for gate in gates),
        **({"ways_out": ways} if (ways := [*ways_out(sample, config, gates), *unquantised(precisions)]) else {}),
        "inputs": {name: {"path": _relative(path), "sha256": sha256_of(path)} for name, path in sorted(inputs.items())},
        "figures": [_relative(path) for path in figures],
        **({"targets": read_json(targets)} if targets is not None else {}),
        "texts": {name: read_lines(path) for name, path in texts.items()},
        "provenance": {
            "commit": git_commit(repository),
            "config_sha256": hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest(),
            "versions": _versions(),
        },
    }
    validate(report, f"report of {sample}")
    return report


def validate(report: Any, name: str) -> None:
    """Check a report against its schema.

    Raises:
        FormatError: naming `name` and the first key that is wrong.
    """
    import jsonschema  # noqa: PLC0415 - `migrate` takes a gate of this module, and needs no schema

    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(read_json(SCHEMA)).iter_errors(report))
    if error is not None:
        place = "/".join(map(str, error.absolute_path)) or "the top"
        raise FormatError(name, f"not a valid report, at {place}: {error.message}", "Make it again with snakemake.")


def read_report(path: Path) -> dict[str, Any]:
    """Return a report that has been validated."""
    report = read_json(path)
    validate(report, str(path))
    return report


def git_commit(root: Path) -> str | None:
    """Return the commit that is checked out at `root`, read without git; None where there is none."""
    try:
        folder = root / ".git"
        if folder.is_file():  # a linked work tree
            folder = root / folder.read_text().removeprefix("gitdir: ").strip()
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        branch = head.removeprefix("ref: ")
        shared = folder / (folder / "commondir").read_text().strip() if (folder / "commondir").exists() else folder
        if (shared / branch).exists():
            return (shared / branch).read_text().strip()
        packed = (line.split() for line in (shared / "packed-refs").read_text().splitlines())
        return next((words[0] for words in packed if words[1:] == [branch]), None)
    except OSError:
        return None


def _versions() -> dict[str, str]:
    """Return the versions of those packages that the numbers depend on and that are installed."""
    from importlib import metadata  # noqa: PLC0415 - a third of what a script takes to start that only reads reports

    installed = {name: next(iter(metadata.distributions(name=name)), None) for name in PACKAGES}
    return {name: package.version for name, package in installed.items() if package is not None}


def _relative(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()
