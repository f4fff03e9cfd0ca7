"""Training of the translator on a sample's sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtflow.datasets.translation import padded, read_sentences, read_vocabulary, to_numbers
from trtflow.families.common.schedule import schedule_of, training_settings
from trtflow.families.common.tensorflow import prepare_tensorflow
from trtflow.families.nmt.network import create_weights, save_checkpoint, train
from trtflow.formats import FormatError
from trtflow.formats.files import write_json
from trtflow.job import Job

DEFAULTS = {"steps": 1200, "batch_size": 128, "learning_rate": 0.004, "seed": 0, "threads": 2}


def train_nmt(job: Job) -> None:
    """Train on the split `train`, sentences and their translations, and write a checkpoint and the losses."""
    settings = training_settings(job, **DEFAULTS)
    prepare_tensorflow(settings["seed"], settings["threads"])
    words = [read_vocabulary(path) for path in job.files("vocabularies")]
    source, target = _read_pairs(job.files("train"), words)
    lengths = np.array([len(sentence) for sentence in source], np.int32)
    units, layers = int(job.setting("model.hidden_size", 128)), int(job.setting("model.layers", 2))
    weights = create_weights(len(words[0]), len(words[1]), units, layers)
    numbers = padded(source, int(lengths.max())), lengths, padded(target, max(map(len, target)) + 1)
    losses = train(weights, *numbers, schedule_of(settings))
    save_checkpoint(weights, job.output("checkpoint").with_suffix(""))
    write_json(job.output("training"), {"loss": {"training": losses}})


def _read_pairs(paths: tuple[Path, ...], words: list[list[str]]) -> list[list[np.ndarray]]:
    """Return sentences and translations as numbers of words.

    Raises:
        FormatError: there are not as many of each.
    """
    numbers = [to_numbers(read_sentences(path), known) for path, known in zip(paths, words, strict=True)]
    source, target = numbers
    if len(source) != len(target):
        fault = f"{len(target)} translations of {len(source)} sentences"
        raise FormatError(paths[1], fault, "Make the data again.")
    return numbers
