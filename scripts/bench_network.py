"""Build one network of the guide at its original size, in each precision and for each batch, and time it.

.engine/bin/python scripts/bench_network.py --name resnet50 --skeletons results/sizes --backend tensorrt \\
    --optimization-level 2 --timing-cache timing.cache --out resnet50.json

Weights are drawn here into what scripts/export_sizes.py wrote. Each batch size has an engine of its own, optimised for
it. What fails or does not fit is a row with the reason; the file is written anew before and after every row. After a
fault of a kernel the GPU takes no more work from the process: it ends, and `--resume` goes on behind its last row.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import _path  # noqa: F401
from _sizes import ALL, RANGES, Network, add_measure_options, random_pictures

from trtflow.calibration.tensors import ranged_tensors, set_range
from trtflow.cli import parser, run
from trtflow.formats import UserError
from trtflow.formats.dynamic_ranges import read_ranges
from trtflow.formats.files import copy_file, write_bytes, write_json
from trtflow.formats.skeleton import SUFFIX, fill, read_skeleton
from trtflow.runtime.backend import load
from trtflow.runtime.build import INT8, build_plan
from trtflow.runtime.devices import device_of
from trtflow.runtime.entry import engine_of
from trtflow.runtime.options import add_builder_options, builder_origin, builder_settings
from trtflow.runtime.probe import probe
from trtflow.runtime.session import Session
from trtflow.runtime.timing import measure
from trtflow.samples import definition
from trtflow.samples import load as load_sample

BEGUN = "the process ended in this row; its messages tell why"


def fill_folder(skeletons: Path, folder: Path, seed: int) -> None:
    """Make an exported model of its skeleton."""
    for path in sorted(skeletons.iterdir()):
        if path.name.endswith(SUFFIX):
            write_bytes(folder / path.name.removesuffix(SUFFIX), fill(read_skeleton(path), seed))
        else:
            copy_file(path, folder / path.name)


def give_ranges(trt: ModuleType, network: Any, path: Path) -> None:
    """Give every tensor its dynamic range; one that the parser named otherwise has the median of all."""
    ranges = read_ranges(path)
    usual = median(ranges.values())
    for tensor in ranged_tensors(trt, network):
        set_range(tensor, ranges.get(tensor.name, usual))


def build(
    trt: ModuleType,
    options: argparse.Namespace,
    export: Path,
    precision: str,
    batch_size: int,
    give_form: Callable[[ModuleType, Any], None] | None = None,
) -> bytes:
    """Return the plan of the network in a precision, for one batch size; `give_form` changes what its inputs are."""
    sample = load_sample(ALL[options.name].sample)
    define_network = definition(sample, export, precision)

    def define(trt: ModuleType, network: Any) -> None:
        define_network(trt, network)
        if precision in INT8:
            give_ranges(trt, network, export / RANGES)
        if give_form:
            give_form(trt, network)

    explicit, settings = getattr(sample, "EXPLICIT_BATCH", False), builder_settings(options)
    return build_plan(trt, define, precision, batch_size, explicit_batch=explicit, settings=settings)


def fill_inputs(session: Session, network: Network, batch: int) -> None:
    """Give an engine with several inputs, of which some are no pictures, what they would have."""
    feeds = getattr(load_sample(network.sample), "feeds", None)
    if feeds:
        session.fill(feeds(random_pictures(network, batch, seed=0)))


def measure_row(trt: ModuleType, options: argparse.Namespace, export: Path, precision: str, batch: int) -> dict:
    """Build an engine and time it, with a CUDA graph too where it can have one."""
    start = time.perf_counter()
    plan = build(trt, options, export, precision, batch)
    seconds = time.perf_counter() - start
    row: dict[str, Any] = {"build_s": round(seconds, 1), "engine_bytes": len(plan)}
    with Session(trt, engine_of(trt, plan)) as session:
        fill_inputs(session, ALL[options.name], batch)
        row["timing"] = measure({"engine": session}, batch, options.seconds)["engine"]
        try:
            row["graph"] = measure({"engine": session}, batch, options.seconds, graph=True)["engine"]
        except (RuntimeError, UserError) as error:
            row["graph_skipped"] = str(error)
    return row


def earlier_rows(path: Path, result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that a file has from an earlier process of the same command.

    Raises:
        UserError: they are of another network, backend or builder.
    """
    if not path.exists():
        return []
    earlier, wanted = json.loads(path.read_text()), json.loads(json.dumps(result))
    if others := [key for key in wanted if key != "rows" and earlier.get(key) != wanted[key]]:
        raise UserError(f"{path}: its rows are of another {others[0]}. Leave --resume out, or name another --out.")
    return earlier["rows"]


def still_works(trt: ModuleType) -> bool:
    """Return whether the device takes work; after a fault of a kernel every call of the process fails."""
    try:
        device_of(trt).create_stream().synchronize()
    except Exception:  # whatever it is, PyCUDA's errors are not importable everywhere
        return False
    return True


def add_row(trt: ModuleType, options: argparse.Namespace, export: Path, result: dict, row: dict, end: float) -> None:
    """Measure a row and write the file, first with what it says where the process does not come back."""
    rows = result["rows"]
    write_json(options.out, {**result, "rows": [*rows, {**row, "skipped": BEGUN}]})
    try:
        if time.perf_counter() > end:
            raise UserError(f"not begun within {options.time_limit:.0f} s. Raise --time-limit.")
        row |= measure_row(trt, options, export, row["precision"], row["batch_size"])
    except Exception as error:  # one engine that fails leaves the others
        row["skipped"] = f"{type(error).__name__}: {error}"
    rows.append(row)
    write_json(options.out, result)
    print(f"{options.name} {row['precision']} batch {row['batch_size']}: {told(row)}", flush=True)


def main() -> None:
    """Read the command line, fill the model, and write a row for each precision and batch size."""
    arguments = parser(__doc__)
    arguments.add_argument("--name", choices=list(ALL), required=True, help="the network")
    arguments.add_argument("--skeletons", type=Path, required=True, help="folder of export_sizes.py")
    arguments.add_argument("--seed", type=int, default=0, help="of the weights")
    arguments.add_argument("--time-limit", type=float, default=600, help="seconds after which no build is begun")
    arguments.add_argument("--resume", action="store_true", help="keep the rows of --out, and add those that it lacks")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    add_measure_options(arguments)
    add_builder_options(arguments)
    options = arguments.parse_args()

    end = time.perf_counter() + options.time_limit
    trt, network = load(options.backend), ALL[options.name]
    result: dict[str, Any] = {"network": options.name, "title": network.title, "sample": network.sample}
    result["backend"] = {"name": options.backend, **({} if options.backend == "reference" else probe())}
    result["builder"], result["rows"] = builder_origin(options), []
    if options.resume:
        result["rows"] = earlier_rows(options.out, result)
    done = {(row["precision"], row["batch_size"]) for row in result["rows"]}
    left = [(p, b) for b in options.batch_sizes for p in options.precisions if (p, b) not in done]
    with tempfile.TemporaryDirectory() as folder:
        fill_folder(options.skeletons / options.name, Path(folder), options.seed)
        for precision, batch in left:
            add_row(trt, options, Path(folder), result, {"precision": precision, "batch_size": batch}, end)
            if not still_works(trt):
                raise UserError(f"{options.out}: the GPU takes no more work from this process. Go on with --resume.")


def told(row: dict[str, Any]) -> str:
    """Return a row in words."""
    if "skipped" in row:
        return f"skipped, {row['skipped']}"
    timing = row["timing"]
    latency, rate = timing["latency_ms"]["median"], timing["images_per_s"]
    return f"built in {row['build_s']} s, {latency:.3f} ms, {rate:.0f} images/s"


if __name__ == "__main__":
    run(main)
