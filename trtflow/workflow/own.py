"""Samples of the user's own: their YAML files, completed to the form that the rules take all samples in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trtflow.workflow.configuration import check, merged, read_mapping, typed
from trtflow.workflow.errors import PlanError, unknown
from trtflow.workflow.kinds import Kinds
from trtflow.workflow.lists import is_list, is_table

MADE = {"split": "calibration", "batches": "made"}
KEPT = (
    "model",
    "data",
    "inputs",
    "outputs",
    "hook",
    "batch_size",
    "decoding",
    "drawn",
    "targets",
)  # what steps read, as it is
CALIBRATION = {"algorithm": "entropy2"}
AGREEMENT = ("agreement", "largest_difference", "mean_difference", "snr_db")  # metrics that every task has
INT8 = ("int8", "best")  # precisions whose engines take scales
# of outputs against the model as it was, in dB, where neither a gate is set nor the task has another measure
SNR = {"metric": "snr_db", "least": {"fp32": 60, "fp16": 30, "int8": 10}}
AUTO = "auto"
UNQUANTISED = "float.onnx"  # what a model that is quantised already is in float32, beside it
TRIED = ("entropy2", "minmax")  # calibrators that algorithm: auto chooses from; of equals the first
# agreements that need no labels
WATCHED = ("snr_db", "pixel_agreement", "overlap_agreement", "top1_agreement", "label_agreement")
MOST_LOSS = 0.01  # of the task's metric against fp32, the guide's «within 1 %»


def load_own(root: Path, config: Mapping[str, Any], kinds: Kinds, name: str, path: Path) -> dict[str, Any]:
    """Return a sample of the user's own, in the form that the rules take all others in.

    Raises:
        PlanError: its file is wrong, or lacks something; all that it lacks is told at once.
    """
    own = merged(read_mapping(path), typed(config["samples"].get(name, {})))
    check(own, root / "config/schema/own.schema.json", path)
    if own["name"] != name:
        raise PlanError(f"{path}: name: {own['name']!r} is not {name!r}")
    told = _told(kinds, own["task"], path)
    _normalise(own, path)
    _check_needs(own, told, path)
    _check_gates(own, told, path)
    calibrates = calibrated(own["precisions"]) and not own["model"].get("quantised")
    calibration = _calibration(own, told, path) if calibrates else {}
    sample: dict[str, Any] = {
        **{key: own[key] for key in ("name", "title", "precisions", "task", "max_batch_size")},
        "gates": _gates(own, told),
        **{key: own[key] for key in ("io", "measure", "latency_limit_ms") if key in own},
        **({"mixed_precision": _search(own, told)} if "mixed_precision" in own else {}),
        "chapter": 0,
        "upstream": "own",
        "family": "own",
        "source": "own",
        "data": ["mini", "full"],
        "data_set": "own",
        "splits": {"calibration": calibration.pop("count", 0)},
        "model": {"framework": "own", "weights": "own"},
        **({"calibration": calibration} if calibration else {}),
        "profile_batch_size": own.get("batch_size", 1),
        **({"batch_sizes": [own["batch_size"]]} if "batch_size" in own else {}),
        "own": {key: own[key] for key in KEPT if key in own},
    }
    if calibrates and "table" not in calibration:
        sample["own"]["calibration"] = {
            "automatic": "batches" not in own.get("calibration", {}),
            "held_apart": own["data"]["calibration"] == own["data"]["val"],
            "seed": own.get("calibration", {}).get("seed", 0),
        }
    check_search(sample, str(path))
    kinds.of(sample, str(path))
    return sample


def stays_uff(model: Mapping[str, Any]) -> bool:
    """Return whether a model is built from UFF: a graph of TensorFlow's becomes ONNX, unless it has plugins.

    Args:
        model: `file`, and perhaps `preprocessor` and `plugins`, as in a sample's YAML file.
    """
    end = Path(model["file"]).suffix
    return end == ".uff" or (end == ".pb" and bool("preprocessor" in model or model.get("plugins")))


def _told(kinds: Kinds, task: str, path: Path) -> dict[str, Any]:
    """Return what a task says of samples of the user's own.

    Raises:
        PlanError: there is no such task, or such samples cannot have it.
    """
    if task not in kinds.own_tasks:
        raise PlanError(f"{path}: task: {unknown('task of a model of your own', task, kinds.own_tasks)}")
    return dict(kinds.get("task", task, str(path))["own"])


def _normalise(own: dict[str, Any], path: Path) -> None:
    """Bring shorthands of a model with one input and one output to the long form, in place.

    Raises:
        PlanError: both forms are there.
    """
    model = own["model"]
    if "output" in model:
        if "outputs" in own:
            raise PlanError(f"{path}: model.output and outputs say the same. Leave one out.")
        own["outputs"] = {model.pop("output"): {}}
    if "batch_size" in own:
        own["max_batch_size"] = own["batch_size"]
    own.setdefault("max_batch_size", 1)
    if isinstance(own.get("outputs"), list):
        own["outputs"] = {name: {} for name in own["outputs"]}
    own["outputs"] = {name: told or {} for name, told in own.get("outputs", {}).items()}
    own["inputs"] = {name: told or {} for name, told in own.get("inputs", {}).items()}
    for key in ("outputs", "inputs"):
        if not own[key]:
            del own[key]


def _check_needs(own: dict[str, Any], told: Mapping[str, Any], path: Path) -> None:
    """Refuse a sample that lacks data, and let it calibrate on those that are scored where it has no others.

    Raises:
        PlanError: it lacks some; all is told at once.
    """
    missing = [f"data.{key}" for key in told["needs"] if not own["data"].get(key)]
    missing += [key for key in told.get("says", []) if key not in own]
    listed = any(is_list(own["data"].get(key, "")) for key in ("val", "calibration"))
    if listed and not own["data"].get("folder"):
        missing.append("data.folder, that names in a list of pictures start from")
    named = listed or any(is_table(own["data"].get(key, "")) for key in ("val", "calibration"))
    if "folder" in own["data"] and not named:
        fault = "neither data.val nor data.calibration is a list or a table"
        raise PlanError(f"{path}: data.folder: {own['data']['folder']!r}: {fault}. Leave it out.")
    if missing:
        raise PlanError(f"{path}: {', '.join(missing)}: missing, which task {own['task']!r} needs. Add it.")
    quantised = own["model"].get("quantised", False)
    there = {"calibration": own, "mixed_precision": own, "data.calibration": own["data"]}
    idle = [key for key, section in there.items() if key.split(".")[-1] in section]
    if quantised and idle:
        raise PlanError(
            f"{path}: {', '.join(idle)}: a model that is quantised already is not calibrated. Leave it out."
        )
    if calibrated(own["precisions"]) and not quantised and "table" not in own.get("calibration", {}):
        own["data"].setdefault("calibration", own["data"]["val"])


def calibrated(precisions: Iterable[str]) -> bool:
    """Whether engines of any of these precisions take scales."""
    return any(precision in INT8 for precision in precisions)


def _calibration(own: dict[str, Any], told: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the calibration of INT8 with its defaults: entropy2, and as many items as there are, in one file.

    Raises:
        PlanError: it has a table, and says how to calibrate too.
    """
    found = {**CALIBRATION, "batch_size": own["max_batch_size"], **own.get("calibration", {})}
    if "table" in found:
        idle = [key for key in ("batch_size", "batches", "seed") if key in own["calibration"]]
        idle += ["algorithm"] if found["algorithm"] == AUTO else []
        if idle:
            raise PlanError(f"{path}: calibration: with a table nothing is calibrated. Leave {', '.join(idle)} out.")
        return {**found, **MADE}
    if found["algorithm"] == AUTO:
        found["chosen_by"] = _int8_agreement(own, told)["metric"]
    batches = found.pop("batches", None)
    found.pop("seed", None)
    return {**found, **MADE, "count": found["batch_size"] * (batches or 1), **({} if batches else {"files": 1})}


def _check_gates(own: Mapping[str, Any], told: Mapping[str, Any], path: Path) -> None:
    """Refuse gates on metrics that the task has not, or on precisions that are not built.

    Raises:
        PlanError: there are some.
    """
    known = [*told["metrics"], *AGREEMENT]
    for gate in own.get("gates", []):
        metric = gate["metric"].partition(":")[0]
        if metric not in known and "hook" not in own:
            raise PlanError(f"{path}: gates: {gate['name']}: {unknown('metric', metric, known)}")


def _gates(own: Mapping[str, Any], told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the gates of a sample: its own, and for each precision without one the usual ones."""
    gates = [dict(gate) for gate in own.get("gates", [])]
    guarded = {gate["precision"] for gate in gates}
    for precision in own["precisions"]:
        if precision not in guarded:
            gates += usual_gates(precision, told, quantised=own["model"].get("quantised", False))
    return gates


def _search(own: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return which agreement INT8 must keep, by keeping layers in float32: with `auto` the one that a gate is on."""
    if own["mixed_precision"] != AUTO:
        return dict(own["mixed_precision"])
    agrees = _int8_agreement(own, told)
    return {"metric": agrees["metric"], "least": agrees["limit"]}


def _int8_agreement(own: Mapping[str, Any], told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the gate on the agreement of INT8 with the model as it was: the sample's own, or the usual one."""
    gates = [gate for gate in [*own.get("gates", []), *usual_gates(INT8[0], told)] if gate["precision"] in INT8]
    return next(gate for gate in gates if gate["op"] == ">=" and "against" not in gate and gate["metric"] in WATCHED)


def check_search(sample: Mapping[str, Any], source: str) -> None:
    """Refuse a search of layers to keep where there is no INT8, or nothing to run trials on.

    Raises:
        PlanError: there is not.
    """
    if "mixed_precision" in sample and ("calibration" not in sample or "table" in sample["calibration"]):
        raise PlanError(
            f"{source}: mixed_precision: layers are searched on what calibrates, and there is no such. Add int8 to "
            "precisions, or leave calibration.table out."
        )


def usual_gates(precision: str, told: Mapping[str, Any], *, quantised: bool = False) -> list[dict[str, Any]]:
    """Return the gates of a precision where none are set: on what it loses against fp32, and on its agreement.

    Args:
        precision: of an engine.
        told: what the task says of samples of the user's own: `loses`, the metric whose loss is a gate, and `agrees`,
            how its answers are held against the model's as it was; each optional.
        quantised: whether the model as it was is INT8 itself, which no precision is nearer to than INT8 is.
    """
    agrees, loses = told.get("agrees", SNR), told.get("loses")
    least = agrees["least"].get("int8" if quantised else precision, agrees["least"]["int8"])
    gates: list[dict[str, Any]] = []
    if loses and precision != "fp32":
        gates.append(
            {
                "name": f"{precision}_{loses}_drop",
                "metric": loses,
                "precision": precision,
                "below": "fp32",  # to gain by chance is no fault
                "op": "<=",
                "limit": MOST_LOSS,
            }
        )
    agreement = {"name": f"{precision}_agreement", "metric": agrees["metric"], "precision": precision}
    return [*gates, {**agreement, "op": ">=", "limit": least}]
