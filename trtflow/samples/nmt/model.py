"""What sampleNMT's engines are made of: seven weight files, two vocabularies, and sizes (guide §11.5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtflow.datasets.translation import SOURCE, TARGET, check_lengths, read_sentences, read_vocabulary, to_numbers
from trtflow.formats import FormatError
from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import read_json
from trtflow.formats.nmt_weights import MATRICES, Recurrent, read_matrix, read_recurrent


@dataclass(frozen=True)
class Model:
    """The seven weight files, the vocabularies, and what the engines are built for."""

    matrices: dict[str, np.ndarray]
    encoder: Recurrent
    decoder: Recurrent
    source: list[str]
    target: list[str]
    beam: int
    max_length: int


def read_model(export: Path) -> Model:
    """§11.5: read the weights and hold their sizes against each other and against the vocabularies.

    Raises:
        FormatError: a file is damaged, or two do not belong together.
    """
    found = {name: read_matrix(export / f"{name}.bin") for name in MATRICES}
    encoder = read_recurrent(export / "encrnn.bin", found["encembed"].shape[1])
    embedding, attention = found["decembed"].shape[1], found["decatt"].shape[1]
    decoder = read_recurrent(export / "decrnn.bin", embedding + attention)
    source, target = (read_vocabulary(export / f"vocab.{language}") for language in (SOURCE, TARGET))
    units, (beam, longest) = encoder.units, _read_settings(export / "inference.json")
    shapes = {"encembed": (len(source), encoder.inputs), "decembed": (len(target), embedding)}
    shapes |= {"decmem": (units, units), "decatt": (2 * units, attention), "decproj": (attention, len(target))}
    for name, shape in shapes.items():
        if found[name].shape != shape:
            fault = f"it is {found[name].shape}, but vocabularies and the other files want {shape}"
            raise FormatError(export / f"{name}.bin", fault, "Take weights and vocabularies of the same training.")
    if (decoder.layers, decoder.units) != (encoder.layers, units):
        fault = f"{decoder.layers} layers of {decoder.units}, but the encoder has {encoder.layers} of {units}"
        raise FormatError(export / "decrnn.bin", fault, "Take files of the same training.")
    return Model(found, encoder, decoder, source, target, beam, longest)


def _read_settings(path: Path) -> tuple[int, int]:
    """Return how many hypotheses the search keeps, and how many words a sentence may have."""
    with refuse_damage(path, "not the settings of a translation", "Make it again with snakemake."):
        values = read_json(path)
        beam, longest = values["beam"], values["max_input_sequence_length"]
        if type(beam) is not int or type(longest) is not int or min(beam, longest) < 1:
            raise ValueError(f"beam {beam!r} and max_input_sequence_length {longest!r} are no positive numbers")
        return beam, longest


def read_source(path: Path, model: Model, most: int = -1) -> tuple[list[str], list[np.ndarray]]:
    """Return the first sentences of a file, all where `most` is negative, and their words' numbers, int32 [words].

    Raises:
        FormatError: there is none, or one is empty or longer than the engines take.
    """
    lines = read_sentences(path, most)
    sentences = to_numbers(lines, model.source)
    check_lengths(sentences, model.max_length, path)
    return lines, sentences
