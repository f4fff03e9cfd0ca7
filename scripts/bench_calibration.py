"""Time entropy calibration of a network at its original size, ours beside ONNX Runtime's and TensorRT's, in one run.

python scripts/bench_calibration.py --name resnet50 --pictures 20 --out bench_calibration.json
python scripts/bench_calibration.py --name resnet50 --pictures 500 --sides trtflow onnxruntime tensorrt \\
    --engine-python .engine/bin/python --out bench_calibration.json

The same float32 network with the same random weights and pictures of noise; 2,048 bins and 128 levels on all sides.
Each side has a process of its own, one after the other, for the sake of its memory: peak is what calibration adds to
what the process held before it. ONNX Runtime's keeps the values of all tensors of all pictures that it is given at
once, which are `--stride`. In TensorRT's time is that it first builds what it calibrates on. Skeletons come from
scripts/export_sizes.py, which is called where --skeletons lacks the network.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
from _bench import measured_apart
from _sizes import NETWORKS, Network, random_pictures
from bench_network import fill_folder

from trtflow.calibration.calibrators import make_calibrator
from trtflow.cli import columns, parser, run, run_command
from trtflow.formats.calibration_table import read_table
from trtflow.formats.files import write_json
from trtflow.reporting.benchmarks import machine
from trtflow.runtime.backend import load
from trtflow.runtime.build import Settings, build_plan
from trtflow.runtime.devices import device_of
from trtflow.samples import definition
from trtflow.samples import load as load_sample

BINS, LEVELS = 2048, 128
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
Work = Callable[[Callable[[], None]], int]


class Pictures:
    """Batches of one picture of noise, the seed of each its place.

    Attributes:
        batch_size: 1.
    """

    batch_size = 1

    def __init__(self, network: Network, count: int) -> None:
        self.network, self.count = network, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[np.ndarray]:
        return (random_pictures(self.network, 1, seed) for seed in range(self.count))


def build(options: argparse.Namespace, folder: Path, backend: str, precision: str, calibrator: Any = None) -> bytes:
    """Return the plan of the network, as scripts/calibrate.py has it built."""
    trt, sample = load(backend), load_sample(NETWORKS[options.name].sample)
    explicit, settings = getattr(sample, "EXPLICIT_BATCH", False), Settings(4096, optimization_level=0)
    define = definition(sample, folder, "fp32")
    return build_plan(trt, define, precision, 1, calibrator, explicit_batch=explicit, settings=settings)


def by_builder(backend: str, options: argparse.Namespace, folder: Path) -> Work:
    """Return what calibrates as a builder does, ours or TensorRT's, and returns the number of scales."""
    trt, feeds = load(backend), getattr(load_sample(NETWORKS[options.name].sample), "feeds", None)
    stream: Any = Pictures(NETWORKS[options.name], options.pictures)
    table, allocate = folder / "table", device_of(trt).allocate

    def calibrate(stop: Callable[[], None]) -> int:
        calibrator = make_calibrator(trt, "entropy2", stream, table, allocate, feeds, stop)
        build(options, folder, backend, "int8", calibrator)
        if calibrator.fault is not None:
            raise calibrator.fault
        return len(read_table(table).scales)

    return calibrate


def by_onnxruntime(options: argparse.Namespace, folder: Path) -> Work:
    """Return what calibrates as ONNX Runtime's quantize_static does by entropy, and returns the number of ranges."""
    import onnx  # noqa: PLC0415 - each process loads what its side needs
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod  # noqa: PLC0415
    from onnxruntime.quantization.calibrate import create_calibrator  # noqa: PLC0415

    from trtflow.reference.run.plan import read_plan  # noqa: PLC0415

    network = NETWORKS[options.name]
    model = read_plan(build(options, folder, "reference", "fp32"))[0]
    onnx.save(model, folder / "network.onnx")
    feeds = getattr(load_sample(network.sample), "feeds", lambda picture: {model.graph.input[0].name: picture})

    class Reader(CalibrationDataReader):
        """Serves some pictures, one by one."""

        def __init__(self, pictures: list[np.ndarray]) -> None:
            self.left = pictures

        def get_next(self) -> dict[str, np.ndarray] | None:
            return dict(feeds(self.left.pop(0))) if self.left else None

    def calibrate(stop: Callable[[], None]) -> int:
        calibrator = create_calibrator(
            folder / "network.onnx",
            augmented_model_path=str(folder / "augmented.onnx"),
            calibrate_method=CalibrationMethod.Entropy,
            extra_options={"num_bins": BINS, "num_quantized_bins": LEVELS},
        )
        pictures = iter(Pictures(network, options.pictures))
        while some := list(islice(pictures, options.stride)):
            calibrator.collect_data(Reader(some))
        found = len(calibrator.compute_data().data)
        stop()
        return found

    return calibrate


SIDES: dict[str, Callable[[argparse.Namespace, Path], Work]] = {
    "trtflow": partial(by_builder, "reference"),
    "onnxruntime": by_onnxruntime,
    "tensorrt": partial(by_builder, "tensorrt"),
}


def measure(side: str, options: argparse.Namespace) -> dict[str, Any]:
    """Calibrate on one side; return seconds up to its ranges, MiB that it added and the number of tensors."""
    taken: dict[str, float] = {}

    def stop() -> None:
        taken.update(seconds=time.perf_counter() - begun, processor_s=time.process_time() - used)
        taken["peak_mib"] = max(peak_mib() - before, 0.0)  # of memory that was given back there may be enough

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill_folder(options.skeletons / options.name, folder, options.seed)
        work = SIDES[side](options, folder)
        forget_peak()
        before = peak_mib()
        begun, used = time.perf_counter(), time.process_time()
        return {"tensors": work(stop), **taken}


def forget_peak() -> None:
    """Let the process's peak of memory be what it has now, where Linux lets a process do so."""
    if CLEAR.exists():
        CLEAR.write_text("5")


def peak_mib() -> float:
    """Return the most memory that this process had, since `forget_peak` where that can be."""
    if not CLEAR.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure_apart(side: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what `measure` does, in a process of its own; print it."""
    found = measured_apart(side, options.engine_python if side == "tensorrt" else sys.executable)
    numbers = [str(found["tensors"]), *(f"{found[key]:.1f}" for key in ("seconds", "processor_s", "peak_mib"))]
    print(columns(["side", "tensors", "s", "processor s", "MiB"], [[side, *numbers]]), flush=True)
    return found


def main() -> None:
    """Read the command line, time both sides and print them."""
    arguments = parser(__doc__)
    arguments.add_argument("--name", choices=list(NETWORKS), default="resnet50", help="the network")
    arguments.add_argument("--pictures", type=int, default=20, help="to calibrate on")
    arguments.add_argument("--stride", type=int, default=10, help="pictures that ONNX Runtime is given at once")
    arguments.add_argument(
        "--sides", nargs="+", choices=list(SIDES), default=["trtflow", "onnxruntime"], help="to time"
    )
    arguments.add_argument("--engine-python", default=sys.executable, help="Python with TensorRT, for its side")
    arguments.add_argument("--skeletons", type=Path, default=Path("results/sizes"), help="folder of export_sizes.py")
    arguments.add_argument("--seed", type=int, default=0, help="of the weights")
    arguments.add_argument("--resume", action="store_true", help="keep what --out has of other networks and sides")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    options = arguments.parse_args()

    if not (options.skeletons / options.name).is_dir():
        export = [sys.executable, Path(__file__).with_name("export_sizes.py"), "--out-dir", options.skeletons]
        run_command([*map(str, export), "--networks", options.name])
    if options.side:
        write_json(options.out, measure(options.side, options))
        return
    runs = json.loads(options.out.read_text())["runs"] if options.resume and options.out.exists() else []
    run_of = {(row["network"], row["pictures"]): row for row in runs}
    new = {"network": options.name, "pictures": options.pictures, "sides": {}}
    row = run_of.setdefault((options.name, options.pictures), new)
    for side in options.sides:
        row["sides"][side] = measure_apart(side, options)
        write_json(options.out, {"machine": machine(), "runs": list(run_of.values())})


if __name__ == "__main__":
    run(main)
