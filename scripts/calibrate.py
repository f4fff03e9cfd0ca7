"""Calibrate a sample's network for INT8: from batch files to a calibration table.

python scripts/calibrate.py --sample ssd --export-dir results/ssd/export --batch-dir results/ssd/calibration/batches \\
    --batches 50 --backend-file results/backend.json --out results/ssd/calibration/CalibrationTablessd

By hand, with batch files of any names and sizes (docs/calibration.md):

python scripts/calibrate.py --sample int8 --export-dir model --batch-dir batches --batch-files '*.batch' \\
    --batch-size 10 --out CalibrationTablemnist
"""

import importlib.util
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import _path  # noqa: F401

from trtflow.calibration.calibrators import ALGORITHMS, make_calibrator
from trtflow.calibration.streams import BatchStream, find_batches
from trtflow.cli import parser
from trtflow.formats.checksums import verify_checksums
from trtflow.runtime.backend import load, open_backend
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import device_of
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.options import add_builder_options, builder_settings
from trtflow.runtime.plugins import is_reference
from trtflow.samples import load as load_sample


def leave() -> None:
    """End this process: the table is written, and TensorRT knows no way to stop a build.

    What follows would be an engine that nobody runs. For Faster R-CNN TensorRT 8.6.0 aborts the process there.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def backend_of(path: Path | None) -> ModuleType:
    """Return the implementation of TensorRT's API that a backend file names, or the one that is here."""
    if path is None:
        return load("tensorrt" if importlib.util.find_spec("tensorrt") else "reference")
    return open_backend(path)[0]


def main() -> None:
    """Read the command line, calibrate, and keep the table; there is no engine."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    arguments.add_argument("--batch-dir", type=Path, required=True, help="folder of batch0, batch1, ...")
    arguments.add_argument("--batch-files", default="*", help="which files of it, as the shell would match them")
    arguments.add_argument("--batches", type=int, help="number of batch files to use, in order; all by default")
    arguments.add_argument("--batch-size", type=int, help="images of a batch; by default those of the first file")
    arguments.add_argument(
        "--algorithm", choices=ALGORITHMS, default="entropy2", help="TensorRT's calibration algorithm"
    )
    arguments.add_argument(
        "--backend-file", type=Path, help="results/backend.json; by default TensorRT where this Python has it"
    )
    arguments.add_argument("--out", type=Path, required=True, help="calibration table to write")
    add_builder_options(arguments)
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    options.out.unlink(missing_ok=True)  # a table that is there would be used instead of the batches
    files = find_batches(options.batch_dir, options.batches, options.batch_files)
    stream = BatchStream(files, options.batch_size)
    trt = backend_of(options.backend_file)
    sample = load_sample(options.sample)
    allocate, feeds = device_of(trt).allocate, getattr(sample, "unpack", getattr(sample, "feeds", None))
    on_table = None if is_reference(trt) else leave
    calibrator = make_calibrator(trt, options.algorithm, stream, options.out, allocate, feeds, on_table)
    define = partial(sample.define_network, export=options.export_dir)
    settings = replace(builder_settings(options), optimization_level=0)  # for the layers that calibration runs on
    explicit_batch = getattr(sample, "EXPLICIT_BATCH", False)
    try:
        build_plan(trt, define, "int8", stream.batch_size, calibrator, explicit_batch=explicit_batch, settings=settings)
    finally:
        if calibrator.fault is not None:  # also where TensorRT built an engine from the batches before it
            raise calibrator.fault


if __name__ == "__main__":
    run_on_backend(main)
