"""Lower a sample's network to plain ONNX, INT8 as quantize and dequantize nodes, for runtimes other than TensorRT 8.

python scripts/lower_network.py --sample ssd --precision int8 --export-dir results/ssd/export \\
    --calibration-table results/ssd/calibration/CalibrationTablessd --out results/ssd/network.int8.onnx
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import _path  # noqa: F401

from trtflow.calibration.calibrators import ALGORITHMS, make_calibrator
from trtflow.cli import parser, run
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.files import write_bytes
from trtflow.runtime.backend import BEYOND, load_backend
from trtflow.runtime.build import INT8, PRECISIONS, build_plan
from trtflow.runtime.devices import device_of
from trtflow.runtime.entry import engine_of
from trtflow.runtime.io_form import FORMATS, TYPES, form_of
from trtflow.runtime.lstm import RECURRENT
from trtflow.samples import definition
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line; write the network, which is what a plan of the reference runtime holds."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--recurrent", choices=RECURRENT, help="what recurrent parts are made of, where it has such")
    arguments.add_argument("--precision", choices=PRECISIONS, required=True, help="lowest precision to use")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    arguments.add_argument("--calibration-table", type=Path, help="INT8 scales, needed for int8")
    arguments.add_argument(
        "--fallback", action="store_true", help="keep in float32 what reads a tensor that the table lacks"
    )
    arguments.add_argument("--ranges", type=Path, help="dynamic ranges, which int8 can have instead of a table")
    arguments.add_argument("--keep", type=Path, help="list of layers that are not to be INT8, with --ranges")
    arguments.add_argument("--algorithm", choices=ALGORITHMS, default="entropy2", help="algorithm that made the table")
    arguments.add_argument("--io-format", choices=FORMATS, default="linear", help="how the inputs lie in memory")
    arguments.add_argument("--io-type", choices=TYPES, help="type of the inputs, for precisions that can have it")
    arguments.add_argument("--max-batch-size", type=int, default=8, help="largest batch of the network")
    arguments.add_argument(
        "--beyond-tensorrt", action="store_true", help="take operators of ONNX that TensorRT refuses, too"
    )
    arguments.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    trt = load_backend({"name": "reference", BEYOND: options.beyond_tensorrt})
    sample = load_sample(options.sample)
    calibrator, refit = None, getattr(sample, "refit", None)
    if options.precision in INT8 and options.ranges is None:
        allocate = device_of(trt).allocate
        calibrator = make_calibrator(trt, options.algorithm, None, options.calibration_table, allocate)
    kept = options.keep.read_text().splitlines() if options.keep else []
    define_network = definition(
        sample,
        options.export_dir,
        options.precision,
        options.ranges,
        kept,
        recurrent=options.recurrent,
        fallback=options.calibration_table if calibrator and options.fallback else None,
    )

    def define(trt: ModuleType, network: Any) -> None:
        define_network(trt, network)
        form_of(options)(trt, network)

    explicit_batch = getattr(sample, "EXPLICIT_BATCH", False)
    plan = build_plan(
        trt,
        define,
        options.precision,
        options.max_batch_size,
        calibrator,
        explicit_batch=explicit_batch,
        refit=refit is not None,
    )
    if refit is not None:
        engine = engine_of(trt, plan)
        refit(trt, engine, options.export_dir)
        plan = bytes(engine.serialize())
    write_bytes(options.out, plan)


if __name__ == "__main__":
    run(main)
