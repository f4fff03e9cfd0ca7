"""Beam search: keep the few best beginnings of a translation, extend each by a word, keep the few best again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
        self._limits, self._width = limits, width
        self.words = np.full((batch, beam), start, np.int32)
        self.parents = np.zeros((batch, beam), np.int32)
        self._scores = np.full((batch, width), -np.inf)
        self._scores[:, 0] = 0.0  # all are the same at first, so that one counts
        self._ended = np.zeros((batch, width), bool)
        self._history: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def done(self) -> bool:
        """Whether the best hypothesis of every sentence has ended: scores only fall, so that none can overtake it."""
        return bool(self._ended[:, 0].all())

    def advance(self, probabilities: np.ndarray, words: np.ndarray) -> None:
        """Extend the hypotheses.

        Args:
            probabilities: float [batch, beam, beam], of the likeliest words behind each hypothesis, falling.
            words: int32 of the same shape, those words.
        """
        width = self._width
        with np.errstate(divide="ignore"):
            steps = np.log(probabilities[:, :width, :width].astype(np.float64))
        steps[self._ended] = np.where(np.arange(width) == 0, 0.0, -np.inf)
        followers = np.where(self._ended[..., None], END, words[:, :width, :width])
        scores = (self._scores[..., None] + steps).reshape(len(steps), -1)
        chosen = np.argsort(-scores, axis=1, kind="stable")[:, :width]
        self._scores = np.take_along_axis(scores, chosen, axis=1)
        self.parents[:, :width] = chosen // width
        self.words[:, :width] = np.take_along_axis(followers.reshape(len(steps), -1), chosen, axis=1)
        self._history.append((self.parents[:, :width].copy(), self.words[:, :width].copy()))
        late = len(self._history) >= self._limits
        self._ended = (self.words[:, :width] == END) | np.take_along_axis(self._ended, chosen // width, 1)
        self._ended |= late[:, None]

    def best(self, sentence: int) -> tuple[list[int], list[int]]:
        """Return the words of a sentence's best translation, without </s>, and which hypothesis each came from."""
        place, words, places = 0, [], []
        for parents, followers in reversed(self._history):
            words.append(int(followers[sentence, place]))
            place = int(parents[sentence, place])
            places.append(place)
        words, places = words[::-1], places[::-1]
        end = words.index(END) if END in words else len(words)
        end = min(end, int(self._limits[sentence]))
        return words[:end], places[:end]


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


def output_limits(lengths: np.ndarray, most: int) -> np.ndarray:
    """Return the most words of each translation; where `most` is negative, twice as many as the sentence has.

    That is what TensorFlow's NMT framework does in place of no limit.
    """
    return np.full(len(lengths), most) if most >= 0 else 2 * lengths
