"""Lower a sample's network to plain ONNX, INT8 as quantize and dequantize nodes, for runtimes other than TensorRT 8.

python scripts/lower_network.py --sample ssd --precision int8 --export-dir results/ssd/export \\
    --calibration-table results/ssd/calibration/CalibrationTablessd --out results/ssd/network.int8.onnx
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.engine_options import add_network_options, network_of
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.files import write_bytes
from trtflow.runtime.backend import BEYOND, load_backend
from trtflow.runtime.build import build_plan
from trtflow.runtime.entry import engine_of
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line; write the network, which is what a plan of the reference runtime holds."""
    arguments = parser(__doc__)
    add_network_options(arguments)
    arguments.add_argument("--max-batch-size", type=int, default=8, help="largest batch of the network")
    arguments.add_argument(
        "--beyond-tensorrt", action="store_true", help="take operators of ONNX that TensorRT refuses, too"
    )
    arguments.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    trt = load_backend({"name": "reference", BEYOND: options.beyond_tensorrt})
    sample = load_sample(options.sample)
    refit = getattr(sample, "refit", None)
    described = network_of(options, trt, sample)
    explicit_batch = getattr(sample, "EXPLICIT_BATCH", False)
    plan = build_plan(
        trt,
        described.define,
        options.precision,
        options.max_batch_size,
        described.calibrator,
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
