"""Time the same plans by trtexec, by a session, and by a bare loop over TensorRT's Python API, in turns.

.engine/bin/python scripts/bench_runtime.py --skeletons results/sizes --backend tensorrt --trtexec trtexec \\
    --plans plans --engines resnet50:fp16:1 resnet50:int8:128 resnet50:int8:256:chw4-int8 --out bench_runtime.json

An engine is <network>:<precision>:<batch>, and perhaps :<format>-<type> of its inputs. Plans that are not in the folder
are built; `--build-only` does no more, so that several of these processes can build at once. All sides get pictures of
noise, and their times are read from events of the GPU, by one formula. The bare loop has one set of buffers, as trtexec
has, and does nothing but what the API asks for: it is what Python can reach. With `--contexts 2` trtexec and session
compute two batches at the same time, and the bare loop is left out; an engine for that is built with `--fixed-batch`.
trtexec is built from NVIDIA/TensorRT, samples/trtexec.

python scripts/bench_runtime.py --out bench_runtime.json --draw batches.png    # images/s by batch, of what that has
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from types import ModuleType
from typing import Any

import _path  # noqa: F401
import numpy as np
from _sizes import NETWORKS
from bench_network import build, fill_folder

from trtflow.cli import parser, run
from trtflow.formats import UserError
from trtflow.formats.files import write_bytes, write_json
from trtflow.runtime.backend import load
from trtflow.runtime.build import PRECISIONS
from trtflow.runtime.devices import device_of
from trtflow.runtime.entry import create_context, engine_of
from trtflow.runtime.io_form import FORMATS, TYPES, give_form
from trtflow.runtime.layouts import layout_of
from trtflow.runtime.messages import logger_of
from trtflow.runtime.options import add_builder_options, builder_origin
from trtflow.runtime.probe import probe
from trtflow.runtime.session import Session
from trtflow.runtime.slots import Query
from trtflow.runtime.timing import summary

WARM_UP_S = 0.3
MODES = ("plain", "graph")
HEADER = (
    "engine", "mode", "side", "queries/s", "images/s", "to trtexec", "latency ms", "to trtexec",
    "h2d", "compute", "d2h", "enqueue",
)  # fmt: skip
EVENTS = ("sent", "there", "begun", "computed", "returning", "back")


@dataclass(frozen=True)
class Case:
    """An engine to build and time; `form` is format and type of its inputs, or empty for the model's own."""

    network: str
    precision: str
    batch: int
    form: str = ""

    @property
    def plan(self) -> str:
        """Return the name of its file."""
        return ".".join(filter(None, (self.network, self.precision, str(self.batch), self.form, "plan")))


def read_case(text: str) -> Case:
    """Return what an argument says."""
    name, precision, batch, form = (*text.split(":"), "", "", "")[:4]
    layout, _, kind = form.partition("-")
    if (
        name not in NETWORKS
        or not batch.isdecimal()
        or precision not in PRECISIONS
        or (form and not (layout in FORMATS and kind in TYPES))
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is no <network>:<precision>:<batch>[:<format>-<type>]")
    return Case(name, precision, int(batch), form)


def build_case(trt: ModuleType, options: argparse.Namespace, case: Case) -> float:
    """Build the plan of a case where it is not there; return the seconds."""
    path = options.plans / case.plan
    if path.exists():
        return 0.0
    settings = argparse.Namespace(**{**vars(options), "name": case.network})
    form = partial(shape_inputs, case=case, fixed=options.fixed_batch)
    with tempfile.TemporaryDirectory() as folder:
        fill_folder(options.skeletons / case.network, Path(folder), options.seed)
        start = time.perf_counter()
        plan = build(trt, settings, Path(folder), case.precision, case.batch, form)
    write_bytes(path, plan)
    return time.perf_counter() - start


def shape_inputs(trt: ModuleType, network: Any, case: Case, fixed: bool) -> None:
    """Give the inputs of a network the form of a case, and its batch alone where that is to be `fixed`."""
    if case.form:
        layout, _, kind = case.form.partition("-")
        give_form(trt, network, layout, kind)
    for tensor in (network.get_input(index) for index in range(network.num_inputs) if fixed):
        if tuple(tensor.shape)[:1] == (-1,):
            tensor.shape = (case.batch, *tuple(tensor.shape)[1:])


def noise(trt: ModuleType, engine: Any, index: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return what an input is filled with, as trtexec does it: floats from -1 to 1, integers of their whole range."""
    dtype, rng = np.dtype(trt.nptype(engine.get_binding_dtype(index))), np.random.default_rng(index)
    if dtype.kind == "f":
        return rng.uniform(-1, 1, shape).astype(dtype)
    return rng.integers(-128, 128, shape).astype(dtype)


class Bare:
    """A loop over the API: one set of buffers, two sets of events, one graph."""

    def __init__(self, trt: ModuleType, engine: Any, shapes: dict[str, tuple[int, ...]], batch: int) -> None:
        self.device, self.context = device_of(trt), create_context(engine)
        self.streams = [self.device.create_stream() for _ in range(3)]
        implicit = engine.has_implicit_batch_dimension
        self.buffers, self.inputs, self.outputs = [], [], []
        for index in range(engine.num_bindings):
            name = engine.get_binding_name(index)
            if engine.binding_is_input(index) and not implicit:
                self.context.set_binding_shape(index, shapes[name])
        for index in range(engine.num_bindings):
            shape = tuple((engine if implicit else self.context).get_binding_shape(index))
            shape = (batch, *shape) if implicit else shape
            layout = layout_of(trt, engine, index)
            buffer = self.device.allocate(layout.nbytes(shape))
            self.buffers.append(buffer)
            part = (buffer, layout.nbytes(shape))
            if engine.binding_is_input(index):
                buffer.copy_from(layout.to_memory(noise(trt, engine, index, shape)))
                self.inputs.append(part)
            else:
                self.outputs.append(part)
        bindings, stream = [buffer.pointer for buffer in self.buffers], self.streams[1].handle
        if implicit:
            self.execute: Callable[[], object] = partial(self.context.execute_async, batch, bindings, stream)
        else:
            self.execute = partial(self.context.execute_async_v2, bindings, stream)
        self.graph: Any = None

    def record(self) -> None:
        """Let a CUDA graph be launched from now on."""
        self.execute()
        self.streams[1].synchronize()
        self.graph = self.device.capture(self.execute, self.streams[1])
        self.execute = self.graph.launch

    def queries(self) -> Iterator[Query]:
        """Yield the times of one query after another; see `Session.queries`."""
        upload, compute, download = self.streams
        copies = [partial(buffer.upload, nbytes, upload) for buffer, nbytes in self.inputs]
        returns = [partial(buffer.download, nbytes, download) for buffer, nbytes in self.outputs]
        sets = [{name: self.device.create_event() for name in EVENTS} for _ in range(self.device.depth)]
        origin, pending = self.device.create_event(), deque[tuple[dict[str, Any], float]]()
        origin.record(upload)
        for events in cycle(sets):
            if len(pending) == len(sets):
                yield _query(*pending.popleft(), origin)
            events["sent"].record(upload)
            for copy in copies:
                copy()
            events["there"].record(upload)
            compute.waiting(events["there"])()
            events["begun"].record(compute)
            start = time.perf_counter()
            self.execute()
            taken = time.perf_counter() - start
            events["computed"].record(compute)
            download.waiting(events["computed"])()
            events["returning"].record(download)
            for copy in returns:
                copy()
            events["back"].record(download)
            pending.append((events, taken))

    def close(self) -> None:
        """Give the memory back."""
        for stream in self.streams:
            stream.synchronize()
        if self.graph is not None:
            self.graph.free()
        for buffer in self.buffers:
            buffer.free()


def _query(events: dict[str, Any], enqueue: float, origin: Any) -> Query:
    events["back"].synchronize()
    pairs = {"h2d": ("there", "sent"), "compute": ("computed", "begun"), "d2h": ("back", "returning")}
    parts = {name: events[last].ms_since(events[first]) for name, (last, first) in pairs.items()}
    ends = {"start": events["sent"].ms_since(origin), "end": events["back"].ms_since(origin)}
    return Query(**parts, **ends, enqueue=enqueue * 1000)


def take(queries: Iterator[Query], seconds: float) -> list[Query]:
    """Return the queries of some seconds behind a warm-up."""
    for duration in (WARM_UP_S, seconds):
        end, found = time.perf_counter() + duration, [next(queries)]
        while time.perf_counter() < end:
            found.append(next(queries))
    return found


def trtexec_queries(options: argparse.Namespace, case: Case, words: list[str], mode: str) -> list[Query]:
    """Return the queries of a run of trtexec.

    Raises:
        UserError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times.json"
        command = [str(options.trtexec), f"--loadEngine={options.plans / case.plan}", f"--exportTimes={times}", *words]
        command += [f"--duration={options.seconds}", f"--warmUp={WARM_UP_S * 1000:.0f}", "--iterations=10"]
        command += ["--useCudaGraph"] if mode == "graph" else []
        command += ["--useSpinWait"] if options.spin else []
        command += [f"--infStreams={options.contexts}"] if options.contexts > 1 else []
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode or not times.exists():
            last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-6:]
            raise UserError(f"{' '.join(command)}: exit status {done.returncode}: {' | '.join(last)}")
        told = json.loads(times.read_text())
    return [
        Query(
            *(query[key] for key in ("h2dMs", "computeMs", "d2hMs")),
            enqueue=query["endEnqMs"] - query["startEnqMs"],
            start=query["startH2dMs"],
            end=query["endD2hMs"],
        )
        for query in told
    ]


def time_case(trt: ModuleType, options: argparse.Namespace, case: Case) -> dict[str, Any]:
    """Return what each side takes for a plan, in each mode, round for round: {mode: {side: [summary]}}."""
    trt.init_libnvinfer_plugins(logger_of(trt), "")  # a plan that holds one of TensorRT's own cannot be read without
    plan = (options.plans / case.plan).read_bytes()
    # a context holds the engine's one optimization profile, so that the bare loop's is of another engine
    engine, other = engine_of(trt, plan), engine_of(trt, plan)
    found: dict[str, Any] = {}
    with Session(trt, engine, contexts=options.contexts) as session:
        shapes = session.best_shapes(case.batch)
        index = {name: engine.get_binding_index(name) for name in shapes}
        session.fill({name: noise(trt, engine, index[name], shape) for name, shape in shapes.items()})
        words = _shape_words(engine, shapes, case.batch)
        for mode in MODES:
            bare = Bare(trt, other, shapes, case.batch)
            try:
                if mode == "graph":
                    bare.record()
                sides = {"session": partial(_of_session, session, case.batch, mode, options.seconds)}
                if options.contexts == 1:
                    sides["bare"] = partial(take, bare.queries(), options.seconds)
                if options.trtexec:
                    sides = {"trtexec": partial(trtexec_queries, options, case, words, mode), **sides}
                rounds: dict[str, list[Any]] = {side: [] for side in sides}
                for _ in range(options.rounds):
                    for side, measure in sides.items():
                        rounds[side].append(summary(measure(), case.batch))
                found[mode] = rounds
            except (RuntimeError, UserError) as error:
                found[mode] = {"skipped": str(error)}
            finally:
                bare.close()
    return found


def _of_session(session: Session, batch: int, mode: str, seconds: float) -> list[Query]:
    with closing(session.queries(batch, graph=mode == "graph")) as queries:
        return take(queries, seconds)


def _shape_words(engine: Any, shapes: dict[str, tuple[int, ...]], batch: int) -> list[str]:
    """Return how trtexec is told the batch."""
    if engine.has_implicit_batch_dimension:
        return [f"--batch={batch}"]
    dynamic = [name for name in shapes if -1 in tuple(engine.get_binding_shape(engine.get_binding_index(name)))]
    if not dynamic:
        return []
    return ["--shapes=" + ",".join(f"{name}:{'x'.join(map(str, shapes[name]))}" for name in shapes)]


def compared(rounds: dict[str, Any]) -> dict[str, Any]:
    """Return the median of the rounds of each side: queries/s, median latency, and its parts."""
    parts = {
        "queries_per_s": lambda row: row["queries_per_s"],
        "latency_ms": lambda row: row["latency_ms"]["median"],
        "p99_ms": lambda row: row["latency_ms"]["p99"],
        **{key: (lambda row, key=key: row[key]) for key in ("h2d_ms", "compute_ms", "d2h_ms", "enqueue_ms")},
    }
    return {
        side: {name: float(np.median([part(row) for row in rows])) for name, part in parts.items()}
        for side, rows in rounds.items()
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return a table of all rows, and for each side how it stands to trtexec."""
    lines = [
        f"| {' | '.join(HEADER)} |",
        "|---" * len(HEADER) + "|",
    ]
    for row in rows:
        for mode in MODES:
            sides = row.get(mode, {})
            base = sides.get("trtexec")
            for side, found in sides.items():
                if side == "skipped":
                    lines.append(f"| {row['engine']} | {mode} | {found} |")
                    continue
                rate, latency = (
                    f"{found[key] / base[key]:.3f}" if base else "" for key in ("queries_per_s", "latency_ms")
                )
                times = [f"{found[key]:.3f}" for key in ("h2d_ms", "compute_ms", "d2h_ms", "enqueue_ms")]
                speed = [f"{found['queries_per_s'] * times:.0f}" for times in (1, row["batch"])]
                cells = [row["engine"], mode, side, *speed, rate, f"{found['latency_ms']:.4f}", latency, *times]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Plot the session's images a second of one network by batch, of the faster of its modes; needs Matplotlib."""
    from trtflow.reporting.figures import write_batches  # noqa: PLC0415 - not in the engine's Python

    engines: dict[str, list[dict[str, float]]] = {}
    for row in sorted(rows, key=lambda row: row["batch"]):
        network, precision, _, *form = row["engine"].split(".")
        timed = [row[mode]["session"] for mode in MODES if "session" in row.get(mode, {})]
        if timed:
            best = max(timed, key=lambda found: found["queries_per_s"])
            point = {"batch": row["batch"], "images_per_s": row["batch"] * best["queries_per_s"]}
            name = " ".join([precision, network, *form])
            engines.setdefault(name, []).append({**point, "latency_ms": best["latency_ms"]})
    write_batches(path, engines)


def main() -> None:
    """Read the command line, build what is not there, and time it."""
    arguments = parser(__doc__)
    arguments.add_argument("--engines", type=read_case, nargs="+", default=[], help="what to build and time")
    arguments.add_argument("--skeletons", type=Path, default=Path("results/sizes"), help="folder of export_sizes.py")
    arguments.add_argument("--plans", type=Path, default=Path("plans"), help="folder for the plans")
    arguments.add_argument("--build-only", action="store_true", help="build, and time nothing")
    arguments.add_argument("--no-build", action="store_true", help="leave out what has no plan")
    arguments.add_argument("--trtexec", help="the program; without it the session is held against the bare loop alone")
    arguments.add_argument("--spin", action="store_true", help="let trtexec wait by spinning, as PyCUDA does")
    arguments.add_argument("--fixed-batch", action="store_true", help="build for the batch alone, not for less too")
    arguments.add_argument(
        "--contexts", type=int, default=1, help="batches computed at the same time by trtexec and session"
    )
    arguments.add_argument("--rounds", type=int, default=3, help="turns of the sides")
    arguments.add_argument("--seconds", type=int, default=2, help="of each measurement; trtexec takes whole ones")
    arguments.add_argument("--time-limit", type=float, default=600, help="seconds after which no engine is begun")
    arguments.add_argument("--seed", type=int, default=0, help="of the weights")
    arguments.add_argument("--backend", default="reference", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--out", type=Path, help="JSON file to write")
    arguments.add_argument("--draw", type=Path, help="PNG of what --out has by batch; nothing is timed")
    add_builder_options(arguments)
    options = arguments.parse_args()

    if options.draw:
        draw(options.draw, json.loads(options.out.read_text())["rows"])
        return
    end, trt = time.perf_counter() + options.time_limit, load(options.backend)
    result: dict[str, Any] = {"backend": {"name": options.backend}, "builder": builder_origin(options), "rows": []}
    if options.backend != "reference":
        result["backend"] |= probe()
    for case in options.engines:
        row: dict[str, Any] = {"engine": case.plan.removesuffix(".plan"), "batch": case.batch}
        try:
            if time.perf_counter() > end:
                raise UserError(f"not begun within {options.time_limit:.0f} s")
            if options.no_build and not (options.plans / case.plan).exists():
                raise UserError(f"{options.plans} has no {case.plan}")
            row["build_s"] = round(build_case(trt, options, case), 1)
            if not options.build_only:
                rounds = time_case(trt, options, case)
                row |= {mode: part if "skipped" in part else compared(part) for mode, part in rounds.items()}
                row["rounds"] = rounds
        except UserError as error:
            row["skipped"] = str(error)
        result["rows"].append(row)
        print(row["engine"], row.get("skipped") or f"built in {row['build_s']} s", flush=True)
        if options.out:
            write_json(options.out, result)
    if not options.build_only:
        print(table(result["rows"]))


if __name__ == "__main__":
    run(main)
