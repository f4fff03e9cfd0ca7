"""Beam search as layers of the generator, so that its steps follow each other without the host.

Each step extends the hypotheses of a sentence by a word, keeps the best, and says which words they end with and which
hypotheses they go on from. The search of the guide's form runs on the host (trtflow/runtime/beam_search.py); scores are
float32 here, in an FP16 engine too, and float64 there.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from trtflow.datasets.translation import END
from trtflow.runtime.tensors import add_constant, add_conversion, add_elementwise, add_part, add_reshape

NEVER = -1e9  # a score that none has: of words that are not to be taken, and in place of the logarithm of 0


class SearchState(NamedTuple):
    """Tensors of what a search knows of a sentence's hypotheses, best first.

    Attributes:
        scores: float32 [beam, 1], sums of logarithms of likelihoods.
        ended: float32 [beam, 1], 1 where the last word is </s>, else 0.
        seen: float32 [beam, 1], the sum of all likelihoods that came first in their rows; no number where one was none.
    """

    scores: Any
    ended: Any
    seen: Any


def _one_alone(beam: int) -> np.ndarray:
    """Return scores [beam] of which the first counts."""
    return np.where(np.arange(beam) == 0, 0, NEVER)


def first_scores(batch: int, beam: int) -> np.ndarray:
    """Return the scores [batch, beam, 1] of the beginning, where all hypotheses are the same, so that one counts."""
    return np.repeat(_one_alone(beam)[np.newaxis, :, np.newaxis], batch, axis=0)


def outside_of(width: int, batch: int, beam: int) -> np.ndarray:
    """Return what candidates [batch, beam, beam] get besides, so that the best `width` hypotheses are kept."""
    within = np.arange(beam) < width
    return np.repeat(np.where(within[:, np.newaxis] & within, 0, NEVER)[np.newaxis], batch, axis=0)


def add_search(
    trt: ModuleType, network: Any, likelihoods: Any, candidates: Any, before: SearchState, outside: Any
) -> tuple[Any, Any, SearchState]:
    """Add what `BeamSearch.advance` does, for a sentence.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: the network.
        likelihoods: float [beam, beam], of the likeliest words behind each hypothesis, falling.
        candidates: int32 [beam, beam], those words.
        before: the hypotheses before the step.
        outside: float32 [beam, beam], see `outside_of`.

    Returns:
        words that the hypotheses end with, int32 [beam]; which one of those before each goes on from, int32 [beam]; the
        hypotheses.
    """
    first, beam = network.num_layers, int(likelihoods.shape[0])
    operation = trt.ElementWiseOperation

    def number(value: float) -> Any:
        return add_constant(network, np.array([[value]], np.float32))

    def either(where: Any, yes: Any, no: Any) -> Any:
        """Return `yes` where `where` is 1, and `no` where it is 0."""
        elsewhere = add_elementwise(network, number(1), where, operation.SUB)
        chosen = add_elementwise(network, yes, where, operation.PROD)
        return add_elementwise(network, chosen, add_elementwise(network, no, elsewhere, operation.PROD), operation.SUM)

    chances = add_conversion(network, likelihoods, trt.float32)
    logs = network.add_unary(chances, trt.UnaryOperation.LOG).get_output(0)
    stays = add_constant(network, _one_alone(beam)[np.newaxis].astype(np.float32))
    steps = either(before.ended, stays, add_elementwise(network, logs, number(NEVER), operation.MAX))
    followers = either(before.ended, number(END), add_conversion(network, candidates, trt.float32))

    totals = add_elementwise(network, steps, before.scores, operation.SUM)
    within = add_elementwise(network, totals, outside, operation.SUM)
    flat = add_reshape(network, within, (1, beam * beam))
    best = network.add_topk(flat, trt.TopKOperation.MAX, beam, 1 << 1)
    places = add_reshape(network, best.get_output(1), (beam,))
    origins = add_constant(network, np.repeat(np.arange(beam, dtype=np.int32), beam))
    parents = network.add_gather(origins, places, 0).get_output(0)
    chosen = network.add_gather(add_reshape(network, followers, (beam * beam, 1)), places, 0).get_output(0)

    away = network.add_unary(add_elementwise(network, chosen, number(END), operation.SUB), trt.UnaryOperation.ABS)
    near = add_elementwise(network, number(1), away.get_output(0), operation.SUB)
    ended = add_elementwise(network, near, number(0), operation.MAX)  # what had ended is followed by </s> too
    seen = add_elementwise(network, before.seen, add_part(network, chances, (0, 0), (beam, 1)), operation.SUM)
    words = add_conversion(network, add_reshape(network, chosen, (beam,)), trt.int32)
    scores = add_reshape(network, best.get_output(0), (beam, 1))
    _keep_exact(trt, network, first)
    return words, parents, SearchState(scores, ended, seen)


def _keep_exact(trt: ModuleType, network: Any, first: int) -> None:
    """Have layers from one on compute in float32: numbers of words and sums of logarithms are too long for float16."""
    for layer in (network.get_layer(index) for index in range(first, network.num_layers)):
        if layer.type != trt.LayerType.CONSTANT and layer.get_output(0).dtype == trt.float32:
            layer.precision = trt.float32
            layer.set_output_type(0, trt.float32)
