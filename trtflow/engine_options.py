"""What a command line says of an engine's network: the options, and the network with what INT8 and its inputs need."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.calibration.calibrators import ALGORITHMS, MADE_BY, make_calibrator
from trtflow.runtime.build import INT8, PRECISIONS
from trtflow.runtime.devices import device_of
from trtflow.runtime.io_form import FORMATS, TYPES, form_of
from trtflow.runtime.lstm import RECURRENT
from trtflow.samples import definition


def add_network_options(arguments: argparse.ArgumentParser) -> None:
    """Add the options that `network_of` reads."""
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--recurrent", choices=RECURRENT, help="what recurrent parts are made of, where it has such")
    arguments.add_argument("--precision", choices=PRECISIONS, required=True, help="lowest precision to use")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    arguments.add_argument("--calibration-table", type=Path, help="INT8 scales, needed for int8")
    arguments.add_argument(
        "--fallback", action="store_true", help="keep in float32 what reads a tensor that the table lacks"
    )
    arguments.add_argument("--ranges", type=Path, help="dynamic ranges, which int8 can have instead of a table")
    arguments.add_argument("--keep", type=Path, help="list of layers that are not to be INT8")
    text = "algorithm that made the table; auto takes one of any"
    arguments.add_argument("--algorithm", choices=(*ALGORITHMS, MADE_BY), default="entropy2", help=text)
    arguments.add_argument("--io-format", choices=FORMATS, default="linear", help="how the inputs lie in memory")
    arguments.add_argument("--io-type", choices=TYPES, help="type of the inputs, for precisions that can have it")


@dataclass
class SampleNetwork:
    """A sample's network for `build_plan`, in one precision, with inputs in the form that the options name.

    Attributes:
        calibrator: serves the calibration table; None where there is none to serve.
        input_scales: of inputs that are int8, by name, once the network is defined.
    """

    calibrator: Any
    _define: Callable[[ModuleType, Any], None]
    _give_form: Callable[[ModuleType, Any], dict[str, float]]
    input_scales: dict[str, float] = field(default_factory=dict)

    def define(self, trt: ModuleType, network: Any) -> None:
        """Add the layers, and give the inputs their form; errors as of the sample and of `give_form`."""
        self._define(trt, network)
        self.input_scales.update(self._give_form(trt, network))


def network_of(options: argparse.Namespace, trt: ModuleType, sample: Any, network: str | None = None) -> SampleNetwork:
    """Return what a command line with `add_network_options` says of a network.

    Args:
        options: that command line.
        trt: NVIDIA's tensorrt or trtflow.reference.
        sample: what `trtflow.samples.load` returns.
        network: which of the sample's networks, where it has several.

    Raises:
        FormatError: the calibration table is damaged, or of another version or algorithm.
        UserError: there is no table where the precision needs one, no network of that name, or no recurrent part.
    """
    calibrator = None
    if options.precision in INT8 and options.ranges is None and not getattr(sample, "has_scales", False):
        allocate = device_of(trt).allocate
        calibrator = make_calibrator(trt, options.algorithm, None, options.calibration_table, allocate)
    kept = options.keep.read_text().splitlines() if options.keep else []
    define = definition(
        sample,
        options.export_dir,
        options.precision,
        options.ranges,
        kept,
        network=network,
        recurrent=options.recurrent,
        fallback=options.calibration_table if calibrator and options.fallback else None,
    )
    return SampleNetwork(calibrator, define, form_of(options))
