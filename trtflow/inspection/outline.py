"""Networks that are recorded for the sake of their shapes alone."""

from __future__ import annotations

from typing import Any

import trtflow.reference as trt


def empty_network() -> Any:
    """Return an empty network with an implicit batch, whose parsers' warnings nobody hears."""
    return trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR)).create_network(0)
