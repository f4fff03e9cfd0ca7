"""Time engines of a character model against one another, in turns: a query is one character written, state and all.

python scripts/measure_generation.py --backend-file results/backend.json --export-dir results/char_rnn/export \\
    --out results/char_rnn/latency.json fp32=results/char_rnn/engine.fp32.plan fp16=results/char_rnn/engine.fp16.plan
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import ModuleType

import _path  # noqa: F401

from trtflow.cli import parser
from trtflow.formats.files import write_json
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.loop import StepLoop, measure_steps
from trtflow.runtime.session import load_engine
from trtflow.samples import load as load_sample


def writer(sample: ModuleType, loop: StepLoop) -> Callable[[], object]:
    """Return a function that writes one character each time it is called, from the vocabulary's first on."""
    sample.give(loop, 0)
    return partial(sample.write_on, loop, 1)


def main() -> None:
    """Read the command line, measure, write latency and characters a second."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", default="char_rnn", help="name of the sample")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder with model.wts2 and vocab.json")
    arguments.add_argument("--seconds", type=float, default=3.0, help="duration of the measurement per engine")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("plans", nargs="+", metavar="PRECISION=PLAN", help="engines")
    options = arguments.parse_args()

    sample, backend = load_sample(options.sample), read_backend(options.backend_file)
    plans = dict(plan.split("=", 1) for plan in options.plans)
    with ExitStack() as stack:
        writers = {}
        for name, plan in plans.items():
            loop = sample.make_loop(*load_engine(Path(plan), backend), options.export_dir)
            writers[name] = writer(sample, stack.enter_context(closing(loop)))
        write_json(options.out, measure_steps(writers, options.seconds))


if __name__ == "__main__":
    run_on_backend(main)
