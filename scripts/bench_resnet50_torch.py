"""Time ResNet-50 in PyTorch, eager and compiled, at the original size with random weights; or its training.

.venv/bin/python scripts/bench_resnet50_torch.py --backend tensorrt --out resnet50_torch.json
.venv/bin/python scripts/bench_resnet50_torch.py --training 20 --width 0.25 --out training.json

The second command trains for that many steps on a CPU as the workflow does, and by a bare loop of PyTorch: the same
network, batches and optimiser, and nothing else. Both have a process of their own and take turns.

For a Python with PyTorch. The pictures are on the device already, so that its times stand beside `compute_ms` of an
engine. Float32 is without TF32. Eager is timed in both memory formats; the better one counts, and is what is compiled.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import _path  # noqa: F401
import numpy as np
import torch
from _bench import measured_apart
from _sizes import NETWORKS, add_measure_options
from torch.nn import functional

from trtflow.cli import parser, run
from trtflow.families.classifiers.network import Classifier, randomise, train
from trtflow.families.common.pytorch import prepare_torch
from trtflow.families.common.schedule import Schedule
from trtflow.formats.files import write_json
from trtflow.reporting.benchmarks import machine
from trtflow.runtime.timing import LEAST_QUERIES, percentile

DTYPES = {"fp32": torch.float32, "fp16": torch.float16}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
WARM_UP = 5  # calls, or steps of a training
BATCH, RATE, TRAINED = 32, 0.003, 96  # of introductory_parser_samples; the last is height and width


class TorchClock:
    """Milliseconds of a call, by the GPU's clock where there is one."""

    def __init__(self, device: str) -> None:
        self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if device == "cuda" else None

    def time(self, call: Callable[[], Any]) -> float:
        """Call, wait, and return how long it took."""
        if self.events is None:
            start = time.perf_counter()
            call()
            return (time.perf_counter() - start) * 1000
        self.events[0].record()
        call()
        self.events[1].record()
        self.events[1].synchronize()
        return float(self.events[0].elapsed_time(self.events[1]))


def time_calls(call: Callable[[], Any], device: str, batch_size: int, seconds: float) -> dict[str, Any]:
    """Return percentiles of a call, and images per second at its median."""
    clock = TorchClock(device)
    for _ in range(WARM_UP):
        clock.time(call)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < LEAST_QUERIES:
        times.append(clock.time(call))
    found = np.array(times)
    compute = {"mean": float(found.mean()), **{f"p{part}": percentile(found, part) for part in (50, 95, 99)}}
    return {"compute_ms": compute, "images_per_s": 1000 * batch_size / compute["p50"]}


def measure_row(model: Classifier, precision: str, batch_size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Time eager in both formats and what torch.compile makes of the better one."""
    device = "cpu" if options.backend == "reference" else "cuda"
    images = torch.rand(batch_size, 3, *NETWORKS["resnet50"].shape).to(device, DTYPES[precision])
    model = model.to(device, DTYPES[precision])

    def timed(forward: Callable[[torch.Tensor], Any], memory_format: str) -> dict[str, Any]:
        model.to(memory_format=FORMATS[memory_format])  # type: ignore[call-overload]
        shown = images.contiguous(memory_format=FORMATS[memory_format])
        start = time.perf_counter()
        forward(shown)
        first = round(time.perf_counter() - start, 1)  # of a compiled network with the compilation
        return {"first_s": first, **time_calls(partial(forward, shown), device, batch_size, options.seconds)}

    row: dict[str, Any] = {f"eager_{name}": timed(model, name) for name in FORMATS}
    best = max(FORMATS, key=lambda name: row[f"eager_{name}"]["images_per_s"])
    row |= {"eager": row[f"eager_{best}"], "memory_format": best}
    if not options.no_compile:
        torch.compiler.reset()
        try:
            row["compiled"] = timed(torch.compile(model, mode=options.compile_mode), best)
        except Exception as error:  # its compilers raise errors of many kinds; eager's times stay
            row["compile_skipped"] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return row


def train_ours(model: Classifier, images: np.ndarray, labels: np.ndarray, steps: int, threads: int) -> None:
    """Train as the workflow's job does."""
    prepare_torch(0, threads)
    train(model, images, labels, Schedule(steps, BATCH, RATE, 0))


def train_bare(model: Classifier, images: np.ndarray, labels: np.ndarray, steps: int, threads: int) -> None:
    """Train by what PyTorch's tutorials have, on channels last, which is its own advice for a CPU."""
    torch.set_num_threads(threads)
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pictures = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
    wanted, order = torch.from_numpy(labels), torch.randperm(len(images))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for step in range(steps):
        batch = order[torch.arange(step * BATCH, (step + 1) * BATCH) % len(order)]
        loss = functional.cross_entropy(model(pictures[batch]), wanted[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


TRAININGS = {"trtflow": train_ours, "bare": train_bare}


def measure_training(side: str, options: argparse.Namespace) -> dict[str, float]:
    """Return milliseconds of a step on a side, the first ones left out."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(8 * BATCH, 3, TRAINED, TRAINED)).astype(np.float32)
    labels = rng.integers(0, 10, len(images))
    torch.manual_seed(0)
    model = Classifier("resnet50", 10, options.width, TRAINED)
    TRAININGS[side](model, images, labels, WARM_UP, options.threads)
    wall, used = time.perf_counter(), time.process_time()
    TRAININGS[side](model, images, labels, options.training, options.threads)
    taken = {"ms": time.perf_counter() - wall, "processor_ms": time.process_time() - used}
    return {key: 1000 * value / options.training for key, value in taken.items()}


def compare_trainings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the median of each side's rounds, and how many times longer ours takes."""
    rounds: dict[str, list[dict[str, float]]] = {side: [] for side in TRAININGS}
    for side in [side for _ in range(options.rounds) for side in TRAININGS]:
        rounds[side].append(measured_apart(side))
    units = ("ms", "processor_ms")
    found = {side: {unit: median(row[unit] for row in rows) for unit in units} for side, rows in rounds.items()}
    ratios = {unit: found["trtflow"][unit] / found["bare"][unit] for unit in units}
    return {
        "machine": machine(),
        "width": options.width,
        "steps": options.training,
        "sides": found,
        "ratio": ratios,
        "rounds": rounds,
    }


def told(row: dict[str, Any]) -> str:
    """Return a row in words."""
    rates = [f"{kind} {row[kind]['images_per_s']:.0f} images/s" for kind in ("eager", "compiled") if kind in row]
    return ", ".join([*rates, *(row[key] for key in ("skipped", "compile_skipped") if key in row)])


def main() -> None:
    """Read the command line and write a row for each precision and batch size."""
    arguments = parser(__doc__)
    arguments.add_argument("--width", type=float, default=1.0, help="factor on the channels")
    arguments.add_argument(
        "--compile-mode", default="default", help="of torch.compile; reduce-overhead has CUDA graphs"
    )
    arguments.add_argument("--training", type=int, default=0, help="steps of a training to time, and nothing else")
    arguments.add_argument("--threads", type=int, default=2, help="of the training")
    arguments.add_argument("--rounds", type=int, default=3, help="of the training's sides")
    arguments.add_argument("--side", choices=list(TRAININGS), help=argparse.SUPPRESS)
    arguments.add_argument("--no-compile", action="store_true", help="time eager alone")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    add_measure_options(arguments)
    options = arguments.parse_args()

    if options.training:
        found = measure_training(options.side, options) if options.side else compare_trainings(options)
        write_json(options.out, found)
        if not options.side:
            print(json.dumps({key: found[key] for key in ("sides", "ratio")}, indent=2))
        return
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(0)
    device = "cpu" if options.backend == "reference" else torch.cuda.get_device_name()
    result: dict[str, Any] = {"version": torch.__version__, "device": device, "compile_mode": options.compile_mode}
    result["rows"] = []
    with torch.inference_mode():
        model = Classifier("resnet50", 1000, options.width, NETWORKS["resnet50"].shape[0]).eval()
        randomise(model, 0)
        precisions = [name for name in options.precisions if name in DTYPES]
        for precision, batch in ((p, b) for p in precisions for b in options.batch_sizes):
            row: dict[str, Any] = {"precision": precision, "batch_size": batch}
            try:
                row |= measure_row(model, precision, batch, options)
            except RuntimeError as error:  # of a batch that does not fit
                row["skipped"] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            result["rows"].append(row)
            write_json(options.out, result)
            print(f"PyTorch {precision} batch {batch}: {told(row)}", flush=True)


if __name__ == "__main__":
    run(main)
