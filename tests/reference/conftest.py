"""Runs small networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from networks import Define, build

import trtflow.reference as trt


@pytest.fixture
def run() -> Callable[..., np.ndarray]:
    """Return a function: definition, input [N, ...], flags -> output."""

    def run_once(define: Define, x: np.ndarray, *flags: trt.BuilderFlag) -> np.ndarray:
        return build(define, x.shape[1:], *flags).run({"x": x})["y"]

    return run_once
