"""Record the dynamic range of every tensor of a sample's network: its largest absolute value on the batches.

python scripts/record_ranges.py --sample int8_api --export-dir results/int8_api/export \\
    --batch-dir results/int8_api/calibration/batches --batches 10 --backend-file results/backend.json \\
    --out results/int8_api/calibration/ranges.txt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.calibration.ranges import record_ranges
from trtflow.calibration.streams import BatchStream
from trtflow.cli import parser
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.dynamic_ranges import write_ranges
from trtflow.progress import track
from trtflow.runtime.backend import open_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.samples import definition
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line, run the batches, and write a line a tensor."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    arguments.add_argument("--batch-dir", type=Path, required=True, help="folder of batch0, batch1, ...")
    arguments.add_argument("--batches", type=int, required=True, help="number of batch files to use")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--out", type=Path, required=True, help="file of ranges to write")
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    stream = BatchStream([options.batch_dir / f"batch{index}" for index in range(options.batches)])
    trt, _ = open_backend(options.backend_file)
    sample = load_sample(options.sample)
    define = definition(sample, options.export_dir, "fp32")
    explicit_batch = getattr(sample, "EXPLICIT_BATCH", False)
    batches, feeds = track(stream, "Recording ranges"), getattr(sample, "feeds", None)
    ranges = record_ranges(trt, define, batches, stream.batch_size, explicit_batch=explicit_batch, feeds=feeds)
    write_ranges(options.out, ranges)


if __name__ == "__main__":
    run_on_backend(main)
