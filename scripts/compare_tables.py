"""Compare two calibration tables of the same batches, and explain where they differ.

python scripts/compare_tables.py gpu/CalibrationTableint8 cpu/CalibrationTableint8 --sample int8 \\
    --export-dir results/int8/export --batch-dir results/int8/calibration/batches --out tables.json

A tensor that differs in an entropy table is explained by the histogram of the reference runtime: how much more
divergence the other table's range costs there. Next to nothing means a near tie, which rounding decides.
"""

from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np

import trtflow.reference as trt
from trtflow.calibration.calibrators import make_calibrator
from trtflow.calibration.streams import BatchStream
from trtflow.calibration.tables import EQUAL, compare_tables
from trtflow.cli import parser, run
from trtflow.formats.calibration_table import read_table
from trtflow.formats.files import write_json
from trtflow.reference.calibrate import Collector, collect
from trtflow.reference.entropy import BINS, LEVELS, STEPS, Entropy, divergences
from trtflow.runtime.devices import HostDevice
from trtflow.samples import load as load_sample

OFF_CANDIDATE = 0.1  # bins; a largest value that differs in its last bits moves all candidates a little
ALGORITHMS = {"EntropyCalibration2": "entropy2", "EntropyCalibration": "entropy"}


def main() -> None:
    """Read the command line, compare, print a line a tensor that differs, write the comparison."""
    arguments = parser(__doc__)
    arguments.add_argument("first", type=Path, help="calibration table")
    arguments.add_argument("second", type=Path, help="calibration table of the reference runtime")
    arguments.add_argument("--sample", help="name of the sample, to explain differences")
    arguments.add_argument("--export-dir", type=Path, help="folder of its exported model")
    arguments.add_argument("--batch-dir", type=Path, help="folder of batch0, batch1, ...")
    arguments.add_argument("--out", type=Path, help="JSON file to write")
    options = arguments.parse_args()

    first, second = read_table(options.first), read_table(options.second)
    compared = compare_tables(first, second)
    if options.sample and compared["differing"] and first.algorithm in ALGORITHMS:
        batches = sorted(options.batch_dir.glob("batch*"), key=lambda path: int(path.name.removeprefix("batch")))
        seen = histograms(options.sample, options.export_dir, batches, ALGORITHMS[first.algorithm])
        for name, entry in compared["differing"].items():
            entry.update(explain(first.scales[name], seen[name]))
    print(f"{compared['equal']} of {compared['common']} tensors equal to {EQUAL:g}; largest {compared['largest']:.3g}")
    for name, entry in compared["differing"].items():
        print(f"  {name}: {entry}")
    for key in ("only_first", "only_second"):
        if compared[key]:
            print(f"  {key.replace('_', ' the ')}: {', '.join(compared[key])}")
    if options.out:
        write_json(options.out, compared)


def histograms(sample: str, export: Path, batches: list[Path], algorithm: str) -> dict[str, Collector]:
    """Return what the reference runtime's calibration saw of each tensor."""
    stream = BatchStream(batches)
    calibrator = make_calibrator(trt, algorithm, stream, None, HostDevice().allocate)
    module, logger = load_sample(sample), trt.Logger(trt.Logger.WARNING)
    trt.init_libnvinfer_plugins(logger, "")
    explicit_batch = getattr(module, "EXPLICIT_BATCH", False)
    flags = int(explicit_batch) << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
    network = trt.Builder(logger).create_network(flags)
    module.define_network(trt, network, export)
    return collect(network, calibrator, {})


def explain(scale: np.float32, seen: Collector) -> dict[str, Any]:
    """Return which candidate of the reference's histogram a scale is, and what it costs beyond the best one.

    Args:
        scale: of the other table.
        seen: histogram of the reference runtime.
    """
    if not isinstance(seen, Entropy):
        return {}
    loss = divergences(seen.counts)
    position = float(scale) * float(STEPS) / float(seen.range) * BINS - 0.5
    candidate = round(position)
    if abs(position - candidate) > OFF_CANDIDATE or not LEVELS <= candidate <= BINS:
        return {"explanation": f"no candidate of this histogram (bin {position:.3f})"}
    excess = float(loss[candidate - LEVELS] - loss.min())
    return {
        "bins": candidate,
        "reference_bins": LEVELS + int(loss.argmin()),
        "divergence": float(loss.min()),
        "divergence_excess": excess,
    }


if __name__ == "__main__":
    run(main)
