"""Translate with sampleNMT's engines (guide §11.3).

python scripts/translate.py --encoder results/nmt/encoder.fp32.plan --plan results/nmt/engine.fp32.plan \\
    --backend-file results/backend.json --export-dir results/nmt/export --data-dir results/nmt/data \\
    --data-writer text --output-file results/nmt/translations.fp32.txt
"""

import argparse
import importlib.util
import time
from contextlib import closing
from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser
from trtflow.datasets.bpe import join
from trtflow.datasets.translation import SOURCE, TARGET, read_sentences, to_text
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import write_text
from trtflow.metrics.bleu import bleu_scores
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.samples import load as load_sample

WRITERS = ("bleu", "text", "benchmark")


def main() -> None:
    """Read the command line, translate, and write what the data writer is for."""
    arguments = parser(__doc__)
    arguments.add_argument("--encoder", type=Path, required=True, help="engine of the encoder")
    arguments.add_argument("--plan", type=Path, required=True, help="engine of the generator")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the weights and vocabularies")
    arguments.add_argument("--data-dir", type=Path, required=True, help="folder of the sentences")
    arguments.add_argument("--split", default="val", help="name of the files in it, without .de and .en")
    arguments.add_argument("--data-writer", choices=WRITERS, default="bleu", help="type of the output")
    arguments.add_argument("--output-file", type=Path, help="text file to write")
    arguments.add_argument("--batch", type=int, default=128, help="sentences of a batch")
    arguments.add_argument("--lanes", type=int, default=1, help="parts of a batch that the engines take in turns")
    arguments.add_argument("--greedy-file", type=Path, help="text file for translations that keep one hypothesis")
    arguments.add_argument("--max-output-sequence-length", type=int, default=-1, help="negative: no limit")
    arguments.add_argument("--max-inference-samples", type=int, default=-1, help="sentences; negative: all")
    arguments.add_argument("--attention-out", type=Path, help="npz file for what the first sentence's words looked at")
    options = arguments.parse_args()

    sample, backend = load_sample("nmt"), read_backend(options.backend_file)
    model = sample.read_model(options.export_dir)
    path, most = options.data_dir / f"{options.split}.{SOURCE}", options.max_output_sequence_length
    lines, sentences = sample.read_source(path, model, options.max_inference_samples)
    _, translator = sample.load_translator(options.encoder, options.plan, backend, options.batch, most, options.lanes)
    with closing(translator):
        start = time.perf_counter()
        found = translator.translate(sentences, model.beam)
        seconds = time.perf_counter() - start
        greedy = translator.translate(sentences, 1) if options.greedy_file else []
        if options.attention_out:
            longest = max(range(len(sentences)), key=lambda place: len(sentences[place]))
            words, weights = translator.attention(sentences[longest])
            source, target = lines[longest].split(), to_text(words, model.target).split()
            write_arrays(
                options.attention_out, {"weights": weights, "source": np.array(source), "target": np.array(target)}
            )
    translations = [join(to_text(numbers, model.target)) for numbers in found]
    if options.output_file:
        write_text(options.output_file, "".join(f"{line}\n" for line in translations))
    if options.greedy_file:
        write_text(options.greedy_file, "".join(f"{join(to_text(numbers, model.target))}\n" for numbers in greedy))
    say(options, lines, translations, seconds)


def say(options: argparse.Namespace, lines: list[str], translations: list[str], seconds: float) -> None:
    """Print what the data writer is for: sentences a second, BLEU, or sentences and their translations."""
    if options.data_writer == "benchmark":
        print(f"{len(lines)} sentences in {seconds:.3f} s: {len(lines) / seconds:.1f} sentences/s")
    elif options.data_writer == "bleu" and importlib.util.find_spec("sacrebleu") is None:
        print("This Python has no sacrebleu: score the output file with score_translation.py in one that has.")
    elif options.data_writer == "bleu":
        references = read_sentences(options.data_dir / f"{options.split}.{TARGET}", options.max_inference_samples)
        scores = bleu_scores(translations, [join(line) for line in references])
        print(f"BLEU {scores['bleu']:.2f} ({scores['signature']})")
    else:
        print("\n".join(f"{join(line)} -> {text}" for line, text in zip(lines, translations, strict=True)))


if __name__ == "__main__":
    run_on_backend(main)
