"""One module a sample: what that chapter of the guide teaches, and nothing else.

Each says what data it takes (`read_images(folder, split)`, the data set's own function), what the engine sees of it
(`preprocess(images, export)`, for the binding `INPUT`), what it is made of (`define_network(trt, network, export)`) and
what its outputs mean (`postprocess(outputs)`, which gets the inputs too). Where it needs them: `feeds(images)`, the
arrays of several inputs by name; `EXPLICIT_BATCH`, a network without an implicit batch; `PLUGINS`, plugins that the
engine needs; `in_precision(precision)`, the sample whose model that precision takes; `NETWORKS`, all networks by name
where there are several; `REFIT` with `refit(trt, engine, export)`,
weights given after the build; `HALF_WEIGHTS`, define_network also takes the type of the weights;
`configure_network(trt, network, ranges, kept)`, INT8 from dynamic ranges;
`PROGRAMS`, other forms of the same model by name; `RECURRENT`, what recurrent parts can be made of, which the functions
of networks take too. Samples that run step by step have functions of their own instead of the first, second and last of
the functions above. `own` is all samples of users, who write no module; of these `INPUTS` are several inputs, of which
`preprocess` gives arrays by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.calibration.fallback import fall_back
from trtflow.calibration.kept import keep_in_float
from trtflow.formats import UserError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.calibration_table import read_table

RAW = "output/"  # what the names of outputs begin with that are kept as they were
ITEMS = "images"  # the items' names, in files of prepared inputs and of predictions
OWN = "results/{name}/export/sample.json"  # where the workflow says what a sample of the user's own is


def definition(
    sample: Any,
    export: Path,
    precision: str,
    ranges: Path | None = None,
    kept: Collection[str] = (),
    network: str | None = None,
    recurrent: str | None = None,
    fallback: Path | None = None,
) -> Callable[[ModuleType, Any], None]:
    """Return what `build_plan` calls to define a sample's network in one precision.

    Args:
        sample: what `load` returns.
        export: folder of the exported model.
        precision: fp32, fp16, int8 or best.
        ranges: file of dynamic ranges, where int8 takes them instead of a calibrator.
        kept: layers that int8 leaves in float32.
        network: which of `NETWORKS`; None for the one that `define_network` defines.
        recurrent: which of `RECURRENT`; None for the guide's form.
        fallback: calibration table; what reads a tensor that it lacks stays in float32. None where it lacks none.

    Raises:
        UserError: there is no network of that name, or no recurrent part.
    """
    if recurrent is not None and recurrent not in getattr(sample, "RECURRENT", ()):
        raise UserError(f"the sample has no recurrent part to make of {recurrent!r}. Leave --recurrent out.")
    form = {} if recurrent is None else {"recurrent": recurrent}
    networks = getattr(sample, "NETWORKS", {})
    if network not in (None, *networks):
        raise UserError(f"no network {network!r}. The sample has {', '.join(networks) or 'one, which has no name'}.")
    of = sample.in_precision(precision) if hasattr(sample, "in_precision") else sample
    define_network = of.define_network if network is None else networks[network]

    def define(trt: ModuleType, defined: Any) -> None:
        half = getattr(sample, "HALF_WEIGHTS", False) and precision == "fp16"
        define_network(trt, defined, export, *([trt.float16] if half else []), **form)
        if ranges is not None:
            sample.configure_network(trt, defined, ranges, kept)
        elif kept:
            keep_in_float(trt, defined, kept)
        if fallback is not None:
            fall_back(trt, defined, read_table(fallback).scales, str(fallback))

    return define


def array_name(name: str) -> str:
    """Return the name that an input has in a file of prepared inputs: a model's may be that of the items' names."""
    return f"{name} (input)" if name == ITEMS else name


def named_inputs(sample: Any, prepared: Any) -> dict[str, np.ndarray]:
    """Return what `preprocess` of a sample gave, by the input's name; samples with one give the array alone."""
    return dict(prepared) if isinstance(prepared, Mapping) else {sample.INPUT: prepared}


def read_prepared(sample: Any, path: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what a file of prepare_inputs.py holds: an array [N, ...] for each input, and the names of the items."""
    names = list(getattr(sample, "INPUTS", (sample.INPUT,)))
    *values, items = read_arrays(path, *map(array_name, names), ITEMS)
    return dict(zip(names, values, strict=True)), items


def batches_of(sample: Any, values: Mapping[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
    """Return what a sample's engine takes, by input, for prepared inputs [N, ...] in batches of at most `size`.

    Where the model fixes its batch, the last one is filled up with its last item.
    """
    feeds = getattr(sample, "feeds", None)
    fixed = getattr(sample, "batch", None)
    batches = []
    for first in range(0, len(next(iter(values.values()))), fixed or size):
        part = {name: array[first : first + (fixed or size)] for name, array in values.items()}
        if fixed:
            part = {name: _filled(array, fixed) for name, array in part.items()}
        batches.append(feeds(part[sample.INPUT]) if feeds else part)
    return batches


def _filled(values: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[-1:], size - len(values), axis=0)])


def packed_feeds(sample: Any) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
    """Return what gives each input's array, by name, for what a batch file of a sample's calibration holds."""
    feeds: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None
    feeds = getattr(sample, "unpack", getattr(sample, "feeds", None))
    return feeds or (lambda images: {sample.INPUT: images})


def first_batch(name: str, inputs: Path, size: int) -> dict[str, np.ndarray]:
    """Return the first batch of a file of prepare_inputs.py, as the engine of the sample of that name takes it."""
    sample = load(name)
    return batches_of(sample, read_prepared(sample, inputs)[0], size)[0]


class Answers:
    """What an engine or a framework answered, batch by batch.

    Outputs as they were, which samples of the user's own give besides, are kept of the first `compared` items alone.

    Args:
        sample: what `load` returns.
    """

    def __init__(self, sample: Any) -> None:
        self._most = getattr(sample, "compared", None)
        self._parts: dict[str, list[np.ndarray]] = {}
        self._count: Counter[str] = Counter()

    def add(self, answers: Mapping[str, np.ndarray]) -> None:
        """Take the answers of a batch, arrays [N, ...] by name."""
        for name, values in answers.items():
            kept = values
            if name.startswith(RAW) and self._most is not None:
                kept = values[: max(0, self._most - self._count[name])].copy()
            self._parts.setdefault(name, []).append(kept)
            self._count[name] += len(kept)

    def joined(self, count: int) -> dict[str, np.ndarray]:
        """Return the answers of all `count` items by name, without what fills up a batch."""
        return {name: np.concatenate(parts)[:count] for name, parts in self._parts.items()}


def answers_of(
    sample: Any,
    run: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]],
    batches: Iterable[dict[str, np.ndarray]],
) -> Answers:
    """Return what a runtime answers to batches, by a function that gives the outputs for inputs by name."""
    answers = Answers(sample)
    for batch in batches:
        answers.add(sample.postprocess({**batch, **run(batch)}))
    return answers


def load(name: str) -> Any:
    """Return the module of a sample, of `<sample>.<program>` one of its `PROGRAMS`, or a sample of the user's own."""
    name, _, program = name.partition(".")
    known = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "own")
    own = Path(OWN.format(name=name))
    if name not in known and own.exists():
        return importlib.import_module(f"{__name__}.own").read_own(own)
    if name not in known:
        raise UserError(f"unknown sample {name!r}. Known: {', '.join(known)}.")
    module = importlib.import_module(f"{__name__}.{name}")
    if not program:
        return module
    programs = getattr(module, "PROGRAMS", {})
    if program not in programs:
        raise UserError(f"sample {name!r} has no program {program!r}. Known: {', '.join(programs) or 'none'}.")
    return programs[program]
