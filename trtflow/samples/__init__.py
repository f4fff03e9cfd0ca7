"""One module a sample: what that chapter of the guide teaches, and nothing else.

Each says what data it takes (`read_images(folder, split)`, the data set's own function), what the engine sees of it
(`preprocess(images, export)`, for the binding `INPUT`), what it is made of (`define_network(trt, network, export)`) and
what its outputs mean (`postprocess(outputs)`, which gets the inputs too). Where it needs them: `feeds(images)`, the
arrays of several inputs by name; `EXPLICIT_BATCH`, a network without an implicit batch; `PLUGINS`, plugins that the
engine needs; `NETWORKS`, all networks by name where there are several; `REFIT` with `refit(trt, engine, export)`,
weights given after the build; `HALF_WEIGHTS`, define_network also takes the type of the weights;
`configure_builder(trt, config)` and `configure_network(trt, network, ranges, kept)`, INT8 from dynamic ranges;
`PROGRAMS`, other forms of the same model by name; `RECURRENT`, what recurrent parts can be made of, which the functions
of networks take too. Samples that run step by step have functions of their own instead of the first, second and last of
the functions above. `own` is all samples of users, who write no module.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.arrays import read_arrays

OWN = "results/{name}/export/sample.json"  # where the workflow says what a sample of the user's own is


def definition(
    sample: Any,
    export: Path,
    precision: str,
    ranges: Path | None = None,
    kept: Collection[str] = (),
    network: str | None = None,
    recurrent: str | None = None,
) -> Callable[[ModuleType, Any], None]:
    """Return what `build_plan` calls to define a sample's network in one precision.

    Args:
        sample: what `load` returns.
        export: folder of the exported model.
        precision: fp32, fp16, int8 or best.
        ranges: file of dynamic ranges, where int8 takes them instead of a calibrator.
        kept: layers that these leave in float32.
        network: which of `NETWORKS`; None for the one that `define_network` defines.
        recurrent: which of `RECURRENT`; None for the guide's form.

    Raises:
        UserError: there is no network of that name, or no recurrent part.
    """
    if recurrent is not None and recurrent not in getattr(sample, "RECURRENT", ()):
        raise UserError(f"the sample has no recurrent part to make of {recurrent!r}. Leave --recurrent out.")
    form = {} if recurrent is None else {"recurrent": recurrent}
    networks = getattr(sample, "NETWORKS", {})
    if network not in (None, *networks):
        raise UserError(f"no network {network!r}. The sample has {', '.join(networks) or 'one, which has no name'}.")
    define_network = sample.define_network if network is None else networks[network]

    def define(trt: ModuleType, defined: Any) -> None:
        half = getattr(sample, "HALF_WEIGHTS", False) and precision == "fp16"
        define_network(trt, defined, export, *([trt.float16] if half else []), **form)
        if ranges is not None:
            sample.configure_network(trt, defined, ranges, kept)

    return define


def batches_of(sample: Any, values: np.ndarray, size: int) -> list[dict[str, np.ndarray]]:
    """Return what a sample's engine takes, by input, for prepared pictures [N, ...] in batches of at most `size`."""
    feeds = getattr(sample, "feeds", lambda batch: {sample.INPUT: batch})
    return [feeds(values[first : first + size]) for first in range(0, len(values), size)]


def first_batch(name: str, inputs: Path, size: int) -> dict[str, np.ndarray]:
    """Return the first batch of a file of prepare_inputs.py, as the engine of the sample of that name takes it."""
    sample = load(name)
    (values,) = read_arrays(inputs, sample.INPUT)
    return batches_of(sample, values, size)[0]


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
