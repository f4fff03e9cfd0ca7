"""English text as numbers, a number a character.

The mini text ships with CPython: the topics of its interactive help (`pydoc_data`), about 465,000 characters of English
on the language. Another version of Python has other topics, and so another text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import read_text, refuse_damage
from trtflow.formats.files import write_text
from trtflow.job import Job
from trtflow.steps import required

PLAIN = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "...", "\u2013": "-", "\u2014": "--"}
)  # quotation marks, ellipsis and dashes; what else is not ASCII is left out
AGAIN = "Make the data again."


def make_data(job: Job) -> None:
    """Make the text of a character model, or split a given one: train.txt, val.txt (its end), each character's number.

    Numbers are dealt out where none are given.
    """
    text = read_text(job.input("text")) if job.files("text") else topics_text()
    text = write_splits(job.output("train").parent, text, job.setting("splits.train"), required(job, "splits.val"))
    known = read_vocabulary(job.input("known")) if job.files("known") else number_characters(text)
    write_vocabulary(job.output("vocabulary"), known)


def topics_text() -> str:
    """Return the topics of Python's interactive help, in printable ASCII."""
    from pydoc_data.topics import topics  # noqa: PLC0415 - only where the data are made

    text = "\n\n".join(topics[name] for name in sorted(topics)).translate(PLAIN)
    return "".join(char for char in text if char == "\n" or " " <= char <= "~")


def write_splits(folder: Path, text: str, train: int | None, val: int) -> str:
    """Write the end of a text as `val.txt`, and what comes before it as `train.txt`; return both together.

    Args:
        folder: where to write.
        text: the text.
        train: characters to train on; None for all that val leaves.
        val: characters to score on.

    Raises:
        UserError: the text is shorter than that.
    """
    wanted = val + (1 if train is None else train)
    if val < 2 or wanted > len(text):
        raise UserError(f"{wanted} characters wanted, {val} of them to score on, and the text has {len(text)}.")
    text = text if train is None else text[-wanted:]
    write_text(folder / "train.txt", text[:-val])
    write_text(folder / "val.txt", text[-val:])
    return text


def number_characters(text: str) -> dict[str, int]:
    """Return the number of each character of a text, in the order of their code points."""
    return {char: index for index, char in enumerate(sorted(set(text)))}


def write_vocabulary(path: Path, numbers: Mapping[str, int]) -> None:
    """Write the numbers of characters as JSON."""
    write_text(path, json.dumps(dict(numbers), indent=2) + "\n")


def read_vocabulary(path: Path) -> dict[str, int]:
    """Return the number of each character, from 0 without gaps.

    Raises:
        FormatError: the file is no such table.
    """
    with refuse_damage(path, "not a vocabulary", AGAIN):
        numbers = dict(json.loads(read_text(path)))
        counted = sorted(numbers.values(), key=str) == sorted(range(len(numbers)), key=str)
    if not counted or not all(type(number) is int for number in numbers.values()) or not all(map(_single, numbers)):
        raise FormatError(path, f"its entries are not {len(numbers)} characters with numbers from 0 on", AGAIN)
    return numbers


def _single(char: str) -> bool:
    return len(char) == 1


def encode(text: str, vocabulary: Mapping[str, int], name: object) -> np.ndarray:
    """Return a text's numbers, int32 [characters].

    Args:
        text: the text.
        vocabulary: the number of each character.
        name: what the text is, for errors.

    Raises:
        FormatError: the text is empty, or has a character that the vocabulary lacks.
    """
    if not text:
        raise FormatError(str(name), "the text is empty", "Give at least one character.")
    for place, char in enumerate(text):
        if char not in vocabulary:
            line = text.count("\n", 0, place) + 1
            known = "".join(sorted(vocabulary)).replace("\n", "\\n")
            fault = f"character {char!r} (line {line}, character {place + 1}) is not in the vocabulary"
            raise FormatError(str(name), fault, f"Leave it out, or train on a text that has it. Known: {known}")
    return np.array([vocabulary[char] for char in text], np.int32)


def decode(numbers: Iterable[int], vocabulary: Mapping[str, int]) -> str:
    """Return the text of numbers."""
    chars = {number: char for char, number in vocabulary.items()}
    return "".join(chars[int(number)] for number in numbers)
