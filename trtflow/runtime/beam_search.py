"""Beam search: keep the few best beginnings of a translation, extend each by a word, keep the few best again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from trtflow.formats import UserError

END = 2  # the number of </s>
Step = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


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
        self._traced: tuple[np.ndarray, np.ndarray] | None = None

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
        self._traced = None
        self.parents[:, :width], self.words[:, :width] = parents, extended
        if self.steps >= self._shortest:
            self._ended |= (self.steps >= self._limits)[:, np.newaxis]

    def best(self, sentence: int) -> tuple[list[int], list[int]]:
        """Return the words of a sentence's best translation, without </s>, and which hypothesis each came from."""
        if self._traced is None:
            self._traced = self._trace()
        words, places = (values[: self._limits[sentence], sentence].tolist() for values in self._traced)
        end = words.index(END) if END in words else len(words)
        return words[:end], places[:end]

    def _trace(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the words of the best hypotheses and which each came from, int [steps, batch], from the last back."""
        rows = np.arange(len(self._limits))
        place, words, places = np.zeros_like(rows), [], []
        for parents, followers in reversed(self._history):
            words.append(followers[rows, place])
            place = parents[rows, place]
            places.append(place)
        shape = (self.steps, len(rows))
        return np.array(words[::-1]).reshape(shape), np.array(places[::-1]).reshape(shape)


def search(step: Step, limits: np.ndarray, beam: int, width: int, start: int) -> BeamSearch:
    """Run a network until the best hypothesis of every sentence has ended.

    Args:
        step: takes words and parents, int32 [batch, beam]; returns what `BeamSearch.advance` takes.
        limits, beam, width, start: of `BeamSearch`.
    """
    found = BeamSearch(limits, beam, width, start)
    while not found.done:
        found.advance(*step(found.words, found.parents))
    return found


class Stepper(Protocol):
    """A network that computes while the host does something else."""

    def start(self, words: np.ndarray, parents: np.ndarray) -> None:
        """Begin a step with words and parents, int32 [batch, beam]."""
        ...

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what `BeamSearch.advance` takes when the step is done."""
        ...


def search_together(pairs: Sequence[tuple[Stepper, BeamSearch]], steps: int | None = None) -> None:
    """Run networks in turns: while one computes, the host extends the hypotheses of another.

    Args:
        pairs: the networks, each with its own sentences.
        steps: how often each is run; None until the best hypothesis of every sentence has ended.
    """
    for stepper, found in pairs:
        stepper.start(found.words, found.parents)
    running = list(pairs)
    while running:
        for stepper, found in list(running):
            found.advance(*stepper.finish())
            if found.done if steps is None else found.steps >= steps:
                running.remove((stepper, found))
            else:
                stepper.start(found.words, found.parents)


def output_limits(lengths: np.ndarray, most: int) -> np.ndarray:
    """Return the most words of each translation; where `most` is negative, twice as many as the sentence has.

    That is what TensorFlow's NMT framework does in place of no limit.
    """
    return np.full(len(lengths), most) if most >= 0 else 2 * lengths
