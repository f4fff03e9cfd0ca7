"""Time entropy calibration of a network at its original size beside ONNX Runtime's with as many bins, in one run.

python scripts/bench_calibration.py --name resnet50 --pictures 20 --out bench_calibration.json

The same float32 network with the same random weights and pictures of noise; 2,048 bins and 128 levels on both sides.
Each side has a process of its own, one after the other, for the sake of its memory: peak is what calibration adds to
what the process held before it. ONNX Runtime's keeps the values of all tensors of all pictures: mind the number of
pictures. Skeletons come from scripts/export_sizes.py, which is called where --skeletons lacks the network.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
from _bench import measured_apart
from _sizes import NETWORKS, random_pictures
from bench_network import fill_folder

from trtflow.cli import columns, parser, run, run_command
from trtflow.formats.files import write_json
from trtflow.runtime.backend import load
from trtflow.samples import definition
from trtflow.samples import load as load_sample

BINS, LEVELS = 2048, 128
Work = Callable[[], int]


def define(options: argparse.Namespace, folder: Path) -> Any:
    """Return the network, recorded."""
    trt = load("reference")
    sample = load_sample(NETWORKS[options.name].sample)
    fill_folder(options.skeletons / options.name, folder, options.seed)
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    explicit = getattr(sample, "EXPLICIT_BATCH", False)
    network = builder.create_network(int(explicit) << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    definition(sample, folder, "fp32")(trt, network)
    return network


def ours(options: argparse.Namespace, folder: Path) -> Work:
    """Return what calibrates as our builder does; it returns the number of scales."""
    from trtflow.reference.calibrate import collect  # noqa: PLC0415 - each process loads what its side needs

    trt, network = load("reference"), define(options, folder)
    shape = (1, 3, *NETWORKS[options.name].shape)

    class Calibrator(trt.IInt8EntropyCalibrator2):  # type: ignore[name-defined, misc]
        """Serves pictures one by one."""

        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: list[str]) -> list[int] | None:
            if self.count == options.pictures:
                return None
            self.current = random_pictures(NETWORKS[options.name], 1, self.count)
            self.count += 1
            return [self.current.ctypes.data]

    def calibrate() -> int:
        shapes = {network.get_input(0).name: shape}
        return len([found.scale() for found in collect(network, Calibrator(), shapes).values()])

    return calibrate


def onnxruntimes(options: argparse.Namespace, folder: Path) -> Work:
    """Return what calibrates as ONNX Runtime's quantize_static does by entropy; it returns the number of ranges."""
    import onnx  # noqa: PLC0415
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod  # noqa: PLC0415
    from onnxruntime.quantization.calibrate import create_calibrator  # noqa: PLC0415

    from trtflow.reference.lower.lower import lower  # noqa: PLC0415
    from trtflow.reference.lower.precision import Precisions  # noqa: PLC0415
    from trtflow.reference.record.enums import DataType  # noqa: PLC0415

    network = define(options, folder)
    model = lower(network, Precisions(dict.fromkeys(network, DataType.FLOAT), {}))
    onnx.save(model, folder / "network.onnx")
    name = model.graph.input[0].name

    class Reader(CalibrationDataReader):
        """Serves pictures one by one."""

        def __init__(self) -> None:
            self.count = 0

        def get_next(self) -> dict[str, np.ndarray] | None:
            if self.count == options.pictures:
                return None
            self.count += 1
            return {name: random_pictures(NETWORKS[options.name], 1, self.count - 1)}

    def calibrate() -> int:
        settings = {"num_bins": BINS, "num_quantized_bins": LEVELS}
        calibrator = create_calibrator(
            folder / "network.onnx",
            augmented_model_path=str(folder / "augmented.onnx"),
            calibrate_method=CalibrationMethod.Entropy,
            extra_options=settings,
        )
        calibrator.collect_data(Reader())
        return len(calibrator.compute_data().data)

    return calibrate


SIDES = {"trtflow": ours, "onnxruntime": onnxruntimes}


def measure(side: str, options: argparse.Namespace) -> dict[str, Any]:
    """Calibrate on one side; return seconds, MiB that it added and the number of tensors."""
    with tempfile.TemporaryDirectory() as folder:
        work = SIDES[side](options, Path(folder))
        before = _peak_mib()
        begun, used = time.perf_counter(), time.process_time()
        tensors = work()
        taken = {"seconds": time.perf_counter() - begun, "processor_s": time.process_time() - used}
    return {"tensors": tensors, **taken, "peak_mib": _peak_mib() - before}


def measure_apart(side: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what `measure` does, in a process of its own; print it."""
    found = measured_apart(side)
    numbers = [str(found["tensors"]), *(f"{found[key]:.1f}" for key in ("seconds", "processor_s", "peak_mib"))]
    print(columns(["side", "tensors", "s", "processor s", "MiB"], [[side, *numbers]]), flush=True)
    return found


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Read the command line, time both sides and print them."""
    arguments = parser(__doc__)
    arguments.add_argument("--name", choices=list(NETWORKS), default="resnet50", help="the network")
    arguments.add_argument("--pictures", type=int, default=20, help="to calibrate on")
    arguments.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES), help="to time")
    arguments.add_argument("--skeletons", type=Path, default=Path("results/sizes"), help="folder of export_sizes.py")
    arguments.add_argument("--seed", type=int, default=0, help="of the weights")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    options = arguments.parse_args()

    if not (options.skeletons / options.name).is_dir():
        export = [sys.executable, Path(__file__).with_name("export_sizes.py"), "--out-dir", options.skeletons]
        run_command([*map(str, export), "--networks", options.name])
    if options.side:
        write_json(options.out, measure(options.side, options))
        return
    found = {side: measure_apart(side, options) for side in options.sides}
    write_json(options.out, {"network": options.name, "pictures": options.pictures, "sides": found})


if __name__ == "__main__":
    run(main)
