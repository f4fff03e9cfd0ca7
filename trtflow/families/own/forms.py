"""A model of the user's own in the form of TensorRT's parsers, from whatever it was saved as."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import onnx

from trtflow.converters.model_file import FORMS, import_model
from trtflow.converters.quantised import has_pairs, with_float_constants, without_pairs
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import write_bytes
from trtflow.formats.graphdef import owner
from trtflow.runtime.model_file import ModelFile
from trtflow.workflow.own import UNQUANTISED, stays_uff

EXPORT = {  # what to do where a framework's model cannot be taken as it is
    ".keras": "Export it with model.export('model.onnx', format='onnx') of Keras, or with tf2onnx, and give that",
    # the folder of a SavedModel
    "": "Export it with python -m tf2onnx.convert --saved-model, and give the ONNX file",
    ".pb": "Export it with python -m tf2onnx.convert --graphdef, and give the ONNX file",
    ".pt2": "Export it with torch.onnx.export, opset 17 or lower, and give the ONNX file",
    ".onnx": "Export it without that operator, with opset 17 or lower: of scikit-learn linear models, scalers and MLPs "
    "pass, of a detector leave NMS to the host, of PyTorch another form of the layer may do",
}


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """Give a model as a file that `import_model` reads: what other forms become is in a folder that goes afterwards.

    Raises:
        UserError: it is of no known form, or damaged.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder. Correct the path of the model.")
    suffix = "" if path.is_dir() else path.suffix
    if suffix in FORMS:
        yield path
        return
    if suffix not in MAKERS:
        raise UserError(f"{path}: no known form. Give {KNOWN}.")
    name, make = MAKERS[suffix]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / name
        make(path, target)
        yield target


def _from_darknet(path: Path, target: Path) -> None:
    from trtflow.converters.darknet import convert  # noqa: PLC0415
    from trtflow.formats.darknet import input_shape, read_cfg, read_weights, resolve  # noqa: PLC0415

    cfg, weights = path.with_suffix(".cfg"), path.with_suffix(".weights")
    for file in (cfg, weights):
        if not file.exists():
            raise UserError(f"{file}: no such file, which {path} needs. Put it there under that name.")
    sections = read_cfg(cfg)
    layers = resolve(sections, cfg)
    _, values = read_weights(weights, layers)
    model, _ = convert(layers, values, input_shape(sections, cfg))
    write_bytes(target, model.SerializeToString(deterministic=True))


def _from_exported_program(path: Path, target: Path) -> None:
    from trtflow.converters.exported_program import export_program  # noqa: PLC0415 - loads PyTorch

    export_program(path, target)


def _from_keras(path: Path, target: Path) -> None:
    from trtflow.converters.freeze import freeze_keras, write_graph  # noqa: PLC0415 - loads TensorFlow

    write_graph(freeze_keras(path), target)


def _from_saved_model(path: Path, target: Path) -> None:
    from trtflow.converters.freeze import freeze_saved_model, write_graph  # noqa: PLC0415 - loads TensorFlow

    write_graph(freeze_saved_model(path), target)


MAKERS: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    ".cfg": ("model.onnx", _from_darknet),
    ".weights": ("model.onnx", _from_darknet),
    ".pt2": ("model.onnx", _from_exported_program),
    ".keras": ("model.pb", _from_keras),
    "": ("model.pb", _from_saved_model),
}
KNOWN = f"a file that ends in {', '.join([*FORMS, *(suffix for suffix in MAKERS if suffix)])}, or a SavedModel's folder"


def graph_ends(path: Path) -> list[str]:
    """Return the nodes of a TensorFlow graph that no other reads: its outputs."""
    from trtflow.graphsurgeon.graph_file import read_graph_def  # noqa: PLC0415 - loads TensorFlow

    nodes = read_graph_def(path).node
    read = {owner(name) for node in nodes for name in node.input}
    ends = [node.name for node in nodes if node.name not in read and node.op not in ("Const", "NoOp", "Placeholder")]
    if not ends:
        raise FormatError(path, "no node of it is an output", "Freeze it with the outputs that are wanted.")
    return ends


def take_model(own: Mapping[str, Any], folder: Path) -> ModelFile:
    """Write the files of a model into a folder.

    Args:
        own: what the sample's YAML file says: `model`, and perhaps `inputs` and `outputs`.
        folder: to write to.

    Raises:
        UserError: a file is damaged, or there is no such input or output.
    """
    settings = own["model"]
    path = Path(settings["file"])
    inputs = {name: told["shape"] for name, told in own.get("inputs", {}).items() if "shape" in told}
    optional: dict[str, Any] = {key: Path(settings[key]) for key in ("deploy", "preprocessor") if key in settings}
    with readable(path) as file:
        outputs = list(own.get("outputs", {}))
        if file.suffix == ".pb":
            outputs = outputs or graph_ends(file)
        try:
            optional["input_shape"] = settings.get("input")
            model = import_model(file, folder, inputs=inputs, outputs=outputs, **optional)
            model = as_onnx(model) if model.form == "uff" and not stays_uff(settings) else model
            return with_pairs(model)
        except UserError as error:
            told = str(error).replace(str(file), str(path)).replace(str(folder / "model.uff"), str(path))
            told = told if str(path) in told else f"{path}: {told}"
            raise UserError(told if file == path or file.suffix == ".onnx" else f"{told} {way_out(path)}.") from error


def with_pairs(model: ModelFile) -> ModelFile:
    """Return a model; one that is quantised by pairs in the form that TensorRT 8.6 takes, and without them beside it.

    Raises:
        UserError: it is quantised in another way.
    """
    if model.form != "onnx":
        return model
    loaded = onnx.load(model.path)
    if not has_pairs(loaded):
        return model
    plain = model.path.with_name(UNQUANTISED)
    onnx.save(with_float_constants(loaded), model.path)
    onnx.save(without_pairs(loaded), plain)
    return replace(model, unquantised=plain)


def as_onnx(model: ModelFile) -> ModelFile:
    """Write a UFF graph as ONNX in its place, with the same names and shapes, and return that.

    TensorRT's UFF parser leaves a Flatten to the product behind it, so that a concatenation of several inputs, or a
    bias, fails there ("The input to the Scale Layer is required to have a minimum of 3 dimensions"). Its ONNX parser
    takes what a graph of TensorFlow's means.

    Raises:
        UserError: an operation has no lowering.
    """
    from trtflow.migration.lowering import lower_model  # noqa: PLC0415 - loads ONNX Runtime

    target = model.path.with_suffix(".onnx")
    onnx.save(lower_model(model).model, target)
    model.path.unlink()
    return replace(model, form="onnx", path=target)


def way_out(path: Path) -> str:
    """Return what to export in place of a model with an operator that there is no way for."""
    return EXPORT.get("" if path.is_dir() else path.suffix, "Correct the model")
