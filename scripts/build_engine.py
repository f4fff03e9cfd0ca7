"""Build the engine of a sample in one precision.

python scripts/build_engine.py --sample ssd --precision int8 --export-dir results/ssd/export \\
    --calibration-table results/ssd/calibration/CalibrationTablessd --backend-file results/backend.json \\
    --plan results/ssd/engine.int8.plan --layers results/ssd/layers.int8.txt
"""

import time
from pathlib import Path
from types import ModuleType
from typing import Any

import _path  # noqa: F401

from trtflow.cli import parser
from trtflow.engine_options import add_network_options, network_of
from trtflow.formats import UserError
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.files import write_text
from trtflow.runtime.backend import BEYOND, open_backend
from trtflow.runtime.build import build_plan
from trtflow.runtime.io_form import has_form
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.layers import engine_layers, network_layers
from trtflow.runtime.options import add_builder_options, builder_origin, builder_settings
from trtflow.runtime.origin import write_engine
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line; write the plan, where and how it was built, and its layers."""
    arguments = parser(__doc__)
    add_network_options(arguments)
    arguments.add_argument("--network", help="which of the sample's networks, where it has several")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--max-batch-size", type=int, default=8, help="largest batch of the engine")
    arguments.add_argument("--plan", type=Path, required=True, help="plan to write; a .json beside it tells its origin")
    arguments.add_argument("--layers", type=Path, help="text file for the layers of network and engine")
    arguments.add_argument("--dla-core", type=int, help="DLA to run on, with the GPU for what it cannot do")
    add_builder_options(arguments)
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    trt, backend = open_backend(options.backend_file)
    sample = load_sample(options.sample)
    described = network_of(options, trt, sample, options.network)
    listing: list[str] = []
    beyond: list[str] = []

    def define(trt: ModuleType, network: Any) -> None:
        described.define(trt, network)
        listing.extend(network_layers(network))
        beyond.extend(getattr(network, BEYOND, []))  # of the reference alone

    start = time.perf_counter()
    try:
        plan = build_plan(
            trt,
            define,
            options.precision,
            options.max_batch_size,
            described.calibrator,
            explicit_batch=getattr(sample, "EXPLICIT_BATCH", False),
            refit=getattr(sample, "REFIT", False),
            dla_core=options.dla_core,
            settings=builder_settings(options),
        )
    except UserError as error:
        ranges = options.calibration_table if described.calibrator else options.ranges
        used = f"{options.export_dir} and {ranges}" if ranges else f"{options.export_dir}"
        raise UserError(f"no {options.precision} engine from {used}: {error}") from error
    seconds = time.perf_counter() - start
    if options.layers:
        write_text(options.layers, "\n".join([*listing, "", *engine_layers(trt, plan), ""]))
    origin = {
        "backend": backend,
        "precision": options.precision,
        "max_batch_size": options.max_batch_size,
        **({"recurrent": options.recurrent} if options.recurrent else {}),
        "plugins": list(getattr(sample, "PLUGINS", ())),
        **({BEYOND: beyond} if beyond else {}),
        **(
            {"io": {"format": options.io_format, "type": options.io_type, "scales": described.input_scales}}
            if has_form(options)
            else {}
        ),
        "builder": builder_origin(options),
        "build_s": round(seconds, 3),
    }
    write_engine(options.plan, plan, origin)


if __name__ == "__main__":
    run_on_backend(main)
