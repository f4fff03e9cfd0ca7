"""Taking over a model of the user's own: its files in the form of TensorRT's parsers, and what is to be known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

from trtflow.converters.model_file import import_model
from trtflow.families.own.description import NAME
from trtflow.formats import FormatError, UserError
from trtflow.formats.checksums import write_checksums
from trtflow.formats.damage import read_lines
from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.migration.agreement import draw_inputs, run_onnx
from trtflow.migration.lowering import lower_model
from trtflow.runtime.model_file import ModelFile

PICTURES = {"colour": "rgb", "mean": 0, "scale": 1, "channels_last": False}


def adopt_model(job: Job) -> None:
    """Write a model and its description, after holding its outputs against the classes.

    Raises:
        UserError: they disagree, the model has several inputs, or it is damaged.
    """
    folder, own = job.output("exports").parent, job.settings["own"]
    classes = read_classes(Path(own["data"]["classes"]))
    model, output = adopt(own["model"], folder)
    check_classes(model, output, classes, job.settings)
    description = {
        "model": model.to_json(),
        "output": output,
        "classes": classes,
        "logits": own["model"].get("logits", False),
        "pictures": PICTURES | own["data"].get("pictures", {}),
        "calibration": job.setting("splits.calibration", 0),
    }
    write_json(folder / NAME, description)
    files = [path for path in (model.path, model.deploy) if path is not None]
    write_checksums(folder, [NAME, *(path.name for path in files)])


def read_classes(path: Path) -> list[str]:
    """Return the names of classes, a line each."""
    names = [line.strip() for line in read_lines(path) if line.strip()]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if len(names) < 2 or twice:
        fault = f"class {twice[0]!r} stands in it twice" if twice else f"{len(names)} classes"
        raise FormatError(path, fault, "Write the name of a class a line, in the order of the model's output.")
    return names


def adopt(settings: dict[str, Any], folder: Path) -> tuple[ModelFile, str]:
    """Write the model's files; return it, and the output that is scored.

    Raises:
        UserError: the model has several inputs or no such output, leaves a size open, or is damaged.
    """
    path = Path(settings["file"])
    outputs = [settings["output"]] if "output" in settings and path.suffix != ".onnx" else []
    optional: dict[str, Any] = {key: Path(settings[key]) for key in ("deploy", "preprocessor") if key in settings}
    model = import_model(path, folder, outputs=outputs, **optional, input_shape=settings.get("input"))
    if len(model.inputs) != 1:
        raise UserError(f"{path}: {len(model.inputs)} inputs, {', '.join(model.inputs)}. A sample can have one.")
    output = settings.get("output", model.outputs[0])
    if output not in model.outputs or ("output" not in settings and len(model.outputs) > 1):
        raise UserError(f"{path}: outputs {', '.join(model.outputs)}. Name the one to score as model.output.")
    ((name, shape),) = model.inputs.items()
    if min(shape, default=1) < 1:
        raise UserError(
            f"{path}: input {name!r} leaves sizes behind the batch open, {shape}. Export it with fixed ones."
        )
    return model, output


def check_classes(model: ModelFile, output: str, classes: list[str], config: Mapping[str, Any]) -> None:
    """Run the lowered network once, and hold its output against the classes, and its batch against the engines'.

    Raises:
        UserError: they disagree.
    """
    own, batch = config["own"], config["max_batch_size"]
    network = lower_model(model).model
    first = network.graph.input[0].type.tensor_type.shape.dim[0]
    batches = {batch, config.get("calibration", {"batch_size": batch})["batch_size"]}
    if first.HasField("dim_value") and (first.dim_value != 1 or batches != {1}):
        raise UserError(
            f"{own['model']['file']}: its batch is fixed at {first.dim_value}. Export it with a dynamic one, or, where "
            "it is 1, set max_batch_size and calibration.batch_size to 1."
        )
    width = run_onnx(network, draw_inputs(network, {}, 1, seed=0))[output].size
    if width != len(classes):
        raise UserError(
            f"{own['data']['classes']}: {len(classes)} classes, but output {output!r} of {own['model']['file']} has "
            f"{width} values. Name as many classes, in the model's order, or another output as model.output."
        )
