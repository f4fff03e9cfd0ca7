"""From sentences to what the generator begins with: the encoder's two forms, with the same method."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.translation import padded
from trtflow.runtime.loop import StepLoop
from trtflow.samples.nmt import bindings as b


class WholeEncoder:
    """The guide's form: sentences are read in one run, and memory and states change hands.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        engine: the engine.
        generator: what takes over from it.
    """

    def __init__(self, trt: ModuleType, engine: Any, generator: StepLoop) -> None:
        self.loop = StepLoop(trt, engine, {}, batch_size=generator.batch_size, beside=generator, record=False)
        self._generator = generator

    def encode(self, sentences: Sequence[np.ndarray], lengths: np.ndarray) -> None:
        """Set memory, keys and first states of the generator from sentences int32 [words], as many as the batch has."""
        words = padded(sentences, self.loop.shape(b.WORDS)[1])
        self.loop.step({b.WORDS: words, b.LENGTH: lengths})
        for name, output in b.FROM_ENCODER.items():
            self._generator.take(name, self.loop, output)


class ChunkEncoder:
    """The form of plain layers: a few words a run, as many runs as the longest sentence needs.

    The host gives the words of all runs at once; each run's rows of memory and keys are copied on the device to where
    the generator reads them.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        engine: the engine.
        generator: what takes over from it.
    """

    def __init__(self, trt: ModuleType, engine: Any, generator: StepLoop) -> None:
        batch, most = generator.batch_size, generator.shape(b.MEMORY_IN)[1]
        self._steps = int(engine.get_binding_shape(engine.get_binding_index(b.WORDS))[0])
        self._most = -(-most // self._steps)  # runs
        tables = {name: np.zeros((self._most, batch * self._steps)) for name in (b.WORDS, b.INSIDE, b.LAST)}
        self.loop = StepLoop(trt, engine, b.PLAIN_ENCODER_FEEDBACK, tables, batch, beside=generator)
        self._generator = generator

    def encode(self, sentences: Sequence[np.ndarray], lengths: np.ndarray) -> None:
        """Set memory, keys and first states of the generator from sentences int32 [words], as many as the batch has."""
        runs = -(-int(lengths.max()) // self._steps)
        places = np.arange(runs * self._steps)
        given = {
            b.WORDS: padded(sentences, len(places)),
            b.INSIDE: places < lengths[:, np.newaxis],
            b.LAST: places == lengths[:, np.newaxis] - 1,
        }
        for name, values in given.items():
            by_run = values.reshape(len(lengths), runs, self._steps).swapaxes(0, 1)
            self.loop.fill(name, by_run.reshape(runs, -1))
        self.loop.reset()
        for name in (b.MEMORY_IN, b.KEYS_IN):
            self._generator.clear(name)
        for run in range(runs):
            for name in given:
                self.loop.choose(name, run)
            self.loop.step()
            for name in (b.MEMORY_IN, b.KEYS_IN):
                self._generator.lay(name, run * self._steps, self.loop, b.FROM_ENCODER[name])
        for name in (b.HIDDEN_IN, b.CELL_IN):
            for hypothesis in range(self._generator.shape(name)[1]):
                self._generator.lay(name, hypothesis, self.loop, b.FROM_ENCODER[name])


def is_of_layers(engine: Any) -> bool:
    """Whether the engine of an encoder has the form of plain layers, which its inputs tell."""
    return b.INSIDE in [engine.get_binding_name(index) for index in range(engine.num_bindings)]
