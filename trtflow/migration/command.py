"""The command migrate: a Caffe model, a UFF file, a frozen TensorFlow graph, or ONNX with a table, to plain ONNX.

Its options load nothing; what migrates, which takes half a second, is loaded where it is needed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trtflow.cli import quiet_tensorflow
from trtflow.formats import UserError
from trtflow.formats.files import write_bytes, write_json, write_text

if TYPE_CHECKING:
    from trtflow.formats.calibration_table import CalibrationTable
    from trtflow.migration.lowering import Lowered
    from trtflow.runtime.model_file import ModelFile


def named_shape(text: str) -> tuple[str, list[int]]:
    """Return the name and the sizes of NAME,C,H,W."""
    name, *sizes = text.split(",")
    if not name or not sizes or not all(size.isdigit() and int(size) for size in sizes):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME,C,H,W")
    return name, [int(size) for size in sizes]


def add_options(arguments: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    arguments.add_argument(
        "model",
        type=Path,
        help="caffemodel or prototxt, .uff, frozen TensorFlow graph (.pb); .onnx with --table, plugins or opset 18 on",
    )
    arguments.add_argument("--table", type=Path, help="calibration table of the model, for INT8 as Q/DQ")
    arguments.add_argument("--table-version", help="TensorRT that made it, as in its header; default: 8600 for 8.6.0")
    arguments.add_argument("--deploy", type=Path, help="prototxt of a caffemodel; default: of the same name beside it")
    arguments.add_argument(
        "--input", type=named_shape, action="append", default=[], metavar="NAME,C,H,W", help="shape of a UFF input"
    )
    arguments.add_argument("--output", action="append", default=[], help="name of an output; default: all")
    arguments.add_argument("--preprocessor", type=Path, help="Python file with preprocess(dynamic_graph), for a .pb")
    arguments.add_argument(
        "--plugins", type=Path, action="append", default=[], metavar="FILE.py", help="own plugins; again for each file"
    )
    arguments.add_argument("--seed", type=int, default=0, help="of the inputs that the result is checked on")
    arguments.add_argument("--out", type=Path, help="ONNX file to write; default: the model's name with .onnx")


def migrate(options: argparse.Namespace) -> None:
    """Write the ONNX model and, beside it, its report as .migration.json and .migration.txt.

    Raises:
        UserError: something about the model or the table; or the result is not what the reference runtime says, which
            the report tells.
    """
    quiet_tensorflow()
    from trtflow.converters.model_file import FORMS, import_model  # noqa: PLC0415
    from trtflow.migration.agreement import check_agreement  # noqa: PLC0415
    from trtflow.migration.lowering import lower_model  # noqa: PLC0415
    from trtflow.migration.originals import Original, ask_original  # noqa: PLC0415
    from trtflow.migration.report import gate_lines, make_report, to_text  # noqa: PLC0415
    from trtflow.runtime.own_plugins import load_plugin_file  # noqa: PLC0415

    form = str(FORMS.get(options.model.suffix))
    _check_options(options, form)
    for path in options.plugins:
        load_plugin_file(path)
    table = _table(options)
    with tempfile.TemporaryDirectory() as folder, _named(options, Path(folder)):
        file = import_model(
            options.model,
            Path(folder),
            deploy=options.deploy,
            inputs=dict(options.input),
            outputs=options.output,
            preprocessor=options.preprocessor,
        )
        _check_model(options, form, file)
        if form == "onnx" and table is not None and options.output:
            table = _cut(table, options.model, file.path)
        lowered = lower_model(file, table, options.table)
        _check_table(options, lowered)
        differences = check_agreement(lowered, options.seed)
        original = Original(form, *_files(options, form), uff=file.path if form == "tensorflow" else None)
        asked = ask_original(original, lowered, options.seed)
    suffix = ".onnx" if form != "onnx" else ".plain.onnx" if table is None else ".int8.onnx"
    target = options.out or options.model.with_suffix(suffix)
    write_bytes(target, lowered.model.SerializeToString(deterministic=True))
    report = make_report(options.model, form, target, lowered, table, differences, asked)
    write_json(target.with_suffix(".migration.json"), report)
    write_text(target.with_suffix(".migration.txt"), to_text(report))
    print(f"{target}, report in {target.stem}.migration.txt")
    print("\n".join(gate_lines(report)))
    if not report["passed"]:
        failed = ", ".join(gate["name"] for gate in report["gates"] if not gate["passed"])
        raise UserError(f"{target}: it does not say what the model says ({failed}); see {target.stem}.migration.txt.")


def _check_options(options: argparse.Namespace, form: str) -> None:
    """Refuse options that are for another form of model."""
    for option, of in (("deploy", "caffe"), ("preprocessor", "tensorflow")):
        if getattr(options, option) is not None and form != of:
            raise UserError(f"{options.model}: --{option} is for models of {of}. Leave it out.")


@contextmanager
def _named(options: argparse.Namespace, folder: Path) -> Iterator[None]:
    """Let errors name the model that was given, and not the copy that is read."""
    try:
        yield
    except UserError as error:
        text = str(error)
        for copy in sorted(folder.glob("model.*")):
            same = copy.suffix == options.model.suffix
            text = text.replace(str(copy), str(options.model) if same else f"{options.model}: {copy.name}")
        told = str(options.model.parent / options.model.stem) in text or str(options.table) in text
        files = str(options.model) if options.table is None else f"{options.model} with {options.table}"
        raise UserError(text if told else f"{files}: {text}") from error


def _check_model(options: argparse.Namespace, form: str, file: ModelFile) -> None:
    """Refuse an ONNX model that is what would be written, or whose sizes are not known.

    Raises:
        UserError: it is one of these.
    """
    if form != "onnx":
        return
    if options.table is None and not has_plugins(file.path) and not is_changed(options.model):
        raise UserError(f"{options.model}: ONNX already. Give --table for Q/DQ, or use it as it is.")
    for name, sizes in file.inputs.items():
        if min(sizes, default=1) < 0:
            shown = ",".join("?" if size < 0 else str(size) for size in sizes)
            fault = f"its input {name!r} leaves sizes open behind the batch: {shown}"
            raise UserError(f"{options.model}: {fault}. Give them with --input {name},{shown.replace('?', 'SIZE')}.")


def _cut(table: CalibrationTable, whole: Path, part: Path) -> CalibrationTable:
    """Return a table without the tensors that a model has and the part of it that the outputs need has not."""
    gone = _tensors(whole) - _tensors(part)
    made_up = "_constant_"  # in names of weights that follow the number of layers, which is another in a part
    kept = {name: scale for name, scale in table.scales.items() if name not in gone and made_up not in name}
    return replace(table, scales=kept)


def _tensors(path: Path) -> set[str]:
    import onnx  # noqa: PLC0415 - as all that migrates

    graph = onnx.load(path, load_external_data=False).graph
    made = {name for node in graph.node for name in node.output}
    return made | {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}


def has_plugins(path: Path) -> bool:
    """Whether a model has nodes that are none of ONNX's own operators."""
    import onnx  # noqa: PLC0415 - as all that migrates

    nodes = onnx.load(path, load_external_data=False).graph.node
    return not all(node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type, "") for node in nodes)


def is_changed(path: Path) -> bool:
    """Whether TensorRT 8.6 reads a model otherwise than ONNX means it, so that it is brought down."""
    import onnx  # noqa: PLC0415 - as all that migrates

    from trtflow.reference.record.onnx.brought_down import needs_it  # noqa: PLC0415

    return needs_it(onnx.load(path, load_external_data=False))


def _check_table(options: argparse.Namespace, lowered: Lowered) -> None:
    """Refuse a table that nothing in the model can use."""
    if options.table is None or lowered.scales:
        return
    pairs = any(layer["type"] in ("Quantize", "Dequantize") for layer in lowered.layers)
    why = "it has quantize layers of its own" if pairs else "none of its layers is quantised"
    what = "Convolutions of one to three dimensions, transposed too, and products with constant matrices are"
    raise UserError(f"{options.model}: {options.table} is of no use to it, for {why}. {what}; use the model as it is.")


def _table(options: argparse.Namespace) -> CalibrationTable | None:
    """Return the calibration table that is to be used, if any."""
    from trtflow.migration.lowering import read_scales  # noqa: PLC0415

    version = () if options.table_version is None else (options.table_version,)
    return None if options.table is None else read_scales(options.table, *version)


def _files(options: argparse.Namespace, form: str) -> tuple[Path, Path | None]:
    """Return the files of the original: the model, and of a Caffe model its prototxt."""
    if form != "caffe":
        return options.model, None
    return options.model.with_suffix(".caffemodel"), options.deploy or options.model.with_suffix(".prototxt")
