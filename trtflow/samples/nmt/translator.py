"""From sentences to translations: the encoder once, the generator step after step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.translation import END, START
from trtflow.formats import UserError
from trtflow.runtime.beam_search import BeamSearch, output_limits, search, search_together
from trtflow.runtime.loop import StepLoop
from trtflow.runtime.profile import layer_recorder, mean_times
from trtflow.runtime.session import load_engine
from trtflow.samples.nmt import engines as e
from trtflow.samples.nmt.encoders import ChunkEncoder, WholeEncoder, is_of_layers


class Lane:
    """Both engines on a stream of their own, for a part of the sentences.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        encoder, generator: the engines.
        batch_size: sentences of a run.
    """

    def __init__(self, trt: ModuleType, encoder: Any, generator: Any, batch_size: int) -> None:
        layers = is_of_layers(encoder)  # and so is the generator
        self.generator = StepLoop(trt, generator, e.FEEDBACK, batch_size=batch_size, record=layers)
        try:
            self.encoder = (ChunkEncoder if layers else WholeEncoder)(trt, encoder, self.generator)
        except UserError:  # no memory for both
            self.generator.close()
            raise
        self._beam = self.generator.shape(e.BEAM_WORDS)[1]

    def close(self) -> None:
        """Give the memory back; harmless when that was done."""
        self.encoder.loop.close()
        self.generator.close()

    def begin(self, sentences: Sequence[np.ndarray], lengths: np.ndarray) -> None:
        """Encode sentences int32 [words], as many as the batch has, and hand states and memory over."""
        self.encoder.encode(sentences, lengths)
        self.generator.clear(e.ATTENTION_IN)
        self.generator.write(e.BEAM_LENGTHS, np.repeat(lengths, self._beam))

    def start(self, words: np.ndarray, parents: np.ndarray) -> None:
        """Begin a step with words and parents, int32 [batch, beam]."""
        self.generator.start({e.BEAM_WORDS: words, e.PARENTS: parents}, (e.LIKELIHOODS, e.CANDIDATES))

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return likelihoods float32 and numbers int32 of the likeliest words, [batch, beam, beam]."""
        likelihoods, candidates = self.generator.finish()
        return likelihoods, candidates


class Translator:
    """Both engines and what is between them. Memory is given back by `close`.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        encoder, generator: the engines.
        batch_size: sentences of a batch, at most that of the engines; a smaller batch is filled up.
        most: most words of a translation; negative is no limit, see `output_limits`.
        lanes: parts of a batch that take turns, so that the GPU is busy with one while the host extends the hypotheses
            of another.
    """

    def __init__(
        self, trt: ModuleType, encoder: Any, generator: Any, batch_size: int, most: int = -1, lanes: int = 1
    ) -> None:
        self._part = -(-batch_size // lanes)
        self.lanes: list[Lane] = []
        try:
            for _ in range(lanes):
                self.lanes.append(Lane(trt, encoder, generator, self._part))
        except UserError:
            self.close()
            raise
        self.batch_size, self._most = self._part * lanes, most
        self.beam = self.lanes[0].generator.shape(e.BEAM_WORDS)[1]

    def close(self) -> None:
        """Give the memory back; harmless when that was done."""
        for lane in self.lanes:
            lane.close()

    def profile(self, encoder: Any, generator: Any) -> None:
        """Report the layers' times of both engines to TensorRT profilers from now on, which may be the same one."""
        for lane in self.lanes:
            lane.encoder.loop.profile(encoder)
            lane.generator.profile(generator)

    def _parts(self, values: Any) -> list[Any]:
        """Return what belongs to each lane of a value for each sentence."""
        return [values[first : first + self._part] for first in range(0, self.batch_size, self._part)]

    def begin(self, sentences: Sequence[np.ndarray]) -> np.ndarray:
        """Encode sentences int32 [words] and hand states and memory over; return their lengths, int32 [batch]."""
        filled = [*sentences, *[np.array([END], np.int32)] * (self.batch_size - len(sentences))]
        lengths = np.array([len(sentence) for sentence in filled], np.int32)
        for lane, part, of_part in zip(self.lanes, self._parts(filled), self._parts(lengths), strict=True):
            lane.begin(part, of_part)
        return lengths

    def step(self, words: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return likelihoods float32 and numbers int32 of the likeliest words, [batch, beam, beam]."""
        for lane, *given in zip(self.lanes, self._parts(words), self._parts(parents), strict=True):
            lane.start(*given)
        likelihoods, candidates = zip(*(lane.finish() for lane in self.lanes), strict=True)
        return np.concatenate(likelihoods), np.concatenate(candidates)

    def search(self, sentences: Sequence[np.ndarray], width: int, steps: int | None = None) -> list[BeamSearch]:
        """Translate at most a batch of sentences, keeping `width` hypotheses of each.

        Args:
            sentences: int32 [words] each.
            width: hypotheses of each.
            steps: words of each translation, whether it ends before or not; None until all have ended.

        Returns:
            for each lane the hypotheses of its sentences.
        """
        lengths = self.begin(sentences)
        limits = output_limits(lengths, self._most) if steps is None else np.full(self.batch_size, steps)
        limits = np.where(np.arange(self.batch_size) < len(sentences), limits, 1)
        found = [BeamSearch(part, self.beam, width, START) for part in self._parts(limits)]
        search_together(list(zip(self.lanes, found, strict=True)), steps)
        return found

    def translate(self, sentences: Sequence[np.ndarray], width: int) -> list[list[int]]:
        """Return the translation of each sentence, of any number of them."""
        found: list[list[int]] = []
        for first in range(0, len(sentences), self.batch_size):
            batch = sentences[first : first + self.batch_size]
            lanes = self.search(batch, width)
            found += [lanes[place // self._part].best(place % self._part)[0] for place in range(len(batch))]
        return found

    def attention(self, sentence: np.ndarray) -> tuple[list[int], np.ndarray]:
        """Return a sentence's translation, and how far each word looked at each: float32 [words, source words]."""
        lengths, maps = self.begin([sentence]), []

        def step(words: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = self.step(words, parents)
            maps.append(self.lanes[0].generator.read(e.ALIGNMENT)[0])
            return found

        limits = np.minimum(output_limits(lengths, self._most), np.where(np.arange(self.batch_size) == 0, 1 << 30, 1))
        words, places = search(step, limits, self.beam, self.beam, START).best(0)
        rows = [maps[index][place, : len(sentence)] for index, place in enumerate(places[: len(words)])]
        return words, np.array(rows, np.float32).reshape(len(words), len(sentence))


def load_translator(
    encoder: Path, generator: Path, backend: dict[str, Any], batch_size: int, most: int = -1, lanes: int = 1
) -> tuple[ModuleType, Translator]:
    """Return the implementation of TensorRT's API and a translator of two plans; see `load_engine` and `Translator`."""
    trt, generating = load_engine(generator, backend)
    _, encoding = load_engine(encoder, backend)
    return trt, Translator(trt, encoding, generating, batch_size, most, lanes)


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
