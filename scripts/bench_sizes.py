"""Build and time the guide's networks at their original sizes, beside PyTorch for ResNet-50, in one run.

.engine/bin/python scripts/bench_sizes.py --skeletons results/sizes --backend tensorrt --optimization-level 2 \\
    --timing-cache timing.cache --torch-python .venv/bin/python --out-dir bench_sizes

Step 2 of the comparison; scripts/export_sizes.py is step 1. Writes <network>.json for each as it goes, and sizes.md, a
table of all that are in the folder. Each network has a process of its own, and a new one after a fault that leaves the
GPU's context broken: one engine that fails leaves the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import _path  # noqa: F401
from _sizes import NETWORKS, SETTINGS, add_measure_options, repeated

from trtflow.cli import parser, run
from trtflow.formats.files import write_json, write_text
from trtflow.runtime.build import INT8
from trtflow.runtime.options import add_builder_options

SCRIPTS = Path(__file__).resolve().parent
BUILDER = ("workspace_mb", "tf32", "optimization_level", "timing_cache", "profiling_verbosity")
TORCH, COMPARED = "resnet50_torch.json", ("resnet50", "resnet50_caffe")
HEADER = (
    "network", "precision", "batch", "latency ms", "compute ms", "images/s", "graph: compute ms", "build s",
    "eager ms", "compiled ms", "eager / engine", "compiled / engine",
)  # fmt: skip


def start(python: str, script: str, words: Iterable[str], limit: float) -> bool:
    """Run a script of this folder; say what went wrong, and whether all went well."""
    try:
        code = subprocess.run([python, str(SCRIPTS / script), *words], check=False, timeout=max(limit, 1)).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{script}: {error}", flush=True)
        return False
    if code:
        print(f"{script} {' '.join(words)}: exit status {code}; its messages stand above", flush=True)
    return code == 0


def bench_network(name: str, options: argparse.Namespace, end: float) -> None:
    """Time a network; where its process dies in a row, another goes on with the rows behind it.

    Args:
        name: of the network.
        options: of the command line.
        end: moment of `time.monotonic` after which no build is begun; a process is stopped when the time up to there
            has passed twice over.
    """
    out = options.out_dir / f"{name}.json"
    out.unlink(missing_ok=True)  # what an earlier run left would look like rows of this one
    words = ["--name", name, "--skeletons", str(options.skeletons), "--out", str(out), "--resume"]
    words += repeated(options, (*SETTINGS, *BUILDER))
    rows, ended = -1, False
    while not ended and count_rows(out) > rows:  # a process that adds none would not the next time either
        rows, limit = count_rows(out), max(end - time.monotonic(), 0)
        ended = start(sys.executable, "bench_network.py", [*words, "--time-limit", str(limit)], 2 * max(limit, 60))


def count_rows(path: Path) -> int:
    """Return how many rows a network's file has."""
    return len(json.loads(path.read_text())["rows"]) if path.exists() else 0


def bench_torch(options: argparse.Namespace) -> None:
    """Time ResNet-50 in PyTorch."""
    words = ["--out", str(options.out_dir / TORCH), "--compile-mode", options.compile_mode, *repeated(options)]
    words += ["--width", str(options.torch_width), *repeated(options, ("no_compile",))]
    start(options.torch_python, "bench_resnet50_torch.py", words, options.torch_limit)


def join_torch(folder: Path) -> None:
    """Put PyTorch's rows into the files of ResNet-50."""
    if not (folder / TORCH).exists():
        return
    torch = json.loads((folder / TORCH).read_text())
    for path in (folder / f"{name}.json" for name in COMPARED):
        if path.exists():
            write_json(path, {**json.loads(path.read_text()), "pytorch": torch})


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Return what the folder has, in the order of the networks."""
    return [json.loads(path.read_text()) for name in NETWORKS if (path := folder / f"{name}.json").exists()]


def table(results: list[dict[str, Any]]) -> str:
    """Return all rows as a table in Markdown, the reasons of those that were skipped below it."""
    lines = [f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    skipped = []
    for result in results:
        for row in result["rows"]:
            if "skipped" in row:
                skipped.append(f"- {result['title']}, {row['precision']}, batch {row['batch_size']}: {row['skipped']}")
            else:
                lines.append(f"| {' | '.join([result['title'], *cells(row, torch_row(result, row))])} |")
    return "\n".join([*lines, *(["", "Not measured:", "", *skipped] if skipped else []), ""])


def torch_row(result: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return PyTorch's row of that precision and batch size; an INT8 engine stands beside fp16, PyTorch's fastest."""
    precision = "fp16" if row["precision"] in INT8 else row["precision"]
    rows = result.get("pytorch", {}).get("rows", [])
    same = (item for item in rows if (item["precision"], item["batch_size"]) == (precision, row["batch_size"]))
    return next(same, {})


def cells(row: dict[str, Any], torch: dict[str, Any]) -> list[str]:
    """Return the cells of a row; a ratio above 1 says how many times faster the engine computes."""
    timing, graph = row["timing"], row.get("graph")
    engine = min(timing["compute_ms"], graph["compute_ms"]) if graph else timing["compute_ms"]
    others = [torch.get(kind, {}).get("compute_ms", {}).get("p50") for kind in ("eager", "compiled")]
    return [
        row["precision"],
        str(row["batch_size"]),
        f"{timing['latency_ms']['median']:.3f}",
        f"{timing['compute_ms']:.3f}",
        f"{timing['images_per_s']:.0f}",
        f"{graph['compute_ms']:.3f}" if graph else "",
        f"{row['build_s']:.0f}",
        *("" if other is None else f"{other:.3f}" for other in others),
        *("" if other is None else f"{other / engine:.2f}" for other in others),
    ]


def main() -> None:
    """Read the command line, run both sides, join and write the table."""
    arguments = parser(__doc__)
    arguments.add_argument(
        "--networks", nargs="*", choices=list(NETWORKS), default=list(NETWORKS), help="in this order"
    )
    arguments.add_argument("--skeletons", type=Path, required=True, help="folder of export_sizes.py")
    arguments.add_argument("--torch-python", help="Python with PyTorch, to time ResNet-50 there; none: leave it out")
    arguments.add_argument("--torch-width", type=float, default=1.0, help="factor on that ResNet-50's channels")
    arguments.add_argument("--torch-limit", type=float, default=400, help="seconds for PyTorch")
    arguments.add_argument(
        "--compile-mode", default="default", help="of torch.compile; reduce-overhead has CUDA graphs"
    )
    arguments.add_argument("--no-compile", action="store_true", help="time PyTorch eager alone")
    arguments.add_argument(
        "--time-limit", type=float, default=900, help="seconds, behind PyTorch's, after which no build is begun"
    )
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    add_measure_options(arguments)
    add_builder_options(arguments)
    options = arguments.parse_args()

    if options.torch_python:
        bench_torch(options)
    end = time.monotonic() + options.time_limit  # PyTorch has a limit of its own
    for name in options.networks:
        bench_network(name, options, end)
    join_torch(options.out_dir)
    text = table(read_results(options.out_dir))
    write_text(options.out_dir / "sizes.md", text)
    print(text)


if __name__ == "__main__":
    run(main)
