"""What INT8 loses, tensor by tensor: how far each is from what it is in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.calibration.fallback import in_front_of_activations
from trtflow.calibration.kept import products
from trtflow.calibration.tensors import inside_bodies, layers_of, ranged_tensors
from trtflow.cli import columns
from trtflow.metrics.agreement import MOST_DB
from trtflow.runtime.build import Settings, build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.session import Session

LOST_DB = 30.0  # a tensor with less is lost in part; one with more is not stored in INT8, or hardly suffers from it
CUT = 0.5  # of a tensor's largest value: what INT8 holds of it where much was cut off
Define = Callable[[ModuleType, Any], None]
Feeds = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Loss:
    """What a tensor loses.

    Attributes:
        tensor: its name.
        layer: name of the layer that computes it; empty for an input.
        largest: its largest absolute value in float32; None where one is infinite, as what masks an attention may be.
        range: the largest that INT8 holds of it; None where it has no scale, or an infinite one, as a calibrator gives
            what masks an attention.
        snr_db: 10 log10 of its squares over those of the difference from float32; None where it holds no number.
    """

    tensor: str
    layer: str
    largest: float | None
    range: float | None
    snr_db: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Precise:
    """A network in INT8.

    Attributes:
        define: adds its layers.
        calibrator: serves the table; None with ranges.
    """

    define: Define
    calibrator: Any


@dataclass
class _Sums:
    signal: float = 0.0
    noise: float = 0.0
    largest: float = 0.0

    def add(self, wanted: np.ndarray, found: np.ndarray) -> None:
        exact = wanted.astype(np.float64)
        self.signal += float(np.square(exact).sum())
        with np.errstate(invalid="ignore"):  # infinite values of both
            self.noise += float(np.square(found - exact).sum())
        self.largest = max(self.largest, float(np.abs(exact).max(initial=0)))

    @property
    def bound(self) -> float | None:
        """Return the largest absolute value; None where it is not finite."""
        return self.largest if np.isfinite(self.largest) else None

    @property
    def snr_db(self) -> float | None:
        if not np.isfinite(self.signal + self.noise):
            return None
        if self.noise == 0:
            return MOST_DB
        return min(MOST_DB, float(10 * np.log10(self.signal / self.noise))) if self.signal else -MOST_DB


def tensor_losses(
    trt: ModuleType,
    exact: Define,
    quantised: Precise,
    batches: Sequence[Feeds],
    scales: Mapping[str, Any],
    *,
    explicit_batch: bool,
) -> list[Loss]:
    """Run a network in float32 and in INT8 with every tensor an output.

    TensorRT fuses less where a tensor is an output, so what lies in front of an activation is left out; and so is what
    has as many rows as values say, for the rows of two precisions are not of the same things.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        exact: defines the network in float32.
        quantised: the same in INT8.
        batches: what the inputs get, by name, of one size each.
        scales: of the calibration table or the ranges, by tensor: range / 127.
        explicit_batch: whether shapes of the network include the batch.

    Returns:
        a loss for each tensor that has a range or could have one, in network order.
    """
    makers: dict[str, str] = {}
    size = max(len(values) for batch in batches for values in batch.values())
    build = partial(
        build_plan, max_batch_size=size, explicit_batch=explicit_batch, settings=Settings(optimization_level=0)
    )
    plans = [
        build(trt, _watched(exact, makers), "fp32"),
        build(
            trt,
            _wishing(_watched(quantised.define, makers), scales),
            "int8",
            calibrator=quantised.calibrator,
        ),
    ]
    with Session(trt, engine_of(trt, plans[0])) as first, Session(trt, engine_of(trt, plans[1])) as second:
        sums = {name: _Sums() for name in makers if name not in first.opened}
        for batch in batches:
            wanted, found = first.run(dict(batch)), second.run(dict(batch))
            for name in sums.keys() & wanted.keys():
                sums[name].add(wanted[name], found[name])
    bounds = {name: float(scale) * 127 for name, scale in scales.items() if np.isfinite(scale)}
    return [
        Loss(name, makers[name], sums[name].bound, bounds.get(name), sums[name].snr_db) for name in sums if makers[name]
    ]


def _watched(define: Define, makers: dict[str, str]) -> Define:
    """Return what defines a network and marks every tensor; `makers` gets the layer of each."""

    def define_watched(trt: ModuleType, network: Any) -> None:
        define(trt, network)
        marked = {network.get_output(index).name for index in range(network.num_outputs)}
        layers = layers_of(network)
        for layer in layers:
            for place in range(layer.num_outputs):
                makers[layer.get_output(place).name] = layer.name
        # of a fused layer, which is never stored, and has no steps; and what cannot be an output
        inside = in_front_of_activations(trt, layers) | inside_bodies(trt, layers)
        names = set()
        for tensor in ranged_tensors(trt, network):
            if tensor.name in inside and tensor.name not in marked:
                continue
            names.add(tensor.name)
            if not tensor.is_network_input and tensor.name not in marked:
                network.mark_output(tensor)
        for name in makers.keys() - names:
            del makers[name]

    return define_watched


def _wishing(define: Define, scales: Mapping[str, Any]) -> Define:
    """Return what also wants INT8 of each layer with weights whose input has a scale, if nothing else is wanted of it.

    Where every tensor is an output, and so is there in float32, TensorRT finds float32 faster for most of a network.
    """

    def define_wishing(trt: ModuleType, network: Any) -> None:
        define(trt, network)
        multiplying = set(products(trt, network))
        for layer in layers_of(network):
            if layer.name in multiplying and not layer.precision_is_set and layer.get_input(0).name in scales:
                layer.precision = trt.int8

    return define_wishing


def losses_text(losses: Sequence[Loss]) -> str:
    """Return losses as text, the worst first, and which ranges the calibration cut."""
    ordered = sorted(losses, key=lambda loss: -MOST_DB if loss.snr_db is None else loss.snr_db)
    rows = [
        (
            "nan" if loss.snr_db is None else f"{loss.snr_db:.1f}",
            "inf" if loss.largest is None else f"{loss.largest:.4g}",
            "-" if loss.range is None else f"{loss.range:.4g}",
            loss.tensor,
            loss.layer,
        )
        for loss in ordered
    ]
    lines = [columns(("SNR dB", "largest", "INT8 range", "tensor", "layer"), rows)]
    lost = [loss for loss in losses if loss.snr_db is None or loss.snr_db < LOST_DB]
    shares = {loss.tensor: loss.range / loss.largest for loss in lost if loss.range is not None and loss.largest}
    cut = {tensor: share for tensor, share in shares.items() if share < CUT}
    if cut:
        worst, share = min(cut.items(), key=lambda item: item[1])
        lines += [
            "",
            f"The calibration cut {len(cut)} of {len(losses)} tensors to less than {CUT:.0%} of their range, "
            f"{worst} to {share:.0%}.",
            "Where a gate of INT8 fails, try calibration: {algorithm: auto}, which tries minmax too, or",
            "mixed_precision: auto.",
        ]
    return "\n".join([*lines, ""])
