"""Which layers to keep in a higher precision than INT8, as few as will do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from trtflow.formats import UserError


class Loss(NamedTuple):
    """What an engine lost against the one in float32.

    Attributes:
        drop: of the metric that decides.
        distance: of the outputs, which tells apart what the metric does not.
    """

    drop: float
    distance: float


def smallest_set(layers: Sequence[str], loss_of: Callable[[Collection[str]], Loss], limit: float) -> list[str]:
    """Return layers that must not be INT8 for the drop to stay within a limit, in network order.

    No layer where none is needed, a single one where one will do. Otherwise layers are added in the order in which each
    alone brings the outputs closest to float32's, until the limit is met, and each that turns out not to be needed is
    taken out again: of the result none can be left out, though there may be another of the same size.

    Args:
        layers: names of the layers that would be INT8, in network order.
        loss_of: builds and runs an engine with some of them kept in higher precision.
        limit: largest drop.

    Raises:
        UserError: the limit is not met even with all of them kept.
    """
    if loss_of(()).drop <= limit:
        return []
    alone = {layer: loss_of((layer,)) for layer in layers}
    ranked = sorted(layers, key=lambda layer: alone[layer].distance)
    if enough := [layer for layer in ranked if alone[layer].drop <= limit]:
        return enough[:1]
    kept: list[str] = []
    for layer in ranked:
        kept.append(layer)
        if len(kept) > 1 and loss_of(kept).drop <= limit:
            break
    else:
        raise UserError(
            f"INT8 loses more than it may with all {len(layers)} layers kept in higher precision. Calibrate on more "
            "data or by another calibration.algorithm, or ask less of mixed_precision."
        )
    for layer in ranked:
        rest = [name for name in kept if name != layer]
        if layer in kept and loss_of(rest).drop <= limit:
            kept = rest
    return [layer for layer in layers if layer in kept]
