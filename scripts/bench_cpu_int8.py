"""Time the guide's networks on a CPU, in INT8 beside float32, in one run: original sizes, and those of `data: mini`.

python scripts/bench_cpu_int8.py --out bench_cpu_int8.json
python scripts/bench_cpu_int8.py --networks resnet50 --precisions fp16 --threads 1 --out bench_cpu_int8.json
python scripts/bench_cpu_int8.py --out bench_cpu_int8.json --draw speeds.png    # of what that has

The same network with the same random weights runs in our fp32 and int8, in ONNX Runtime's own quantize_static Q/DQ of
our float32 network (kernels by row; activations as int8, its default, and as uint8), and in OpenVINO where that is
installed. Sides take turns, so that whatever else the machine does meets them alike; the median counts, with one
thread of processor time, which other programs change less than the clock. Of outputs that are no boxes it tells how far
they are from float32's too. Skeletons come from scripts/export_sizes.py, which is called where --skeletons lacks a
network (minutes).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import _path  # noqa: F401
import numpy as np
import onnx
import onnxruntime
from _sizes import ALL, NARROW, Network, random_pictures
from bench_network import build, fill_folder
from onnxruntime.quantization import CalibrationDataReader, QuantType, quant_pre_process, quantize_static

from trtflow.cli import columns, parser, run, run_command
from trtflow.formats import UserError
from trtflow.formats.files import write_json
from trtflow.reference.run.plan import read_plan
from trtflow.reference.run.products import EXACT_PRODUCTS, needs_care, overflows
from trtflow.reference.run.providers import DISABLED, ONNX_RUNTIME, OPENVINO, OpenVinoSession, fitted, version_of
from trtflow.reporting.benchmarks import machine
from trtflow.runtime.backend import load
from trtflow.runtime.options import add_builder_options
from trtflow.samples import load as load_sample

DEFAULT = ("resnet50", "googlenet", "yolov3", "ssd", "tf_ssd", *NARROW)
ORT_TYPES = {"ort int8": QuantType.QInt8, "ort uint8": QuantType.QUInt8}
Feeds = Mapping[str, np.ndarray]
Query = Callable[[], Sequence[np.ndarray]]
CHOICES = ("NonMaxSuppression", "TopK")  # a network with these answers by boxes, whose order a rounding changes


class OnePicture(CalibrationDataReader):
    """Serves one feed: speed does not depend on the ranges."""

    def __init__(self, feeds: Feeds) -> None:
        self.left = [dict(feeds)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the feed, then None."""
        return self.left.pop() if self.left else None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep quantize_static's advice to itself, which it gives the root of all loggers."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def quantise(model: onnx.ModelProto, feeds: Feeds, folder: Path, activations: QuantType) -> onnx.ModelProto:
    """Return what ONNX Runtime's own quantize_static makes of a float32 network, as its guide says to call it."""
    given, prepared, quantised = (str(folder / f"{name}.onnx") for name in ("given", "prepared", "quantised"))
    onnx.save(model, given)
    options = {"QDQDisableWeightAdjustForInt32Bias": True}  # it fails on biases of one value
    reader = OnePicture(feeds)
    with quiet():
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, quantised, reader, per_channel=True, activation_type=activations, extra_options=options
        )
    return onnx.load(quantised)


def session(model: onnx.ModelProto, threads: int, *, ours: bool) -> onnxruntime.InferenceSession:
    """Return a session with a number of threads; ours with the settings that contexts have, others with the default."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    if ours and needs_care(model):
        options.add_session_config_entry(EXACT_PRODUCTS, "1")
    disabled = DISABLED if ours else []
    content = model.SerializeToString()
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(content, options, providers=providers, disabled_optimizers=disabled)


def feeds_of(network: Network, model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return a seeded picture, and what other inputs would have."""
    picture = random_pictures(network, 1, seed=0)
    feeds = getattr(load_sample(network.sample), "feeds", None)
    return dict(feeds(picture)) if feeds else {model.graph.input[0].name: picture}


def sides_of(name: str, options: argparse.Namespace) -> tuple[dict[str, Query], list[str]]:
    """Build a network's sides; return for each a function that answers one query, and the outputs to compare."""
    trt, threads = load("reference"), options.threads
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "export"
        fill_folder(options.skeletons / name, export, options.seed)
        kinds = dict.fromkeys(["fp32", *options.precisions, "int8"])
        options.name = name
        lowered = {kind: read_plan(build(trt, options, export, kind, 1))[0] for kind in kinds}
        feeds = feeds_of(ALL[name], lowered["fp32"])
        sessions: dict[str, Any] = {}
        for kind, model in lowered.items():
            sessions[kind] = session(fitted(model, ONNX_RUNTIME), threads, ours=True)
        for title, kind in ORT_TYPES.items():
            sessions[title] = session(quantise(lowered["fp32"], feeds, Path(folder), kind), threads, ours=False)
    if importlib.util.find_spec(OPENVINO) is not None:
        sessions["openvino fp32"] = OpenVinoSession(fitted(lowered["fp32"], OPENVINO), threads)
        if not overflows():
            sessions["openvino int8"] = OpenVinoSession(fitted(lowered["int8"], OPENVINO), threads)
    chosen = any(node.op_type in CHOICES for node in lowered["fp32"].graph.node)
    outputs = [] if chosen else [output.name for output in lowered["fp32"].graph.output]
    return {title: partial(found.run, None, feeds) for title, found in sessions.items()}, outputs


def errors_of(sides: Mapping[str, Query], outputs: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Return how far outputs of our other precisions are from float32's: root of the mean square, of its deviation.

    None where a precision overflows, as FP16 can with random weights. ONNX Runtime's own says little: it rounds the
    probabilities of a thousand classes to a 256th, which with random weights is to nothing.
    """
    if not outputs:
        return {}
    exact, errors = sides["fp32"](), {}
    for title in ("fp16", "int8"):
        if title in sides:
            pairs = zip(outputs, exact, sides[title](), strict=True)
            errors[title] = {name: _error(right, got) for name, right, got in pairs}
    return errors


def _error(right: np.ndarray, got: np.ndarray) -> float | None:
    found = float(np.sqrt(np.square(got - right).mean()) / right.std())
    return round(found, 6) if np.isfinite(found) else None


def measure(sides: Mapping[str, Query], seconds: float) -> dict[str, dict[str, float]]:
    """Time the sides in turns; return median, least and processor's milliseconds of each."""
    taken: dict[str, list[tuple[float, float]]] = {title: [] for title in sides}
    for query in sides.values():
        query()
    end = time.perf_counter() + seconds * len(sides)
    while time.perf_counter() < end or min(map(len, taken.values())) < 5:
        for title, query in sides.items():
            wall, used = time.perf_counter(), time.process_time()
            query()
            taken[title].append((time.perf_counter() - wall, time.process_time() - used))
    return {title: _summary(times) for title, times in taken.items()}


def _summary(times: list[tuple[float, float]]) -> dict[str, float]:
    walls, used = zip(*times, strict=True)
    found = {"median_ms": median(walls), "least_ms": min(walls), "processor_ms": median(used)}
    return {key: round(1000 * value, 3) for key, value in found.items()} | {"queries": len(times)}


def unit_of(threads: int) -> str:
    """Return by which of the times ratios are: processor time where there is one thread, the clock's for several."""
    return "processor_ms" if threads == 1 else "median_ms"


def row_of(
    name: str, found: Mapping[str, dict[str, float]], errors: Mapping[str, Mapping[str, float | None]], unit: str
) -> dict[str, Any]:
    """Return a network's row: how many times faster INT8 is than float32, and than the faster of ONNX Runtime's own."""
    times = {title: values[unit] for title, values in found.items()}
    peer = min(times[title] for title in ORT_TYPES)
    ratios = {"fp32 / int8": times["fp32"] / times["int8"], "ort / int8": peer / times["int8"]}
    if "fp16" in times:
        ratios["fp16 / fp32"] = times["fp16"] / times["fp32"]
    if "openvino int8" in times:
        ratios["fp32 / openvino int8"] = times["fp32"] / times["openvino int8"]
    rounded = {key: round(value, 2) for key, value in ratios.items()}
    return {"network": name, "title": ALL[name].title, "sides": found, "ratios": rounded, "errors": errors}


def circumstances() -> dict[str, Any]:
    """Return what the numbers depend on."""
    versions = {"onnxruntime": version_of(ONNX_RUNTIME)}
    if importlib.util.find_spec(OPENVINO) is not None:
        versions["openvino"] = version_of(OPENVINO)
    return {**machine(), "vnni": not overflows(), **versions}


def rows_of(path: Path, threads: int) -> list[dict[str, Any]]:
    """Return the rows that a file has from an earlier run.

    Raises:
        UserError: they were timed with another number of threads.
    """
    if not path.exists():
        return []
    found = json.loads(path.read_text())
    if found["threads"] != threads:
        raise UserError(f"{path}: its rows are of {found['threads']} threads. Leave --resume out, or give --threads.")
    return list(found["rows"])


def table(rows: list[dict[str, Any]], unit: str) -> str:
    """Return the rows for people, milliseconds and ratios."""
    sides = list(dict.fromkeys(title for row in rows for title in row["sides"]))
    ratios = list(dict.fromkeys(title for row in rows for title in row["ratios"]))
    cells = [
        [row["network"]]
        + [f"{row['sides'][side][unit]:.1f}" if side in row["sides"] else "" for side in sides]
        + [str(row["ratios"].get(ratio, "")) for ratio in ratios]
        for row in rows
    ]
    return columns([f"{unit} of a picture", *sides, *ratios], cells)


def error_table(rows: list[dict[str, Any]]) -> str:
    """Return for each output how far our other precisions are from float32."""
    cells = []
    for row in rows:
        for output in row["errors"].get("int8", {}):
            found = [row["errors"].get(title, {}).get(output) for title in ("fp16", "int8")]
            cells.append([f"{row['network']}, {output}", *("" if value is None else f"{value:.4f}" for value in found)])
    return columns(["differs from fp32", "fp16", "int8"], cells)


def draw(path: Path, rows: list[dict[str, Any]], unit: str) -> None:
    """Plot how many times as fast as float32 each side of a network is."""
    from trtflow.reporting.figures import write_speeds  # noqa: PLC0415 - Matplotlib, which timing has no use for

    speeds = {}
    for row in rows:
        times = {title: side[unit] for title, side in row["sides"].items()}
        speeds[ALL[row["network"]].title] = {title: times["fp32"] / time for title, time in times.items()}
    write_speeds(path, speeds, "float32 of the same network")


def main() -> None:
    """Read the command line, time each network, print and write the table."""
    arguments = parser(__doc__)
    arguments.add_argument("--networks", nargs="+", choices=list(ALL), default=list(DEFAULT), help="which")
    arguments.add_argument("--skeletons", type=Path, default=Path("results/sizes"), help="folder of export_sizes.py")
    arguments.add_argument("--precisions", nargs="*", choices=["fp16"], default=[], help="beside fp32 and int8")
    arguments.add_argument("--threads", type=int, default=0, help="of each session; 0: as many as there are cores")
    arguments.add_argument("--seconds", type=float, default=4.0, help="of each side")
    arguments.add_argument("--seed", type=int, default=0, help="of the weights")
    arguments.add_argument("--resume", action="store_true", help="keep the rows of --out, and add those that it lacks")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("--draw", type=Path, help="PNG of what --out has; nothing is timed")
    add_builder_options(arguments)
    options = arguments.parse_args()
    if options.draw:
        known = json.loads(options.out.read_text())
        draw(options.draw, known["rows"], unit_of(known["threads"]))
        return

    missing = [name for name in options.networks if not (options.skeletons / name).is_dir()]
    if missing:
        export = [sys.executable, Path(__file__).with_name("export_sizes.py"), "--out-dir", options.skeletons]
        run_command([*map(str, export), "--networks", *missing])
    unit = unit_of(options.threads)
    result: dict[str, Any] = {"machine": circumstances(), "threads": options.threads}
    result["rows"] = rows_of(options.out, options.threads) if options.resume else []
    done = {row["network"] for row in result["rows"]}
    for name in [name for name in options.networks if name not in done]:
        sides, outputs = sides_of(name, options)
        errors = errors_of(sides, outputs)
        result["rows"].append(row_of(name, measure(sides, options.seconds), errors, unit))
        write_json(options.out, result)
        print(table(result["rows"][-1:], unit), flush=True)
    print(table(result["rows"], unit))
    print(error_table(result["rows"]))


if __name__ == "__main__":
    run(main)
