"""Take over a model of the user's own: its files in the form of TensorRT's parsers, with what the workflow must know.

python scripts/import_own.py results/mine/config.yaml --out-dir results/mine/export
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # constants computed ahead are the same on every processor

from pathlib import Path
from typing import Any

import _path  # noqa: F401
import yaml

from trtflow.cli import parser, run
from trtflow.converters.model_file import import_model
from trtflow.formats import FormatError, UserError
from trtflow.formats.checksums import write_checksums
from trtflow.formats.files import write_json
from trtflow.migration.agreement import draw_inputs, run_onnx
from trtflow.migration.lowering import lower_model
from trtflow.runtime.model_file import ModelFile
from trtflow.samples.own import NAME

PICTURES = {"colour": "rgb", "mean": 0, "scale": 1, "channels_last": False}


def read_classes(path: Path) -> list[str]:
    """Return the names of classes, a line each."""
    names = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    twice = [name for name in names if names.count(name) > 1]
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
    optional = {key: Path(settings[key]) for key in ("deploy", "preprocessor") if key in settings}
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


def check_classes(model: ModelFile, output: str, classes: list[str], config: dict[str, Any]) -> None:
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


def main() -> None:
    """Read the command line and the sample's configuration, write the model and its description."""
    arguments = parser(__doc__)
    arguments.add_argument("config", type=Path, help="results/<name>/config.yaml")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    config = yaml.safe_load(options.config.read_text())
    own = config["own"]
    classes = read_classes(Path(own["data"]["classes"]))
    model, output = adopt(own["model"], options.out_dir)
    check_classes(model, output, classes, config)
    description = {
        "model": model.to_json(),
        "output": output,
        "classes": classes,
        "logits": own["model"].get("logits", False),
        "pictures": PICTURES | own["data"].get("pictures", {}),
        "calibration": config["splits"]["calibration"],
    }
    write_json(options.out_dir / NAME, description)
    files = [path for path in (model.path, model.deploy) if path is not None]
    write_checksums(options.out_dir, [NAME, *(path.name for path in files)])


if __name__ == "__main__":
    run(main)
