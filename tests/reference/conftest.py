"""Runs small networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from networks import Define, build

import trtflow.reference as trt


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark of tests that want TensorRT's answers in place of exceptions."""
    config.addinivalue_line("markers", "answers: errors are logged and answered, as TensorRT does")


@pytest.fixture(autouse=True)
def _errors_come_as_exceptions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test see the class and the words of an error, unless it is marked with `answers`."""
    if request.node.get_closest_marker("answers"):
        yield
        return
    with trt.raising():
        yield


@pytest.fixture
def run() -> Callable[..., np.ndarray]:
    """Return a function: definition, input [N, ...], flags -> output."""

    def run_once(define: Define, x: np.ndarray, *flags: trt.BuilderFlag) -> np.ndarray:
        return build(define, x.shape[1:], *flags).run({"x": x})["y"]

    return run_once
