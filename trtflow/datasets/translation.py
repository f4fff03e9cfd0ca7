"""Sentences in two languages, as the guide's files have them (§11.2): one a line, tokenised, words cut by BPE.

The mini data are German and English numbers (num2words), dates and times (Babel). Both vocabularies begin with <unk>,
<s> and </s>; a word that a vocabulary lacks is <unk>.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from trtflow.datasets.bpe import encode, learn_merges
from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import read_lines
from trtflow.formats.files import write_text
from trtflow.job import Job

UNKNOWN, START, END = range(3)
SPECIAL = ("<unk>", "<s>", "</s>")
SOURCE, TARGET = "de", "en"
SENTENCES = {"train": 20000, "val": 500}  # to make where no number is given
MERGES = 150  # of byte-pair encoding, for each language, where no number is given
LARGEST = 999_999  # of the numbers
FIRST_DAY, DAYS = 693_596, 73_049  # ordinals of 1900 to 2099
PER_KIND = 3  # numbers for each date and each time
AGAIN = "Make the data again."


def make_data(job: Job) -> None:
    """Make German sentences and their English translations, tokenised and cut by BPE, and both vocabularies."""
    folder, export = job.output("train").parent, job.output("vocabularies").parent
    splits = {split: job.setting(f"splits.{split}", count) for split, count in SENTENCES.items()}
    write_pairs(folder, export, job.setting("model.merges", MERGES), job.setting("splits.seed", 0), **splits)


def write_pairs(folder: Path, export: Path, merges: int, seed: int, **splits: int) -> None:
    """Write `<split>.de` and `<split>.en`, and the vocabularies `vocab.de` and `vocab.en`.

    BPE and vocabularies come from the first split alone. No source sentence is in two splits.

    Args:
        folder: where to write the sentences.
        export: where to write the vocabularies.
        merges: of BPE, for each language.
        seed: of all splits.
        splits: sentences of each.
    """
    pairs = list(_distinct(np.random.default_rng(seed), sum(splits.values())))
    first = pairs[: next(iter(splits.values()))]
    for place, language in enumerate((SOURCE, TARGET)):
        words = Counter(word for pair in first for word in pair[place].split())
        learnt = learn_merges(words, merges)
        cut = encode((pair[place] for pair in pairs), learnt)
        pieces = Counter(piece for sentence in cut[: len(first)] for piece in sentence.split())
        ordered = sorted(pieces, key=lambda piece: (-pieces[piece], piece))
        write_text(export / f"vocab.{language}", "".join(f"{word}\n" for word in (*SPECIAL, *ordered)))
        for name, count in splits.items():
            write_text(folder / f"{name}.{language}", "".join(f"{sentence}\n" for sentence in cut[:count]))
            cut = cut[count:]


def _distinct(rng: np.random.Generator, count: int) -> Iterator[tuple[str, str]]:
    """Yield pairs of tokenised sentences, no source twice."""
    seen: set[str] = set()
    failed = 0
    while len(seen) < count:
        source, target = (tokenise(sentence) for sentence in _pair(rng))
        if source in seen:
            failed += 1
            if failed > 100 * count:
                raise UserError(f"there are no {count} different sentences. Lower splits.train.")
            continue
        seen.add(source)
        yield source, target


def _pair(rng: np.random.Generator) -> tuple[str, str]:
    """Return a sentence in both languages: a number, a date, a time, or a date with a time."""
    from datetime import date, time  # noqa: PLC0415 - with the libraries below

    from babel.dates import format_date, format_time  # noqa: PLC0415 - only where the data are made
    from num2words import num2words  # noqa: PLC0415

    kind = int(rng.integers(PER_KIND + 3))
    if kind < PER_KIND:
        digits = int(rng.integers(1, len(str(LARGEST)) + 1))
        number = int(rng.integers(10**digits))
        return num2words(number, lang=SOURCE), num2words(number, lang=TARGET)
    day = date.fromordinal(FIRST_DAY + int(rng.integers(DAYS)))
    hour = time(int(rng.integers(24)), int(rng.integers(60)))
    style = ("full", "long", "medium")[int(rng.integers(3))]
    dates = [format_date(day, style, locale=language) for language in (SOURCE, TARGET)]
    times = [format_time(hour, "short", locale=language) for language in (SOURCE, TARGET)]
    if kind == PER_KIND:
        return dates[0], dates[1]
    if kind == PER_KIND + 1:
        return f"{times[0]} Uhr", times[1]
    return f"{dates[0]} um {times[0]} Uhr", f"{dates[1]} at {times[1]}"


def tokenise(sentence: str) -> str:
    """Return words, numbers and marks with blanks between them; hyphens stay in their words."""
    return " ".join(re.findall(r"[^\W_]+(?:-[^\W_]+)*|[^\w\s]", sentence))


def read_vocabulary(path: Path) -> list[str]:
    """Return the words of a vocabulary by number.

    Raises:
        FormatError: it does not begin with <unk>, <s> and </s>, or a word is empty or there twice.
    """
    words = read_lines(path)
    if tuple(words[:3]) != SPECIAL:
        raise FormatError(path, f"its first lines are {words[:3]}, not {', '.join(SPECIAL)}", AGAIN)
    twice = [word for word, count in Counter(words).items() if count > 1 or not word]
    if twice:
        raise FormatError(path, f"the word {twice[0]!r} is empty or there twice", AGAIN)
    return words


def read_sentences(path: Path, most: int = -1) -> list[str]:
    """Return the sentences of a file, the first `most` of them; all where that is negative.

    Raises:
        FormatError: a sentence is empty, or there is none.
    """
    lines = read_lines(path)
    sentences = [line.strip() for line in (lines if most < 0 else lines[:most])]
    if not sentences:
        raise FormatError(
            path, "there are no sentences", "Give at least one, and a max_inference_samples that is not 0."
        )
    if "" in sentences:
        raise FormatError(path, f"line {sentences.index('') + 1} is empty", "Remove it there and in the translation.")
    return sentences


def to_numbers(sentences: Sequence[str], words: Sequence[str]) -> list[np.ndarray]:
    """Return the numbers of each sentence's words, int32 [words]; of one that is not in the vocabulary <unk>'s."""
    numbers = {word: number for number, word in enumerate(words)}
    return [np.array([numbers.get(word, UNKNOWN) for word in line.split()], np.int32) for line in sentences]


def check_lengths(sentences: Sequence[np.ndarray], most: int, path: object) -> None:
    """Refuse sentences of more than `most` words.

    Raises:
        FormatError: naming the line.
    """
    for line, sentence in enumerate(sentences, 1):
        if len(sentence) > most:
            fault = f"line {line} has {len(sentence)} words, the engine takes {most}"
            raise FormatError(str(path), fault, "Shorten it, or raise inference.max_input_sequence_length.")


def to_text(numbers: Iterable[int], words: Sequence[str]) -> str:
    """Return the sentence of numbers, words still cut."""
    return " ".join(words[int(number)] for number in numbers)


def padded(sentences: Sequence[np.ndarray], length: int, value: int = END) -> np.ndarray:
    """Return sentences as rows, int32 [sentences, length], `value` behind their ends."""
    rows = np.full((len(sentences), length), value, np.int32)
    for row, sentence in zip(rows, sentences, strict=True):
        row[: len(sentence)] = sentence
    return rows
