"""The layouts of an engine's bindings."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.layouts import FORMATS, Layout


def layout_of(trt: ModuleType, engine: Any, index: int) -> Layout:
    """Return the layout of a binding.

    Raises:
        UserError: only a DLA has such.
    """
    dtype, name = np.dtype(trt.nptype(engine.get_binding_dtype(index))), engine.get_binding_format(index).name
    if name not in FORMATS:
        raise UserError(
            f"{engine.get_binding_name(index)!r} has the format {name}, which arrays of the host cannot be given in. "
            f"Allow one of {', '.join(FORMATS)}."
        )
    return Layout(dtype, *FORMATS[name])
