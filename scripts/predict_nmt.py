"""Let TensorFlow itself translate, with the beam search of the engines, to compare engines with.

python scripts/predict_nmt.py --checkpoint results/nmt/model/translate.ckpt --vocabulary-dir results/nmt/export \\
    --source results/nmt/data/val.de --out results/nmt/model/translations.txt
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.bpe import join
from trtflow.datasets.translation import (
    SOURCE,
    START,
    TARGET,
    padded,
    read_sentences,
    read_vocabulary,
    to_numbers,
    to_text,
)
from trtflow.formats.files import write_text
from trtflow.families.keras_digits.network import prepare_tensorflow
from trtflow.families.nmt.network import Decoder, load_checkpoint
from trtflow.runtime.beam_search import output_limits, search


def main() -> None:
    """Read the command line, translate and write."""
    arguments = parser(__doc__)
    arguments.add_argument("--checkpoint", type=Path, required=True, help="prefix of the checkpoint's files")
    arguments.add_argument("--vocabulary-dir", type=Path, required=True, help="folder of vocab.de and vocab.en")
    arguments.add_argument("--source", type=Path, required=True, help="sentences to translate")
    arguments.add_argument("--batch", type=int, default=128, help="sentences of a batch")
    arguments.add_argument("--beam", type=int, default=5, help="beam width")
    arguments.add_argument("--max-output-sequence-length", type=int, default=-1, help="negative: no limit")
    arguments.add_argument("--max-inference-samples", type=int, default=-1, help="sentences; negative: all")
    arguments.add_argument("--threads", type=int, default=2, help="another number may change the last digits")
    arguments.add_argument("--out", type=Path, required=True, help="text file to write")
    options = arguments.parse_args()

    prepare_tensorflow(0, options.threads)
    weights = load_checkpoint(options.checkpoint)
    source, target = (read_vocabulary(options.vocabulary_dir / f"vocab.{language}") for language in (SOURCE, TARGET))
    sentences = to_numbers(read_sentences(options.source, options.max_inference_samples), source)
    lines = []
    for first in range(0, len(sentences), options.batch):
        batch = sentences[first : first + options.batch]
        lengths = np.array([len(sentence) for sentence in batch], np.int32)
        decoder = Decoder(weights, padded(batch, int(lengths.max())), lengths, options.beam)
        limits = output_limits(lengths, options.max_output_sequence_length)
        found = search(decoder.step, limits, options.beam, options.beam, START)
        lines += [join(to_text(found.best(place)[0], target)) for place in range(len(batch))]
    write_text(options.out, "".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    run(main)
