"""TensorFlow's own translations of a sample's sentences."""

from __future__ import annotations

import numpy as np

from trtflow.datasets.bpe import join
from trtflow.datasets.translation import START, padded, read_sentences, read_vocabulary, to_numbers, to_text
from trtflow.families.common.tensorflow import prepare_tensorflow
from trtflow.families.nmt.network import Decoder, load_checkpoint
from trtflow.formats.files import write_text
from trtflow.job import Job
from trtflow.runtime.beam_search import output_limits, search

DEFAULTS = {"batch": 128, "beam": 5, "max_output_sequence_length": -1, "max_inference_samples": -1}  # guide §11.3
THREADS = 2


def translate(job: Job) -> None:
    """Translate the sentences of `val` with the beam search of the engines, and write a line for each."""
    prepare_tensorflow(0, THREADS)
    weights = load_checkpoint(job.input("checkpoint").with_suffix(""))
    source, target = (read_vocabulary(path) for path in job.files("vocabularies"))
    size, beam, longest, most = (int(job.setting(f"inference.{key}", value)) for key, value in DEFAULTS.items())
    sentences = to_numbers(read_sentences(job.input("val"), most), source)
    lines = []
    for first in range(0, len(sentences), size):
        batch = sentences[first : first + size]
        lengths = np.array([len(sentence) for sentence in batch], np.int32)
        decoder = Decoder(weights, padded(batch, int(lengths.max())), lengths, beam)
        found = search(decoder.step, output_limits(lengths, longest), beam, beam, START)
        lines += [join(to_text(found.best(place)[0], target)) for place in range(len(batch))]
    write_text(job.output("translations"), "".join(f"{line}\n" for line in lines))
