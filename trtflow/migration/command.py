"""The command migrate: a Caffe model, a UFF file, a frozen TensorFlow graph, or ONNX with a table, to plain ONNX.

Its options load nothing; what migrates, which takes half a second, is loaded where it is needed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from trtflow.cli import quiet_tensorflow
from trtflow.formats import UserError
from trtflow.formats.files import write_bytes, write_json, write_text

if TYPE_CHECKING:
    from trtflow.formats.calibration_table import CalibrationTable


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
        help="caffemodel or its prototxt, .uff, frozen TensorFlow graph (.pb), or .onnx with --table",
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

    form = FORMS.get(options.model.suffix)
    if form == "onnx" and options.table is None:
        raise UserError(f"{options.model}: ONNX already. Give --table for Q/DQ, or use it as it is.")
    for path in options.plugins:
        load_plugin_file(path)
    target = options.out or options.model.with_suffix(".int8.onnx" if form == "onnx" else ".onnx")
    table = _table(options)
    with tempfile.TemporaryDirectory() as folder:
        file = import_model(
            options.model,
            Path(folder),
            deploy=options.deploy,
            inputs=dict(options.input),
            outputs=options.output,
            preprocessor=options.preprocessor,
        )
        try:
            lowered = lower_model(file, table, options.table)
        except UserError as error:
            raise UserError(str(error).replace(f"{folder}/", f"{options.model}: ")) from error
        differences = check_agreement(lowered, options.seed)
        original = Original(str(form), *_files(options, str(form)), uff=file.path if form == "tensorflow" else None)
        asked = ask_original(original, lowered, options.seed)
    write_bytes(target, lowered.model.SerializeToString(deterministic=True))
    report = make_report(options.model, str(form), target, lowered, table, differences, asked)
    write_json(target.with_suffix(".migration.json"), report)
    write_text(target.with_suffix(".migration.txt"), to_text(report))
    print(f"{target}, report in {target.stem}.migration.txt")
    print("\n".join(gate_lines(report)))
    if not report["passed"]:
        failed = ", ".join(gate["name"] for gate in report["gates"] if not gate["passed"])
        raise UserError(f"{target}: it does not say what the model says ({failed}); see {target.stem}.migration.txt.")


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
