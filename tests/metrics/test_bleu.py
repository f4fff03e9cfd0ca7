"""BLEU."""

import math

import pytest

from trtflow.formats import UserError
from trtflow.metrics.bleu import bleu_scores


def test_perfect_translations():
    found = bleu_scores(["one two three four five"], ["one two three four five"])
    assert found["bleu"] == pytest.approx(100)
    assert "tok:none" in found["signature"]
    assert "version:" in found["signature"]


def test_by_hand():
    found = bleu_scores(["a b c d x"], ["a b c d e f"])
    wanted = math.exp(1 - 6 / 5) * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert found["bleu"] == pytest.approx(100 * wanted)
    assert found["precisions"] == pytest.approx([80, 75, 200 / 3, 50])
    assert found["brevity_penalty"] == pytest.approx(math.exp(-0.2))


def test_counts_must_agree():
    with pytest.raises(UserError, match="2 translations for 1 references"):
        bleu_scores(["a", "b"], ["a"])
    with pytest.raises(UserError, match="0 translations"):
        bleu_scores([], [])
