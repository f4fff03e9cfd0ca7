"""Time ResNet-50 in PyTorch, eager and compiled, at the original size with random weights.

.venv/bin/python scripts/bench_resnet50_torch.py --backend tensorrt --out resnet50_torch.json

For a Python with PyTorch. The pictures are on the device already, so that its times stand beside `compute_ms` of an
engine. Float32 is without TF32. Eager is timed in both memory formats; the better one counts, and is what is compiled.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
import torch
from _sizes import NETWORKS, add_measure_options

from trtflow.cli import parser, run
from trtflow.families.classifiers.network import Classifier, randomise
from trtflow.formats.files import write_json
from trtflow.runtime.timing import LEAST_QUERIES, percentile

DTYPES = {"fp32": torch.float32, "fp16": torch.float16}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
WARM_UP = 5  # calls


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
    arguments.add_argument("--no-compile", action="store_true", help="time eager alone")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    add_measure_options(arguments)
    options = arguments.parse_args()

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
