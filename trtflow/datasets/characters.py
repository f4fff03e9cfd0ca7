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
from trtflow.formats.files import write_text

PLAIN = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "...", "\u2013": "-", "\u2014": "--"}
)  # quotation marks, ellipsis and dashes; what else is not ASCII is left out
AGAIN = "Make the data again."


def write_topics(folder: Path, vocabulary: Path, train: int, val: int) -> None:
    """Write `train.txt` and, from the end of the text, `val.txt`, and the numbers of all characters in them.

    Args:
        folder: where to write the texts.
        vocabulary: JSON file to write.
        train, val: characters of each.

    Raises:
        UserError: the text is shorter than that.
    """
    from pydoc_data.topics import topics  # noqa: PLC0415 - only where the data are made

    text = "\n\n".join(topics[name] for name in sorted(topics)).translate(PLAIN)
    text = "".join(char for char in text if char == "\n" or " " <= char <= "~")
    if train + val > len(text):
        raise UserError(f"{train + val} characters wanted, Python's help has {len(text)}. Lower splits.train.")
    text = text[-train - val :]
    write_text(folder / "train.txt", text[:train])
    write_text(folder / "val.txt", text[train:])
    write_vocabulary(vocabulary, text)


def write_vocabulary(path: Path, text: str) -> None:
    """Write the numbers of a text's characters, in the order of their code points, as JSON."""
    numbers = {char: index for index, char in enumerate(sorted(set(text)))}
    write_text(path, json.dumps(numbers, indent=2) + "\n")


def read_vocabulary(path: Path) -> dict[str, int]:
    """Return the number of each character, from 0 without gaps.

    Raises:
        FormatError: the file is no such table.
    """
    try:
        numbers = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise FormatError(path, f"not a vocabulary ({error})", AGAIN) from error
    if sorted(numbers.values(), key=str) != sorted(range(len(numbers)), key=str) or not all(map(_single, numbers)):
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
