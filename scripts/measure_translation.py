"""Time translations by engines of several precisions against one another, in turns: a query is a batch of sentences.

python scripts/measure_translation.py --backend-file results/backend.json --export-dir results/nmt/export \\
    --source results/nmt/data/val.de --results-dir results/nmt --precisions fp32 fp16 --out results/nmt/latency.json
"""

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser
from trtflow.formats.files import write_json
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.loop import measure_steps
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line, measure, write latency of a batch and sentences a second."""
    arguments = parser(__doc__)
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the weights and vocabularies")
    arguments.add_argument("--source", type=Path, required=True, help="sentences; the first batch is translated")
    arguments.add_argument("--results-dir", type=Path, required=True, help="folder of the engines")
    arguments.add_argument("--precisions", nargs="+", required=True, help="of the engines")
    arguments.add_argument("--batch", type=int, default=128, help="sentences of a batch")
    arguments.add_argument("--lanes", type=int, default=1, help="parts of a batch that the engines take in turns")
    arguments.add_argument("--max-output-sequence-length", type=int, default=-1, help="negative: no limit")
    arguments.add_argument("--seconds", type=float, default=3.0, help="duration of the measurement per precision")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    sample, backend = load_sample("nmt"), read_backend(options.backend_file)
    model = sample.read_model(options.export_dir)
    _, sentences = sample.read_source(options.source, model, options.batch)
    most = options.max_output_sequence_length
    queries = {}
    with ExitStack() as stack:
        for precision in options.precisions:
            plans = [options.results_dir / f"{part}.{precision}.plan" for part in ("encoder", "engine")]
            _, translator = sample.load_translator(*plans, backend, options.batch, most, options.lanes)
            stack.enter_context(closing(translator))
            queries[precision] = partial(translator.translate, sentences, model.beam)
        found = measure_steps(queries, options.seconds)
    for times in found.values():
        times["throughput_per_s"] *= len(sentences)  # sentences, not batches
    write_json(options.out, found)


if __name__ == "__main__":
    run_on_backend(main)
