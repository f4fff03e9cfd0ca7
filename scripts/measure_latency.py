"""Time the engines of a sample against one another, with a batch of one and with larger ones.

python scripts/measure_latency.py --backend-file results/backend.json --batch-sizes 1 8 \\
    --out results/ssd/latency.json fp32=results/ssd/engine.fp32.plan int8=results/ssd/engine.int8.plan
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import _path  # noqa: F401

from trtflow.cli import parser
from trtflow.formats import UserError
from trtflow.formats.files import write_json
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.session import Session, load_engine
from trtflow.runtime.timing import DURATION_S, measure
from trtflow.samples import first_batch


def main() -> None:
    """Read the command line, measure, write the percentiles."""
    arguments = parser(__doc__)
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--batch-sizes", type=int, nargs="+", default=[1], help="images a query; the first leads")
    arguments.add_argument(
        "--seconds", type=float, default=DURATION_S, help="per engine, with the first batch size; else a third"
    )
    arguments.add_argument("--sample", help="name of the sample, with --inputs")
    arguments.add_argument("--inputs", type=Path, help="npz file of prepare_inputs.py, where time depends on values")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("plans", nargs="+", metavar="PRECISION=PLAN", help="engines")
    options = arguments.parse_args()

    backend = read_backend(options.backend_file)
    plans = dict(plan.split("=", 1) for plan in options.plans)
    with ExitStack() as stack:
        sessions = {
            name: stack.enter_context(Session(*load_engine(Path(plan), backend))) for name, plan in plans.items()
        }
        if options.inputs:
            for session in sessions.values():
                session.fill(first_batch(options.sample, options.inputs, max(options.batch_sizes)))
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in sessions}
        for batch_size in dict.fromkeys(options.batch_sizes):
            seconds = options.seconds if batch_size == options.batch_sizes[0] else options.seconds / 3
            for name, row in measure(sessions, batch_size, seconds).items():
                rows[name].append(row)
            for name, session in sessions.items():
                rows[name] += measure_graph(name, session, batch_size, options.seconds / 3)
    write_json(options.out, {name: headline(found) for name, found in rows.items()})


def measure_graph(name: str, session: Session, batch_size: int, seconds: float) -> list[dict[str, Any]]:
    """Return the row of an engine that is launched as a CUDA graph; none where there are none."""
    try:
        found = measure({name: session}, batch_size, seconds, graph=True)
    except (RuntimeError, UserError) as error:
        print(f"{name}: no CUDA graph ({error})")
        return []
    return [{**found[name], "cuda_graph": True}]


def headline(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the first row's latency and queries per second, and all rows."""
    return {"latency_ms": rows[0]["latency_ms"], "throughput_per_s": rows[0]["queries_per_s"], "timing": rows}


if __name__ == "__main__":
    run_on_backend(main)
