"""Time the layers of sampleNMT's two engines while they translate a batch of sentences (guide §11.3, --profile).

python scripts/profile_translation.py --encoder results/nmt/encoder.fp32.plan --plan results/nmt/engine.fp32.plan \\
    --precision fp32 --backend-file results/backend.json --export-dir results/nmt/export \\
    --source results/nmt/data/val.de --out results/nmt/profile.fp32.json

The time of a layer is that of a whole batch: the generator's layers run once for each word of the longest translation.
"""

from contextlib import closing
from functools import partial
from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser
from trtflow.formats.files import write_json
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line, translate with profilers attached, write the mean time of each layer."""
    arguments = parser(__doc__)
    arguments.add_argument("--encoder", type=Path, required=True, help="engine of the encoder")
    arguments.add_argument("--plan", type=Path, required=True, help="engine of the generator")
    arguments.add_argument("--precision", required=True, help="the engines' precision, for the record")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the weights and vocabularies")
    arguments.add_argument("--source", type=Path, required=True, help="sentences; the first batch is translated")
    arguments.add_argument("--batch", type=int, default=128, help="sentences of a batch")
    arguments.add_argument("--lanes", type=int, default=1, help="parts of a batch that the engines take in turns")
    arguments.add_argument("--max-output-sequence-length", type=int, default=-1, help="negative: no limit")
    arguments.add_argument("--iterations", type=int, default=1, help="translations of the batch to take the mean of")
    arguments.add_argument(
        "--aggregate-profile", action="store_true", help="add up layers of the same name, whichever engine they are of"
    )
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    sample, backend = load_sample("nmt"), read_backend(options.backend_file)
    model = sample.read_model(options.export_dir)
    _, sentences = sample.read_source(options.source, model, options.batch)
    most = options.max_output_sequence_length
    plans = options.encoder, options.plan
    trt, translator = sample.load_translator(*plans, backend, options.batch, most, options.lanes)
    translate = partial(translator.translate, sentences, model.beam)
    with closing(translator):
        translate()  # a warm-up, which no profiler sees
        layers = sample.profile_translation(
            trt, translator, translate, options.iterations, aggregate=options.aggregate_profile
        )
    settings = {"iterations": options.iterations, "batch_size": options.batch}
    write_json(options.out, {"precision": options.precision, **settings, "layers": layers})


if __name__ == "__main__":
    run_on_backend(main)
