"""Byte-pair encoding of words, as subword-nmt does it: Sennrich, Haddow, Birch 2016, algorithm 1.

A word is cut into pieces of which all but the last end in `@@`. A merge never takes in a digit, so that the model sees
numbers digit by digit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

JOIN = "@@"
Pair = tuple[str, str]


def learn_merges(words: Mapping[str, int], count: int) -> list[Pair]:
    """Return the first `count` merges of words with their frequencies; of equal pairs the first in order wins."""
    cut = {word: tuple(word) for word in words}
    pairs: Counter[Pair] = Counter()
    for word, pieces in cut.items():
        _count(pairs, pieces, words[word])
    merges: list[Pair] = []
    while len(merges) < count and +pairs:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word, pieces in cut.items():
            if best[0] in pieces and best[1] in pieces:
                cut[word] = merge(pieces, best)
                _count(pairs, pieces, -words[word])
                _count(pairs, cut[word], words[word])
    return merges


def _count(pairs: Counter[Pair], pieces: Sequence[str], times: int) -> None:
    """Add the pairs of a word that may be merged."""
    for pair in pairwise(pieces):
        if not any(char.isdigit() for piece in pair for char in piece):
            pairs[pair] += times


def merge(pieces: Sequence[str], pair: Pair) -> tuple[str, ...]:
    """Return pieces with each occurrence of a pair made one, from the left."""
    found: list[str] = []
    place = 0
    while place < len(pieces):
        together = tuple(pieces[place : place + 2]) == pair
        found.append("".join(pieces[place : place + (2 if together else 1)]))
        place += 2 if together else 1
    return tuple(found)


def encode(sentences: Iterable[str], merges: Iterable[Pair]) -> list[str]:
    """Return tokenised sentences with their words cut into pieces."""
    merges, known = list(merges), dict[str, str]()

    def cut(word: str) -> str:
        if word not in known:
            pieces: tuple[str, ...] = tuple(word)
            for pair in merges:
                pieces = merge(pieces, pair) if pair[0] in pieces else pieces
            known[word] = f"{JOIN} ".join(pieces)
        return known[word]

    return [" ".join(cut(word) for word in sentence.split()) for sentence in sentences]


def join(sentence: str) -> str:
    """Return a sentence with its pieces joined; one that is left open at the end is closed."""
    return f"{sentence} ".replace(f"{JOIN} ", "").strip()
