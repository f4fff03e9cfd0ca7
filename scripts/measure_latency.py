"""Time the engines of a sample against one another, in turns, with a batch of one.

python scripts/measure_latency.py --backend-file results/backend.json --out results/ssd/latency.json \\
    fp32=results/ssd/engine.fp32.plan int8=results/ssd/engine.int8.plan
"""

from functools import partial
from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import write_json
from trtflow.runtime.backend import read_backend
from trtflow.runtime.session import Session, load_engine
from trtflow.runtime.timing import DURATION_S, measure


def main() -> None:
    """Read the command line, measure, write the percentiles."""
    arguments = parser(__doc__)
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--seconds", type=float, default=DURATION_S, help="duration of the measurement per engine")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("plans", nargs="+", metavar="PRECISION=PLAN", help="engines")
    options = arguments.parse_args()

    backend = read_backend(options.backend_file)
    plans = dict(plan.split("=", 1) for plan in options.plans)
    sessions = {name: Session(*load_engine(Path(plan), backend)) for name, plan in plans.items()}
    queries = {name: partial(session.execute, 1) for name, session in sessions.items()}
    write_json(options.out, measure(queries, options.seconds))


if __name__ == "__main__":
    run(main)
