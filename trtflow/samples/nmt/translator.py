"""From sentences to translations: the encoder once, the generator step after step."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.translation import END, START
from trtflow.runtime.beam_search import BeamSearch, output_limits, search
from trtflow.runtime.loop import StepLoop
from trtflow.samples.nmt import engines as e
from trtflow.samples.nmt.encoders import make_encoder


class Translator:
    """Both engines and what is between them. Memory is given back by `close`.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        encoder, generator: the engines.
        batch_size: sentences of a batch, at most that of the engines; a smaller batch is filled up.
        most: most words of a translation; negative is no limit, see `output_limits`.
    """

    def __init__(self, trt: ModuleType, encoder: Any, generator: Any, batch_size: int, most: int = -1) -> None:
        self._generator = StepLoop(trt, generator, e.FEEDBACK, batch_size=batch_size)
        self._encoder = make_encoder(trt, encoder, self._generator)
        self.batch_size, self._most = batch_size, most
        self.beam = self._generator.shape(e.BEAM_WORDS)[1]

    def close(self) -> None:
        """Give the memory back; harmless when that was done."""
        self._encoder.loop.close()
        self._generator.close()

    def begin(self, sentences: Sequence[np.ndarray]) -> np.ndarray:
        """Encode sentences int32 [words] and hand states and memory over; return their lengths, int32 [batch]."""
        filled = [*sentences, *[np.array([END], np.int32)] * (self.batch_size - len(sentences))]
        lengths = np.array([len(sentence) for sentence in filled], np.int32)
        self._encoder.encode(filled, lengths)
        self._generator.clear(e.ATTENTION_IN)
        self._generator.write(e.BEAM_LENGTHS, np.repeat(lengths, self.beam))
        return lengths

    def step(self, words: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return likelihoods float32 and numbers int32 of the likeliest words, [batch, beam, beam]."""
        chances, found = self._generator.step({e.BEAM_WORDS: words, e.PARENTS: parents}, (e.LIKELIHOODS, e.CANDIDATES))
        return chances, found

    def search(self, sentences: Sequence[np.ndarray], width: int) -> BeamSearch:
        """Translate at most a batch of sentences, keeping `width` hypotheses of each."""
        lengths = self.begin(sentences)
        limits = np.where(np.arange(self.batch_size) < len(sentences), output_limits(lengths, self._most), 1)
        return search(self.step, limits, self.beam, width, START)

    def translate(self, sentences: Sequence[np.ndarray], width: int) -> list[list[int]]:
        """Return the translation of each sentence, of any number of them."""
        found: list[list[int]] = []
        for first in range(0, len(sentences), self.batch_size):
            batch = sentences[first : first + self.batch_size]
            searched = self.search(batch, width)
            found += [searched.best(place)[0] for place in range(len(batch))]
        return found

    def attention(self, sentence: np.ndarray) -> tuple[list[int], np.ndarray]:
        """Return a sentence's translation, and how far each word looked at each: float32 [words, source words]."""
        lengths, maps = self.begin([sentence]), []

        def step(words: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = self.step(words, parents)
            maps.append(self._generator.read(e.ALIGNMENT)[0])
            return found

        limits = np.minimum(output_limits(lengths, self._most), np.where(np.arange(self.batch_size) == 0, 1 << 30, 1))
        words, places = search(step, limits, self.beam, self.beam, START).best(0)
        rows = [maps[index][place, : len(sentence)] for index, place in enumerate(places[: len(words)])]
        return words, np.array(rows, np.float32).reshape(len(words), len(sentence))
