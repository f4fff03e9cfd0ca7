"""Measure what INT8 loses of each tensor of a sample's network, against float32 on the calibration batches.

python scripts/measure_losses.py --sample mine --precision int8 --export-dir results/mine/export \\
    --calibration-table results/mine/calibration/CalibrationTablemine --batch-dir results/mine/calibration/batches \\
    --batches 1 --backend-file results/backend.json --out results/mine/calibration/losses.json \\
    --text-out results/mine/figures/losses.txt
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.calibration.streams import find_batches
from trtflow.cli import parser
from trtflow.engine_options import add_network_options, network_of
from trtflow.formats.batch_file import read_batch
from trtflow.formats.calibration_table import read_table
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.dynamic_ranges import read_ranges
from trtflow.formats.files import write_json, write_text
from trtflow.losses import losses_text, measure_losses
from trtflow.runtime.backend import open_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.samples import definition, packed_feeds
from trtflow.samples import load as load_sample

MOST = 64  # items: sums of squares hardly change with more


def main() -> None:
    """Read the command line, run both networks, and write a line a tensor."""
    arguments = parser(__doc__)
    add_network_options(arguments)
    arguments.add_argument("--batch-dir", type=Path, required=True, help="folder of batch0, batch1, ...")
    arguments.add_argument("--batches", type=int, help="number of batch files to use; all by default")
    arguments.add_argument("--batch-size", type=int, default=8, help="items of a run")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("--text-out", type=Path, required=True, help="the same as text, the worst first")
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    trt, _ = open_backend(options.backend_file)
    sample = load_sample(options.sample)
    files = find_batches(options.batch_dir, options.batches)
    images = np.concatenate([read_batch(path).images for path in files])[:MOST]
    size = min(options.batch_size, len(images))
    whole = range(0, len(images) - size + 1, size)  # as the batch may be fixed
    feeds = packed_feeds(sample)
    described = network_of(options, trt, sample)
    if options.ranges:
        scales = {name: value / 127 for name, value in read_ranges(options.ranges).items()}
    else:
        scales = {name: float(scale) for name, scale in read_table(options.calibration_table).scales.items()}
    losses = measure_losses(
        trt,
        definition(sample, options.export_dir, "fp32", recurrent=options.recurrent),
        described.define,
        [feeds(images[first : first + size]) for first in whole],
        scales,
        explicit_batch=getattr(sample, "EXPLICIT_BATCH", False),
        calibrator=described.calibrator,
        configure=described.configure,
    )
    write_json(options.out, {"items": len(whole) * size, "tensors": [loss.to_json() for loss in losses]})
    write_text(options.text_out, losses_text(losses))


if __name__ == "__main__":
    run_on_backend(main)
