"""Beam search against trying every translation."""

import itertools

import numpy as np
import pytest

from trtflow.formats import UserError
from trtflow.runtime.beam_search import END, BeamSearch, output_limits, search

WORDS, LIMIT, START = 4, 4, 1


def chances(prefix, seed):
    """Return probabilities of the words behind a beginning, the same whenever asked."""
    return np.random.default_rng([seed, *prefix]).dirichlet(np.full(WORDS, 0.5))


class Network:
    """Knows of each hypothesis what it is, as states on a device do."""

    def __init__(self, batch, beam):
        self.prefixes = [[()] * beam for _ in range(batch)]
        self.steps = 0

    def step(self, words, parents):
        if self.steps:
            self.prefixes = [
                [(*row[parent], int(word)) for parent, word in zip(origin, added, strict=True)]
                for row, origin, added in zip(self.prefixes, parents, words, strict=True)
            ]
        self.steps += 1
        beam = words.shape[1]
        every = np.array([[chances(prefix, seed) for prefix in row] for seed, row in enumerate(self.prefixes)])
        order = np.argsort(-every, axis=-1)[..., :beam]
        return np.take_along_axis(every, order, -1), order.astype(np.int32)


def likelihood(words, seed):
    return np.prod([chances(words[:place], seed)[word] for place, word in enumerate(words)])


def best_of_all(seed):
    ended = [
        (*middle, END)
        for length in range(LIMIT)
        for middle in itertools.product([word for word in range(WORDS) if word != END], repeat=length)
    ]
    cut = list(itertools.product([word for word in range(WORDS) if word != END], repeat=LIMIT))
    return max([*ended, *cut], key=lambda words: likelihood(words, seed))


def without_end(words):
    return [word for word in words if word != END]


def test_a_wide_beam_finds_the_best_of_all():
    beam = WORDS  # words of each hypothesis; the width is less than all beginnings, but wide enough here
    found = search(Network(6, beam).step, np.full(6, LIMIT), beam, beam, START)
    wanted = [without_end(best_of_all(seed)) for seed in range(6)]
    assert sum(found.best(seed)[0] == wanted[seed] for seed in range(6)) >= 5


def test_greedy_takes_the_likeliest_word_each_time():
    found = search(Network(3, 2).step, np.full(3, LIMIT), 2, 1, START)
    for seed in range(3):
        words = ()
        while len(words) < LIMIT and END not in words:
            words += (int(chances(words, seed).argmax()),)
        assert found.best(seed)[0] == without_end(words)


def test_what_ended_keeps_its_place_and_score():
    found = BeamSearch(np.array([9]), 2, 2, START)
    found.advance(np.array([[[0.6, 0.4], [0.6, 0.4]]]), np.array([[[3, END], [3, END]]], np.int32))
    assert not found.done
    found.advance(np.array([[[0.5, 0.1], [0.9, 0.1]]]), np.array([[[0, 3], [0, 3]]], np.int32))
    assert found.done  # 0.4 stands above 0.6 * 0.5
    assert found.best(0) == ([], [])


def test_long_translations_do_not_underflow():
    found = BeamSearch(np.array([2000]), 2, 2, START)
    for _ in range(2000):
        found.advance(np.array([[[0.3, 0.1]] * 2]), np.array([[[3, 0]] * 2], np.int32))
    assert found.best(0)[0] == [3] * 2000


@pytest.mark.parametrize(("most", "wanted"), [(-1, [6, 2]), (4, [4, 4])])
def test_limits(most, wanted):
    np.testing.assert_array_equal(output_limits(np.array([3, 1]), most), wanted)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_probability_that_is_no_number_is_told(value):
    found = BeamSearch(np.array([3]), 2, 2, START)
    with pytest.raises(UserError, match="step 1: 1 of 4 probabilities of the next word are no numbers"):
        found.advance(np.array([[[0.5, value], [0.5, 0.5]]]), np.zeros((1, 2, 2), np.int32))
