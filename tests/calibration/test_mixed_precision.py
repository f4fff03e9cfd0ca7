"""The search for layers to keep out of INT8, on made-up losses."""

import pytest

from trtflow.calibration.mixed_precision import Loss, smallest_set
from trtflow.formats import UserError

LAYERS = ["a", "b", "c", "d"]


def losses(needed, tried=None):
    """Return what is lost where each needed layer that is INT8 costs 0.02, and c looks harmful but is not."""

    def loss_of(kept):
        if tried is not None:
            tried.append(tuple(kept))
        drop = 0.02 * len(needed - set(kept))
        return Loss(drop, drop + (0 if "c" in kept else 0.1))

    return loss_of


def test_nothing_is_kept_where_nothing_is_lost():
    tried = []
    assert smallest_set(LAYERS, losses(set(), tried), 0.01) == []
    assert tried == [()]


def test_one_layer_is_found():
    assert smallest_set(LAYERS, losses({"b"}), 0.01) == ["b"]


def test_two_layers_are_found_in_network_order_and_the_idle_one_is_left_out():
    assert smallest_set(LAYERS, losses({"d", "a"}), 0.01) == ["a", "d"]


def test_all_may_be_needed():
    assert smallest_set(LAYERS, losses(set(LAYERS)), 0.01) == LAYERS


def test_limit_that_cannot_be_met_is_an_error():
    with pytest.raises(UserError, match="loses more than it may with all 4 layers kept in higher precision"):
        smallest_set(LAYERS, lambda kept: Loss(0.5, 0.5), 0.01)
