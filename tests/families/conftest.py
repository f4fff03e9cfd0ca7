"""TensorFlow in tests of a step or two."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Let TensorFlow's functions run without their graphs, which take seconds to trace."""
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
