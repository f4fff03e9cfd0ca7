"""Command-line options that scripts of the workflow get from the configuration."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from trtflow.workflow.errors import PlanError
from trtflow.workflow.own import INT8
from trtflow.workflow.plan import Plan


def words(settings: dict[str, Any]) -> list[str]:
    """Return settings as command-line options: {batch_size: 8} is --batch-size 8, and true a flag."""
    found = []
    for key, value in settings.items():
        if value is True:
            found.append(f"--{key.replace('_', '-')}")
        elif value not in (None, False, ""):
            found += [f"--{key.replace('_', '-')}", str(value)]
    return found


def builder(plan: Plan) -> list[str]:
    """Return the options of config/config.yaml's builder settings."""
    return words(dict(plan.config["builder"]))


def reference(plan: Plan) -> list[str]:
    """Return the options of config/config.yaml's reference settings."""
    return words(dict(plan.config["reference"]))


def lowering(plan: Plan) -> list[str]:
    """Return the options of config/config.yaml's reference settings that say what a lowered network is."""
    return words({"beyond_tensorrt": plan.config["reference"]["beyond_tensorrt"]})


def algorithm(plan: Plan, name: str) -> str | None:
    """Return the algorithm of a sample's table, where it has one."""
    return None if plan.is_ranged(name) else plan.setting(name, "calibration.algorithm")


def network(plan: Plan, name: str, precision: str) -> list[str]:
    """Return the options of the network of a sample in one precision."""
    return words(
        {
            "sample": name,
            "precision": precision,
            "algorithm": algorithm(plan, name),
            "max_batch_size": plan.sample(name)["max_batch_size"],
            "recurrent": plan.setting(name, "recurrent"),
            "io_format": plan.setting(name, "io.format"),
            "io_type": plan.setting(name, "io.type"),
            "fallback": precision in INT8 and plan.setting(name, "calibration.fallback"),
        }
    )


def engine(plan: Plan, name: str, precision: str = "fp32", program: str = "", network_name: str = "") -> list[str]:
    """Return the options of an engine of a sample: its own, of another form of its model, or of another network."""
    chosen = words({"sample": f"{name}.{program}", "precision": precision}) if program else []
    if program:
        chosen += words({"max_batch_size": plan.sample(name)["max_batch_size"]})
    else:
        chosen = [
            *network(plan, name, precision),
            *words({"dla_core": None if network_name else _dla_core(plan, name)}),
        ]
    return [*chosen, *words({"network": network_name}), *builder(plan)]


def _dla_core(plan: Plan, name: str) -> str | None:
    core = plan.setting(name, "dla_core")
    return None if core is None else str(core)  # 0 is one too


def calibration(plan: Plan, name: str, by: str | None = None) -> list[str]:
    """Return the options of a sample's calibration: by its algorithm, or by another."""
    chosen = {"batches": len(plan.batches(name)), "algorithm": by or algorithm(plan, name)}
    if plan.setting(name, "calibration.files"):
        chosen["batch_size"] = plan.setting(name, "calibration.batch_size")
    return [*words(chosen), *builder(plan)]


def mixed_precision(plan: Plan, name: str) -> list[str]:
    """Return the options of the search of layers that a sample keeps in float32."""
    return words({"batches": len(plan.batches(name)), **plan.sample(name)["mixed_precision"]})


def given_table(plan: Plan, name: str) -> list[str]:
    """Return the options of a table that is taken in place of a calibration."""
    return words({"algorithm": algorithm(plan, name), "foreign": plan.setting(name, "calibration.foreign")})


def batches(plan: Plan, name: str) -> list[str]:
    """Return the options of a sample's batch files."""
    files = plan.setting(name, "calibration.files")
    size = {"files": files} if files else {"batch_size": plan.setting(name, "calibration.batch_size")}
    return words({"sample": name, **size})


def init(plan: Plan) -> list[str]:
    """Return the options of `trtflow init`, which `init` of the configuration has.

    Raises:
        PlanError: it names no model.
    """
    told = dict(plan.config["init"])
    if not told:
        raise PlanError("init: name a model: --config 'init={model: model.onnx, data: pictures}'")
    return [told.pop("model"), *words({**told, "folder": plan.config["own_samples"]})]


def preprocessor(plan: Plan, name: str) -> list[str]:
    """Return the option with what changes a sample's graph before it becomes UFF, where there is one."""
    file = plan.preprocessor(name)
    return ["-p", str(plan.root / file)] if file else []


def listed(plan: Plan) -> list[str]:
    """Return as JSON what `list` tells of each sample, with the configuration laid over it."""
    keys = ("name", "chapter", "title", "model", "needs", "plugins", "serving")
    samples = []
    for name, sample in plan.samples.items():
        told = {key: sample[key] for key in keys if key in sample}
        files = dict.fromkeys(item["file"] for item in sample.get("artefacts", []))
        told["artefacts"] = [{"file": file} for file in files]
        if name in plan.own:
            told |= {"model": sample["own"]["model"]}
            del told["chapter"]
        samples.append(json.dumps(told))
    return samples


def engine_python(plan: Plan, base: str) -> str:
    """Return the Python that has TensorRT, from the workflow's own folder where the configuration means one there."""
    own = os.path.join(base, plan.config["engine_python"])
    return own if os.path.exists(own) else str(plan.config["engine_python"])


def may_have_gpu(plan: Plan, base: str) -> bool:
    """Whether the backend can be TensorRT, whose steps take a GPU."""
    backend = plan.config["backend"]
    return backend == "tensorrt" or (backend == "auto" and shutil.which(engine_python(plan, base)) is not None)
