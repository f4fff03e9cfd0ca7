"""Engines that are built to be compared and run once, on what calibrates: which layers to keep, which table to take."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.calibration.calibrators import MADE_BY, make_calibrator
from trtflow.calibration.kept import products
from trtflow.calibration.streams import find_batches
from trtflow.formats.batch_file import Batch, read_batch
from trtflow.formats.checksums import verify_checksums
from trtflow.runtime.backend import open_backend
from trtflow.runtime.build import Settings, build_plan
from trtflow.runtime.devices import device_of
from trtflow.runtime.entry import engine_of
from trtflow.runtime.session import Session
from trtflow.samples import Answers, definition, packed_feeds
from trtflow.samples import load as load_sample

Arrays = dict[str, np.ndarray]


class Trial:
    """Builds engines of one network and runs the same batches through each.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        name: of the sample.
        export_dir: folder of the exported model.
        batches: of the calibration.

    Attributes:
        layers: that have weights, and that a search may keep in float32, in network order.
        exact: what the engine in float32 says of all items, [N, ...] by name.
    """

    def __init__(self, trt: ModuleType, name: str, export_dir: Path, batches: list[Batch]) -> None:
        self.trt, self.export_dir = trt, export_dir
        self.sample = load_sample(name)
        self.batches = in_batches_of(getattr(self.sample, "batch", None), batches)
        self.layers: list[str] = []
        self.exact = self._answers("fp32")

    def int8(self, table: Path | None = None, ranges: Path | None = None, kept: Collection[str] = ()) -> Arrays:
        """Return what an INT8 engine says of all items, [N, ...] by name.

        Args:
            table: calibration table, of whichever algorithm.
            ranges: dynamic ranges in its place.
            kept: layers that are not in INT8.

        Raises:
            FormatError: the table is damaged, or of another version.
        """
        calibrator = None
        if ranges is None:
            calibrator = make_calibrator(self.trt, MADE_BY, None, table, device_of(self.trt).allocate)
        return self._answers("int8", calibrator, ranges, kept)

    def _answers(
        self, precision: str, calibrator: Any = None, ranges: Path | None = None, kept: Collection[str] = ()
    ) -> Arrays:
        define_network = definition(self.sample, self.export_dir, precision, ranges, kept)

        def define(trt: ModuleType, network: Any) -> None:
            define_network(trt, network)
            self.layers = products(trt, network)

        plan = build_plan(
            self.trt,
            define,
            precision,
            max(len(batch.images) for batch in self.batches),
            calibrator,
            explicit_batch=getattr(self.sample, "EXPLICIT_BATCH", False),
            settings=Settings(optimization_level=0),  # these engines are run once
        )
        feeds = packed_feeds(self.sample)
        found = Answers(self.sample)
        with Session(self.trt, engine_of(self.trt, plan)) as session:
            for batch in self.batches:
                inputs = feeds(batch.images)
                found.add(self.sample.postprocess({**inputs, **session.run(dict(inputs))}))
        return found.joined(sum(len(batch.images) for batch in self.batches))


def trial_of(options: argparse.Namespace) -> Trial:
    """Return the trials that a command line asks for.

    Args:
        options: `sample`, `export_dir`, `batch_dir`, `batches`, the number of batch files or None for all, and
            `backend_file`.

    Raises:
        FormatError: the exported model is not what was exported, or a batch file is damaged.
        UserError: there are no batch files, or the backend is not there.
    """
    verify_checksums(options.export_dir)
    trt, _ = open_backend(options.backend_file)
    batches = [read_batch(path) for path in find_batches(options.batch_dir, options.batches)]
    return Trial(trt, options.sample, options.export_dir, batches)


def in_batches_of(size: int | None, batches: list[Batch]) -> list[Batch]:
    """Return the items of batch files in batches of the size that a model fixes, as they are where it fixes none.

    What is left at the end, too little for a batch, has no part, as it has none in the calibration.
    """
    if size is None:
        return batches
    images = np.concatenate([batch.images for batch in batches])
    return [Batch(images[start : start + size]) for start in range(0, len(images) - size + 1, size)]
