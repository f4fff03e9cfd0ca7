"""Perplexity by its definition."""

import numpy as np
import pytest

from trtflow.metrics.perplexity import perplexity


def test_certainty_guess_and_mixture():
    assert perplexity(np.zeros(5, np.float32)) == 1
    assert perplexity(np.log(np.full(7, 1 / 65))) == pytest.approx(65)
    assert perplexity(np.log([0.5, 0.125])) == pytest.approx(4)
