"""Translations beside the right ones."""

from __future__ import annotations

from pathlib import Path

from trtflow.datasets.bpe import join
from trtflow.datasets.translation import read_sentences
from trtflow.formats import FormatError
from trtflow.job import Job


def read_references(job: Job) -> list[str]:
    """Return the right translations of the sentences that are scored."""
    lines = read_sentences(job.inputs["val"][1], job.setting("inference.max_inference_samples", -1))
    return [join(line) for line in lines]


def read_translations(path: Path, references: list[str]) -> list[str]:
    """Return the lines of a file of translations.

    Raises:
        FormatError: they are not as many as the right ones.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) != len(references):
        fault = f"{len(lines)} translations, but there are {len(references)} sentences"
        raise FormatError(path, fault, "Run infer.py again.")
    return lines
