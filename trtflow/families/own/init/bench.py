"""A model that is asked about a few items of the data, prepared in one way or another."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.converters.onnx_model import dtype_of
from trtflow.datasets.labelled import read_objects
from trtflow.datasets.own import Items
from trtflow.families.own.init.facts import Facts
from trtflow.families.own.init.said import Guess
from trtflow.families.own.places import decoding_told
from trtflow.migration.lowering import OnnxRunner
from trtflow.samples import answers_of, batches_of
from trtflow.samples.own import Input, Output, OwnSample
from trtflow.samples.own.calibration import Calibration

SEED = 0
MOST, LARGEST = 64, 256  # items that are asked, and of a classifier with many classes
OF_CLASS = 4  # items of each class, of such a classifier
LEAST = 12  # items below which chance may be taken for knowledge
BATCH = 8
BUDGET_S = 30.0  # seconds that all runs of a model may take, about
PATIENCE_S = 60.0  # the same for the least number of items
Arrays = dict[str, np.ndarray]


class TooFewError(Exception):
    """The data have too few items to tell anything."""


class TooSlowError(Exception):
    """A model takes too long to be asked even about a few items."""


def sample_of(facts: Facts, guess: Guess) -> OwnSample:
    """Return the sample that the workflow makes of a guess, for answers and their scores.

    Raises:
        UserError: a file that the decoder needs is not there.
    """
    assert facts.file is not None
    inputs = {name: _input(facts, name, told) for name, told in guess.inputs.items()}
    names = list(guess.outputs)
    return OwnSample(
        INPUT=next(iter(inputs)),
        INPUTS=tuple(inputs),
        OUTPUT=names[0],
        EXPLICIT_BATCH=facts.file.explicit_batch,
        model=facts.file,
        task=guess.task,
        inputs=inputs,
        outputs={name: _output(facts.outputs[name][0], told) for name, told in guess.outputs.items()},
        classes=guess.classes,
        calibration=Calibration(),
        batch=facts.batch,
        settings=decoding_told({"decoding": guess.decoding}, guess.task),
    )


def _input(facts: Facts, name: str, told: Mapping[str, Any]) -> Input:
    assert facts.file is not None
    shape, dtype = facts.inputs[name]
    source = told.get("from", [])
    source = [source] if isinstance(source, str) else source
    return Input(name, shape, dtype, source, told.get("pictures"), facts.file.turned)


def _output(shape: tuple[int, ...], told: Mapping[str, Any]) -> Output:
    target = told.get("target", [])
    return Output(shape, told.get("logits", False), [target] if isinstance(target, str) else target)


class Bench:
    """A model, and the items that it is asked about.

    Args:
        facts: of the model.
        sample: that the workflow would make of it.
        items: all there are.
        data: as a YAML file's `data`.
        runs: how often all items are asked, about: the slower the model, the fewer these are.

    Raises:
        UserError: labels do not fit.
        TooFewError: the items are too few.
        TooSlowError: it would take longer than one would wait.
    """

    def __init__(self, facts: Facts, sample: OwnSample, items: Items, data: Mapping[str, Any], runs: int) -> None:
        assert facts.network is not None
        self.sample = sample
        self._dtypes = {value.name: dtype_of(value) for value in facts.network.graph.input}
        self._runner = OnnxRunner(facts.network, fast=True)
        self._fitted: dict[str, list[np.ndarray]] = {}
        self.picture = next((name for name, taken in sample.inputs.items() if taken.pictures), None)
        places = chosen_places(sample, items, data)
        if len(places) < LEAST:
            raise TooFewError
        size = facts.batch or BATCH
        self.items = items[places[:size]]
        self.answers(sample)
        self._fitted = {}
        start = time.perf_counter()
        self.answers(sample)
        spent = (time.perf_counter() - start) / size * runs
        if spent * min(LEAST, len(places)) > PATIENCE_S:
            raise TooSlowError(f"{spent / runs:.1f} s a picture")
        self.items = items[places[: max(LEAST, int(BUDGET_S / spent))]]
        self._fitted = {}

    def answers(self, sample: OwnSample) -> Arrays:
        """Return the answers to all items, as they are prepared for a sample, arrays [N, ...] by name."""
        values = {name: self._prepared(taken) for name, taken in sample.inputs.items()}
        batches = batches_of(sample, values, BATCH)
        return answers_of(sample, self._run, batches).joined(len(self.items))

    def _prepared(self, taken: Input) -> np.ndarray:
        if taken.name != self.picture:
            return self.sample.preprocess(self.items, Path())[taken.name]
        if taken.resize not in self._fitted:
            self._fitted[taken.resize] = taken.fitted(self.items)
        return taken.valued(self._fitted[taken.resize])

    def _run(self, feeds: Arrays) -> Arrays:
        given = {name: np.ascontiguousarray(feeds[name], dtype) for name, dtype in self._dtypes.items()}
        found = self._runner.run(given)
        return {name: found[name] for name in self.sample.outputs}


def with_pictures(sample: OwnSample, name: str, pictures: Mapping[str, Any]) -> OwnSample:
    """Return a sample whose input of that name takes pictures in another way."""
    return replace(sample, inputs={**sample.inputs, name: replace(sample.inputs[name], pictures=pictures)})


def chosen_places(sample: OwnSample, items: Items, data: Mapping[str, Any]) -> list[int]:
    """Return places of items by chance, but always the same; of each class as many, of pictures those with objects.

    Raises:
        UserError: labels do not fit.
    """
    places = np.random.default_rng(SEED).permutation(len(items))
    most = MOST
    if sample.task == "classification":
        truth = sample.classes_of(items)[places]
        rank = np.zeros(len(truth), np.int64)
        for label in np.unique(truth):
            rank[truth == label] = np.arange(np.count_nonzero(truth == label))
        places = places[np.argsort(rank, kind="stable")]
        most = min(LARGEST, max(MOST, OF_CLASS * len(np.unique(truth))))
    if sample.task == "detection":
        labels = Path(data["labels"])
        objects = read_objects(Path(data["val"]), labels, sample.classes, sample.folder)
        some = np.array([bool((~truth.difficult).any()) for truth in objects.of(items.names, labels)])
        places = places[some[places]]
    return [int(place) for place in places[:most]]
