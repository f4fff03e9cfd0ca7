"""Beam search: keep the few best beginnings of a translation, extend each by a word, keep the few best again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from trtflow.formats import UserError

END = 2  # the number of </s>
Step = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Hypotheses:
    """What a beam search found: the hypotheses behind each of its steps, best first.

    Args:
        words: int32 [batch, beam] of each step, the words that hypotheses were extended by.
        parents: int32 [batch, beam] of each step, which hypothesis of the step before each goes on from.
        limits: most words of each translation, int [batch]; what came behind them does not count.
    """

    def __init__(self, words: Sequence[np.ndarray], parents: Sequence[np.ndarray], limits: np.ndarray) -> None:
        self.steps = len(words)
        self._words, self._parents, self._limits = words, parents, limits

    @cached_property
    def _traced(self) -> tuple[np.ndarray, np.ndarray]:
        """The words of the best hypotheses and which each came from, int [steps, batch], found from the last back."""
        rows = np.arange(len(self._limits))
        place, words, places = np.zeros_like(rows), [], []
        for step in reversed(range(self.steps)):
            place = np.where(step < self._limits - 1, place, 0)
            words.append(self._words[step][rows, place])
            place = self._parents[step][rows, place]
            places.append(place)
        shape = self.steps, len(rows)
        return np.array(words[::-1]).reshape(shape), np.array(places[::-1]).reshape(shape)

    def best(self, sentence: int) -> tuple[list[int], list[int]]:
        """Return the words of a sentence's best translation, without </s>, and which hypothesis each came from."""
        words, places = (values[: self._limits[sentence], sentence].tolist() for values in self._traced)
        end = words.index(END) if END in words else len(words)
        return words[:end], places[:end]


class BeamSearch:
    """The hypotheses of a batch of sentences, best first.

    A hypothesis that ended keeps its place and its score, and falls out when enough others are better. Scores are sums
    of logarithms in float64, where sampleNMT multiplies likelihoods, which for long sentences become zero.

    Args:
        limits: most words of each translation, int [batch].
        beam: hypotheses of the network that is run.
        width: those that are kept; 1 is greedy search.
        start: the word that a translation begins with.

    Attributes:
        words: int32 [batch, beam], what each hypothesis ends with: the next step's input.
        parents: int32 [batch, beam], which hypothesis of the step before it goes on from.
    """

    def __init__(self, limits: np.ndarray, beam: int, width: int, start: int) -> None:
        batch = len(limits)
        self._limits, self._width, self._shortest = limits, width, int(limits.min())
        self.words = np.full((batch, beam), start, np.int32)
        self.parents = np.zeros((batch, beam), np.int32)
        self._scores = np.full((batch, width), -np.inf)
        self._scores[:, 0] = 0.0  # all are the same at first, so that one counts
        self._ended = np.zeros((batch, width), bool)
        self._stays = np.where(np.arange(width) == 0, 0.0, -np.inf)  # the steps of a hypothesis that ended
        self._first = width * np.arange(batch)[:, np.newaxis]  # the place of each sentence's first hypothesis
        self._history: list[tuple[np.ndarray, np.ndarray]] = []
        self._found: Hypotheses | None = None

    @property
    def steps(self) -> int:
        """How often the hypotheses were extended."""
        return len(self._history)

    @property
    def done(self) -> bool:
        """Whether the best hypothesis of every sentence has ended: scores only fall, so that none can overtake it."""
        return bool(self._ended[:, 0].all())

    def advance(self, probabilities: np.ndarray, words: np.ndarray) -> None:
        """Extend the hypotheses.

        Args:
            probabilities: float [batch, beam, beam], of the likeliest words behind each hypothesis, falling.
            words: int32 of the same shape, those words.

        Raises:
            UserError: a probability is no number.
        """
        width = self._width
        if spoilt := int(probabilities.size - np.isfinite(probabilities).sum()):
            raise UserError(
                f"step {self.steps + 1}: {spoilt} of {probabilities.size} probabilities of the next word are no "
                "numbers. Look at the weights of the decoder and its precision."
            )
        with np.errstate(divide="ignore"):
            steps = np.log(probabilities[:, :width, :width], dtype=np.float64)
        followers = words[:, :width, :width]
        if self._ended.any():
            steps[self._ended] = self._stays
            followers = np.where(self._ended[..., np.newaxis], END, followers)
        scores = (self._scores[..., np.newaxis] + steps).reshape(len(steps), -1)
        chosen = np.argsort(-scores, axis=1, kind="stable")[:, :width]
        parents, places = (chosen // width).astype(np.int32), chosen + width * self._first
        extended = followers.reshape(-1).take(places)
        self._scores = scores.take(places)
        self._ended = self._ended.take(parents + self._first) | (extended == END)
        self._history.append((parents, extended))
        self._found = None
        self.parents[:, :width], self.words[:, :width] = parents, extended
        if self.steps >= self._shortest:
            self._ended |= (self.steps >= self._limits)[:, np.newaxis]

    @property
    def found(self) -> Hypotheses:
        """The hypotheses behind each step so far."""
        if self._found is None:
            parents, words = zip(*self._history, strict=True) if self._history else ((), ())
            self._found = Hypotheses(words, parents, self._limits)
        return self._found

    def best(self, sentence: int) -> tuple[list[int], list[int]]:
        """Return what `Hypotheses.best` does."""
        return self.found.best(sentence)


def search(step: Step, limits: np.ndarray, beam: int, width: int, start: int, steps: int | None = None) -> BeamSearch:
    """Run a network until the best hypothesis of every sentence has ended.

    Args:
        step: takes words and parents, int32 [batch, beam]; returns what `BeamSearch.advance` takes.
        limits, beam, width, start: of `BeamSearch`.
        steps: how often to run it, whether all have ended or not.
    """
    found = BeamSearch(limits, beam, width, start)
    while not found.done if steps is None else found.steps < steps:
        found.advance(*step(found.words, found.parents))
    return found


def output_limits(lengths: np.ndarray, most: int) -> np.ndarray:
    """Return the most words of each translation; where `most` is negative, twice as many as the sentence has.

    That is what TensorFlow's NMT framework does in place of no limit.
    """
    return np.full(len(lengths), most) if most >= 0 else 2 * lengths
