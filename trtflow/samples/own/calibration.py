"""Which items of the user's calibrate, and the batch files that they are kept in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.samples.own.inputs import Input

MOST = 512  # items where no number is set: entropy's histograms hardly change with more
SHARE = 4  # of the data, held apart where they are scored too: a quarter at most
EXACT = 1 << 24  # up to which float32 holds every whole number


@dataclass(frozen=True)
class Calibration:
    """Which items calibrate.

    Attributes:
        count: how many; None for all there are, up to `MOST`, in whole batches.
        batch: items a batch.
        held_apart: whether the data are scored too: then a seeded sample of them calibrates, and the others are scored.
        seed: of the sample.
    """

    count: int | None = 0
    batch: int = 1
    held_apart: bool = False
    seed: int = 0

    def places(self, there: int, source: Path) -> list[int]:
        """Return the places of the items that calibrate, of all there are, in their order.

        Raises:
            FormatError: there are too few.
        """
        share = there // SHARE if self.held_apart else there
        most = max(min(MOST, share), self.batch)
        wanted = most - most % self.batch if self.count is None else self.count
        if there < wanted + self.held_apart:
            apart = ", and some are to be scored" if self.held_apart else ""
            fault = f"{there} items, but the calibration takes {wanted}{apart}"
            raise FormatError(source, fault, "Add some, or lower calibration.batches.")
        if self.count is not None and not self.held_apart:
            return [place * there // wanted for place in range(wanted)]  # of all parts
        return sorted(np.random.default_rng(self.seed).choice(there, wanted, replace=False).tolist())


def _alone(inputs: Mapping[str, Input]) -> Input | None:
    """Return the input of a model that has one, of numbers with three dimensions, as batch files have it; else None."""
    first = next(iter(inputs.values()))
    return first if len(inputs) == 1 and len(first.shape) == 3 and first.dtype == "float32" else None


def pack(prepared: Mapping[str, np.ndarray], inputs: Mapping[str, Input]) -> np.ndarray:
    """Return what inputs take as float32 [N, C, H, W], as a batch file holds it.

    Of one input of three dimensions that is the input; of others the values of an item stand in a row, [N, 1, 1, K].

    Raises:
        UserError: float32 does not hold a whole number of them.
    """
    alone = _alone(inputs)
    if alone is not None:
        return prepared[alone.name]
    for name in inputs:
        if prepared[name].dtype.kind in "iu" and np.abs(prepared[name].astype(np.int64)).max(initial=0) > EXACT:
            raise UserError(f"input {name!r} takes whole numbers beyond {EXACT}, which INT8 batch files do not hold.")
    rows = [prepared[name].reshape(len(prepared[name]), -1).astype(np.float32) for name in inputs]
    return np.concatenate(rows, axis=1)[:, None, None, :]


def unpack(images: np.ndarray, inputs: Mapping[str, Input]) -> dict[str, np.ndarray]:
    """Return what `pack` packed, by input, whole numbers as TensorRT takes them, int32."""
    alone = _alone(inputs)
    if alone is not None:
        return {alone.name: images}
    rows, first, found = images.reshape(len(images), -1), 0, {}
    for name, taken in inputs.items():
        size = prod(taken.shape)
        values = rows[:, first : first + size].reshape(len(images), *taken.shape)
        kind = np.dtype(taken.dtype)
        found[name] = np.ascontiguousarray(values, np.int32 if kind.kind in "iu" else kind)
        first += size
    return found
