"""From sentences to translations: the encoder once, the generator step after step.

The guide's form has the host extend the hypotheses behind every step. The generator of layers does that by itself
(trtflow/samples/nmt/search.py): its steps follow each other, and the host asks now and then whether all have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.translation import END, START
from trtflow.formats import UserError
from trtflow.runtime.beam_search import Hypotheses, output_limits, search
from trtflow.runtime.loop import StepLoop
from trtflow.runtime.profile import layer_recorder, mean_times
from trtflow.runtime.session import load_engine
from trtflow.samples.nmt import bindings as b
from trtflow.samples.nmt.encoders import ChunkEncoder, WholeEncoder, is_of_layers
from trtflow.samples.nmt.search import first_scores, outside_of

UNASKED = 4  # steps of a generator that searches by itself before the host asks whether all have ended


class Translator:
    """Both engines and what is between them. Memory is given back by `close`.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        encoder, generator: the engines.
        batch_size: sentences of a batch, at most that of the engines; a smaller batch is filled up.
        most: most words of a translation; negative is no limit, see `output_limits`.

    Attributes:
        searches: whether the generator extends the hypotheses by itself.
    """

    def __init__(self, trt: ModuleType, encoder: Any, generator: Any, batch_size: int, most: int = -1) -> None:
        self.batch_size, self._most = batch_size, most
        self.searches = layers = is_of_layers(encoder)  # and so is the generator
        fed_back = b.PLAIN_FEEDBACK if layers else b.FEEDBACK
        self.generator = StepLoop(trt, generator, fed_back, batch_size=batch_size, record=layers)
        try:
            self.encoder = (ChunkEncoder if layers else WholeEncoder)(trt, encoder, self.generator)
        except UserError:  # no memory for both
            self.generator.close()
            raise
        self.beam = self.generator.shape(b.BEAM_WORDS)[1]

    def close(self) -> None:
        """Give the memory back; harmless when that was done."""
        self.encoder.loop.close()
        self.generator.close()

    def profile(self, encoder: Any, generator: Any) -> None:
        """Report the layers' times of both engines to TensorRT profilers from now on, which may be the same one."""
        self.encoder.loop.profile(encoder)
        self.generator.profile(generator)

    def begin(self, sentences: Sequence[np.ndarray]) -> np.ndarray:
        """Encode sentences int32 [words] and hand states and memory over; return their lengths, int32 [batch]."""
        filled = [*sentences, *[np.array([END], np.int32)] * (self.batch_size - len(sentences))]
        lengths = np.array([len(sentence) for sentence in filled], np.int32)
        self.encoder.encode(filled, lengths)
        self.generator.clear(b.ATTENTION_IN)
        self.generator.write(b.BEAM_LENGTHS, np.repeat(lengths, self.beam))
        return lengths

    def step(self, words: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return likelihoods float32 and numbers int32 of the likeliest words, [batch, beam, beam].

        Args:
            words: what each hypothesis ends with, int32 [batch, beam].
            parents: which hypothesis of the step before it goes on from, int32 [batch, beam].
        """
        given = {b.BEAM_WORDS: words, b.PARENTS: parents}
        likelihoods, candidates = self.generator.step(given, (b.LIKELIHOODS, b.CANDIDATES))
        return likelihoods, candidates

    def search(self, sentences: Sequence[np.ndarray], width: int, steps: int | None = None) -> Hypotheses:
        """Translate at most a batch of sentences, keeping `width` hypotheses of each.

        Args:
            sentences: int32 [words] each.
            width: hypotheses of each.
            steps: words of each translation, whether it ends before or not; None until all have ended.

        Raises:
            UserError: a probability is no number.
        """
        lengths = self.begin(sentences)
        limits = output_limits(lengths, self._most) if steps is None else np.full(self.batch_size, steps)
        limits = np.where(np.arange(self.batch_size) < len(sentences), limits, 1)
        if self.searches:
            return self._search_there(limits, width, steps)
        return search(self.step, limits, self.beam, width, START, steps).found

    def _search_there(self, limits: np.ndarray, width: int, steps: int | None) -> Hypotheses:
        """Let the generator search by itself, as often as asked or until all have ended."""
        self._begin_search(width)
        done = UNASKED if steps is None else steps
        self.extend(done)
        while steps is None and not (self._best_ended() | (done >= limits)).all():
            self.extend(UNASKED)
            done += UNASKED
        return self._hypotheses(limits)

    def _begin_search(self, width: int) -> None:
        """Begin with hypotheses that are all the same, of which `width` are to be kept; forget those from before."""
        generator, batch = self.generator, self.batch_size
        generator.write(b.BEAM_WORDS, np.full((batch, self.beam), START, np.int32))
        generator.write(b.SCORES_IN, first_scores(batch, self.beam))
        generator.write(b.OUTSIDE, outside_of(width, batch, self.beam))
        for name in (b.PARENTS, b.ENDED_IN, b.SEEN_IN):
            generator.clear(name)
        for name in b.CHOSEN:
            generator.kept(name)

    def extend(self, words: int) -> None:
        """Let the generator extend its hypotheses by some words. On a GPU this returns before that is done."""
        self.generator.run(words, b.CHOSEN)

    def _best_ended(self) -> np.ndarray:
        """Return whether the best hypothesis of each sentence has ended, bool [batch]."""
        ended: np.ndarray = self.generator.read(b.ENDED_OUT)[:, 0, 0] > 0
        return ended

    def _hypotheses(self, limits: np.ndarray) -> Hypotheses:
        """Return what the generator found; `limits` are the most words of each translation."""
        words, parents = (list(self.generator.kept(name)) for name in b.CHOSEN)
        seen = self.generator.read(b.SEEN_OUT)
        if spoilt := int(seen.size - np.isfinite(seen).sum()):
            raise UserError(
                f"probabilities of the next word are no numbers behind {spoilt} of {seen.size} hypotheses. Look at the "
                "weights of the decoder and its precision."
            )
        return Hypotheses(words, parents, limits)

    def translate(self, sentences: Sequence[np.ndarray], width: int) -> list[list[int]]:
        """Return the translation of each sentence, of any number of them."""
        translations: list[list[int]] = []
        for first in range(0, len(sentences), self.batch_size):
            batch = sentences[first : first + self.batch_size]
            found = self.search(batch, width)
            translations += [found.best(place)[0] for place in range(len(batch))]
        return translations

    def attention(self, sentence: np.ndarray) -> tuple[list[int], np.ndarray]:
        """Return a sentence's translation, and how far each word looked at each: float32 [words, source words]."""
        lengths, maps = self.begin([sentence]), []

        def step(words: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = self.step(words, parents)
            maps.append(self.generator.read(b.ALIGNMENT)[0])
            return found

        limits = np.minimum(output_limits(lengths, self._most), np.where(np.arange(self.batch_size) == 0, 1 << 30, 1))
        words, places = search(step, limits, self.beam, self.beam, START).best(0)
        rows = [maps[index][place, : len(sentence)] for index, place in enumerate(places[: len(words)])]
        return words, np.array(rows, np.float32).reshape(len(words), len(sentence))


def load_translator(
    encoder: Path, generator: Path, backend: dict[str, Any], batch_size: int, most: int = -1
) -> tuple[ModuleType, Translator]:
    """Return the implementation of TensorRT's API and a translator of two plans; see `load_engine` and `Translator`."""
    trt, generating = load_engine(generator, backend)
    _, encoding = load_engine(encoder, backend)
    return trt, Translator(trt, encoding, generating, batch_size, most)


def profile_translation(
    trt: ModuleType, translator: Translator, translate: Callable[[], object], runs: int = 1, *, aggregate: bool = False
) -> list[dict[str, Any]]:
    """Return the mean time of each layer while a function translates: its name and ms.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        translator: whose engines are timed, from now on.
        translate: what lets it translate.
        runs: to take the mean of.
        aggregate: add up layers of the same name, whichever engine they are of; else the encoder's come first, and each
            name begins with its engine's.
    """
    names = ("",) if aggregate else ("encoder", "generator")
    recorders = [layer_recorder(trt) for _ in names]
    translator.profile(recorders[0], recorders[-1])
    for _ in range(runs):
        translate()
    return [
        layer
        for name, recorder in zip(names, recorders, strict=True)
        for layer in mean_times(recorder.totals, runs, name)
    ]
