"""Taking over a model of the user's own: its files in the form of TensorRT's parsers, and what is to be known.

Everything that is wrong with model, labels and data is told here, before anything is built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import numpy as np
import onnx

from trtflow.converters.onnx_model import dtype_of, graph_inputs, shape_of
from trtflow.converters.quantised import FLOAT_WAY
from trtflow.datasets.labelled.lists import is_list
from trtflow.datasets.own import PICTURE, Items
from trtflow.families.own.description import NAME
from trtflow.families.own.forms import take_model, way_out
from trtflow.families.own.places import (
    PLACES,
    STRETCH,
    check_answers,
    check_masks,
    check_objects,
    decoding_told,
    has_lists,
)
from trtflow.formats import FormatError, UserError
from trtflow.formats.checksums import write_checksums
from trtflow.formats.damage import read_lines
from trtflow.formats.files import copy_file, write_json
from trtflow.job import Job
from trtflow.migration.agreement import draw_inputs, run_onnx
from trtflow.migration.lowering import lower_model, objections
from trtflow.runtime.model_file import ModelFile
from trtflow.runtime.own_plugins import plugin_files
from trtflow.samples.own import HOOK, OwnSample, read_own
from trtflow.samples.own.hook import read_hook

ALL = ("regression", "none")  # tasks that score outputs as they are
COMPARED_BYTES = 64 << 20  # of outputs that other tasks keep as they are, to compare precisions by
TRIED = 2  # items of the data that are prepared before anything is built
Shapes = dict[str, tuple[int, ...]]


def adopt_model(job: Job) -> None:
    """Write a model and its description, after holding both against the data.

    Raises:
        UserError: they disagree, or a file is damaged.
    """
    folder, own = job.output("exports").parent, job.settings["own"]
    plugins = [folder / f"plugin{number}.py" for number, _ in enumerate(own["model"].get("plugins", []))]
    for plugin, target in zip(own["model"].get("plugins", []), plugins, strict=True):
        copy_file(Path(plugin), target)
    with plugin_files(plugins):
        _adopt(job, folder, own, [path.name for path in plugins])


def _adopt(job: Job, folder: Path, own: Mapping[str, Any], plugins: list[str]) -> None:
    check_targets_are_there(own)
    model = take_model(own, folder)
    check_quantised(model, own["model"])
    inputs = described_inputs(model, own, job.task)
    network = lowered(model, Path(own["model"]["file"]))
    batch = fixed_batch(network, job.settings)
    tried = batch or min(2, job.settings["max_batch_size"])
    answers = run_onnx(network, draw_inputs(network, {}, tried, seed=0))
    told = decoding_told(own, job.task)
    if not has_lists(told, len(answers)):
        check_batch(answers, own, tried)
    outputs = {name: values.shape[1:] for name, values in answers.items()}
    description = {
        "model": model.to_json(),
        "task": job.task,
        "inputs": inputs,
        "outputs": described_outputs(model, own, outputs),
        "classes": read_classes(own["data"]["classes"]) if "classes" in own["data"] else [],
        "calibration": described_calibration(job.settings),
        "batch": batch,
        "compared": compared(outputs, job.task, own),
        "hook": own.get("hook"),
        "plugins": plugins,
        "folder": own["data"].get("folder"),
        "settings": told,
    }
    if "hook" in own:
        read_hook(Path(own["hook"]))
        copy_file(Path(own["hook"]), folder / HOOK)
    write_json(folder / NAME, description)
    try:
        check_sample(read_own(folder / NAME), own, outputs)
        check_answers(read_own(folder / NAME), own, answers, tried)
    except UserError:
        (folder / NAME).unlink()
        raise
    files = [path.name for path in (model.path, model.deploy, model.unquantised) if path is not None]
    write_checksums(folder, [NAME, *files, *plugins, *([HOOK] if "hook" in own else [])])


def check_quantised(model: ModelFile, told: Mapping[str, Any]) -> None:
    """Hold a model against whether the YAML file calls it quantised, which decides whether anything calibrates.

    Raises:
        UserError: they disagree.
    """
    if model.unquantised is not None and not told.get("quantised"):
        raise UserError(f"{told['file']}: it is quantised already. Set model.quantised: true.")
    if model.unquantised is None and told.get("quantised"):
        raise UserError(f"{told['file']}: it has no pairs that quantise. Leave model.quantised out.")


def check_targets_are_there(own: Mapping[str, Any]) -> None:
    """Refuse runtimes that are not installed, before anything is built for them.

    Raises:
        UserError: one is not.
    """
    for target in own.get("targets", []):
        if find_spec(target) is None:
            remedy = f"pip install 'trtflow[{target}]', or leave it out of targets"
            raise UserError(f"targets: {target} is not installed here. Install it: {remedy}.")


def lowered(model: ModelFile, path: Path) -> onnx.ModelProto:
    """Return a model as the reference runtime lowers it, which takes and refuses what TensorRT 8.6 does.

    Raises:
        UserError: TensorRT has no such operator, or not in this form.
    """
    if model.unquantised is not None:
        faults = objections(onnx.load(model.path))
        if faults:
            fault = faults[0].rstrip(".")
            raise UserError(f"{path}: it is quantised already, but not as TensorRT takes it: {fault}; {FLOAT_WAY}.")
        model = model.in_precision("fp32")
    try:
        return lower_model(model).model
    except UserError as error:
        told = str(error).split("; node ", 1)[0]  # what comes behind follows from the first
        told = told.replace(str(model.path), str(path)).rstrip(".")
        raise UserError(f"{told if str(path) in told else f'{path}: {told}'}. {way_out(path)}.") from error


def read_classes(told: str | Path | list[str]) -> list[str]:
    """Return the names of classes: a list, or a file with one a line."""
    listed = isinstance(told, list)
    names = [str(name) for name in told] if isinstance(told, list) else [line.strip() for line in read_lines(told)]
    names = [name for name in names if name]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if len(names) < 2 or twice:
        fault = f"class {twice[0]!r} stands in it twice" if twice else f"{len(names)} classes"
        where = "data.classes" if listed else str(told)
        raise FormatError(where, fault, "Write the name of a class a line, in the order of the model's output.")
    return names


def described_inputs(model: ModelFile, own: Mapping[str, Any], task: str) -> dict[str, dict[str, Any]]:
    """Return what `sample.json` says of inputs.

    Raises:
        UserError: the YAML file names another, or the model leaves a size open.
    """
    said, file = own.get("inputs", {}), own["model"]["file"]
    unknown = [name for name in said if name not in model.inputs]
    if unknown:
        raise UserError(f"{file}: no input {unknown[0]!r}. It has {', '.join(model.inputs)}.")
    dtypes = dict.fromkeys(model.inputs, "float32")
    if model.form == "onnx":
        dtypes |= {
            value.name: dtype_of(value) for value in graph_inputs(onnx.load(model.path, load_external_data=False))
        }
    found = {}
    for name, shape in model.inputs.items():
        told = said.get(name, {})
        if min(shape, default=1) < 1:
            raise UserError(
                f"{file}: input {name!r} leaves sizes behind the batch open, {list(shape)}. Give them as "
                f"inputs.{name}.shape, or export the model with fixed ones."
            )
        source = told.get("from", [])
        pictures = told.get("pictures", own["data"].get("pictures") if len(model.inputs) == 1 else None)
        if task in PLACES:
            pictures = {"resize": STRETCH, **(pictures or {})}
        found[name] = {
            "shape": list(shape),
            "dtype": dtypes[name],
            "source": [source] if isinstance(source, str) else source,
            **({"pictures": pictures} if pictures else {}),
            **({"turned": True} if model.turned else {}),
        }
    return found


def described_outputs(model: ModelFile, own: Mapping[str, Any], shapes: Shapes) -> dict[str, dict[str, Any]]:
    """Return what `sample.json` says of outputs, in the order of the YAML file, which puts the one to score first."""
    said = own.get("outputs", {})
    found = {}
    for name in [*said, *(name for name in model.outputs if name not in said)]:
        told = said.get(name) or {}
        target = told.get("target", [])
        logits = told.get("logits", own["model"].get("logits", False))
        found[name] = {
            "shape": list(shapes[name]),
            "logits": logits,
            "target": [target] if isinstance(target, str) else target,
            **({"threshold": told["threshold"]} if "threshold" in told else {}),
        }
    return found


def described_calibration(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `sample.json` says of the calibration."""
    told = settings["own"].get("calibration", {})
    batch = settings.get("calibration", {}).get("batch_size", 1)
    count = None if told.get("automatic") else settings.get("splits", {}).get("calibration", 0)
    return {"count": count, "batch": batch, "held_apart": told.get("held_apart", False), "seed": told.get("seed", 0)}


def fixed_batch(network: onnx.ModelProto, settings: Mapping[str, Any]) -> int | None:
    """Return the batch that a model fixes; None where it is open.

    Raises:
        UserError: engines or the calibration are to have another.
    """
    own, batch = settings["own"], settings["max_batch_size"]
    fixed = {shape[0] for value in network.graph.input if (shape := shape_of(value)) and shape[0] > 0}
    batches = {batch, settings.get("calibration", {"batch_size": batch})["batch_size"]}
    if not fixed:
        if own.get("batch_size"):
            raise UserError(f"{own['model']['file']}: its batch is open. Set max_batch_size in place of batch_size.")
        return None
    if len(fixed) > 1 or batches != fixed:
        told = " and ".join(map(str, sorted(fixed)))
        raise UserError(
            f"{own['model']['file']}: its batch is fixed at {told}. Export it with a dynamic one, or set batch_size to "
            "it, in place of max_batch_size and calibration.batch_size."
        )
    return fixed.pop()


def check_batch(found: Mapping[str, np.ndarray], own: Mapping[str, Any], batch: int) -> None:
    """Hold the outputs of a batch, as the lowered network gives them when it is run once, against its size.

    Raises:
        UserError: an output has no batch.
    """
    for name, values in found.items():
        if values.ndim == 0 or len(values) != batch:
            raise UserError(
                f"{own['model']['file']}: output {name!r} has the shape {values.shape} for a batch of {batch}. Export "
                "the model with the batch first, or leave this one out of outputs."
            )


def compared(outputs: Shapes, task: str, own: Mapping[str, Any]) -> int | None:
    """Return of how many items the outputs are kept as they are; None for all, where the task or a hook scores them."""
    if task in ALL or "hook" in own:
        return None
    return max(1, COMPARED_BYTES // max(1, 4 * sum(prod(shape) for shape in outputs.values())))


def check_sample(sample: OwnSample, own: Mapping[str, Any], outputs: Shapes) -> None:
    """Hold a model against its classes and its data, of which the first items are prepared as the engine takes them.

    Raises:
        UserError: they disagree.
    """
    CHECKS.get(sample.task, lambda *_: None)(sample, own, outputs)
    val = Path(own["data"]["val"])
    items, _ = sample.read_images(val, "val")
    prepared = sample.preprocess(items[:TRIED], Path())
    if own["data"].get("calibration"):
        place = Path(own["data"]["calibration"])
        others, _ = sample.read_images(place, "calibration") if sample.calibration.count != 0 else (items, [])
        check_apart(items, others)
        sample.pack(sample.preprocess(others[:TRIED], place))
    for name, values in prepared.items():
        if not np.isfinite(values).all():
            raise FormatError(val, f"values for input {name!r} are no numbers (NaN or infinite)", "Correct the data.")
    if sample.hook.postprocess is not None:
        tried = {name: np.zeros((TRIED, *outputs[name]), np.float32) for name in sample.outputs}
        sample.postprocess(tried)


def check_apart(items: Items, others: Items) -> None:
    """Refuse lists of pictures that calibrate what they score: the scores would be of what INT8 was made for.

    Raises:
        FormatError: a picture is in both.
    """
    if items.source == others.source or not (is_list(items.source) or is_list(others.source)):
        return
    scored = {Path(path).resolve() for path in items.columns[PICTURE]} if PICTURE in items.columns else set()
    shared = [path for path in others.columns.get(PICTURE, []) if Path(path).resolve() in scored]
    if shared:
        more = f" (and so do {len(shared) - 1} more)" if len(shared) > 1 else ""
        fault = f"its picture {shared[0]} stands in {items.source} too{more}"
        remedy = "Take them out of one, or leave data.calibration out: a quarter of data.val calibrates then"
        raise FormatError(others.source, fault, f"{remedy}, and is not scored.")


def check_classes(sample: OwnSample, own: Mapping[str, Any], outputs: Shapes) -> None:
    """Hold a classifier's output against the classes, and the labels against these.

    Raises:
        UserError: they disagree.
    """
    count = len(sample.classes)
    check_width(sample, own, outputs, (count, 1) if count == 2 else (count,))
    sample.read_truth(Path(own["data"]["val"]))


def check_width(sample: OwnSample, own: Mapping[str, Any], outputs: Shapes, widths: tuple[int, ...]) -> None:
    """Hold the size of the output that is scored against how many numbers so many classes can have.

    Raises:
        UserError: it has another, or nothing says which output is scored.
    """
    width = prod(outputs[sample.OUTPUT])
    if len(outputs) > 1 and not own.get("outputs"):
        raise UserError(
            f"{own['model']['file']}: outputs {', '.join(outputs)}. Name the one to score as model.output, or as the "
            "first of outputs."
        )
    if width not in widths:
        where = own["data"]["classes"] if isinstance(own["data"]["classes"], str) else "data.classes"
        output = f"output {sample.OUTPUT!r} of {own['model']['file']}"
        raise UserError(
            f"{where}: {len(sample.classes)} classes, but {output} has {width} values. Name as many classes, in the "
            "model's order, or another output as model.output."
        )


def check_labels(sample: OwnSample, own: Mapping[str, Any], outputs: Shapes) -> None:
    """Hold an output of several labels against the classes, and the labels against these.

    Raises:
        UserError: they disagree.
    """
    check_width(sample, own, outputs, (len(sample.classes),))
    place = Path(own["data"]["val"])
    if not sample.read_label_matrix(place).any():
        raise FormatError(place, "no item is of any class", "Correct the labels, or give other data.")


def check_targets(sample: OwnSample, own: Mapping[str, Any], outputs: Shapes) -> None:
    """Hold the outputs of a model of numbers against their targets.

    Raises:
        UserError: they disagree.
    """
    place = Path(own["data"]["val"])
    for name, values in sample.read_targets(place).items():
        if prod(values.shape[1:]) != prod(outputs[name]):
            fault = f"targets of shape {values.shape[1:]}, but output {name!r} has {outputs[name]}"
            raise FormatError(place, fault, f"Name as many columns as outputs.{name}.target, or give such targets.")
        if not np.isfinite(values).all():
            raise FormatError(place, f"targets of output {name!r} are no numbers (NaN or infinite)", "Correct them.")


CHECKS = {
    "classification": check_classes,
    "multilabel": check_labels,
    "detection": check_objects,
    "segmentation": check_masks,
    "regression": check_targets,
}
"""By task, what is held against the data before anything is built, given sample, `own` and the outputs' shapes."""
