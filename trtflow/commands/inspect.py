"""Show what is in a model of any form, an engine, a calibration table or a file of weights; nothing is built or run.

examples:
  trtflow inspect deploy.prototxt --beside model.caffemodel
  trtflow inspect model.onnx    UFF, a frozen graph (.pb), Darknet (.cfg, .weights) and .wts as well
  trtflow inspect engine.int8.plan    an engine of the reference runtime
  trtflow inspect CalibrationTable
  trtflow inspect model.onnx --json | python -m json.tool

Shapes are those that the model declares or that follow from it; what a parser refuses is a note at the end.
A frozen graph needs TensorFlow: pip install 'trtflow[tensorflow]'.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from trtflow.cli import json_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("file", type=Path, help="the file")
    text = "the caffemodel of a prototxt or the weights of a cfg, or the other way round; default: of the same name"
    parser.add_argument("--beside", type=Path, metavar="FILE", help=text)
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> None:
    """Print what the file holds.

    Raises:
        UserError: the file is damaged, or of no form that is known.
    """
    from trtflow.inspection import describe  # noqa: PLC0415

    described = describe(options.file, options.beside)
    print(json_text(described.to_json()) if options.json else described.to_text())
