"""What a parse asks of values: where their memory lies, what is known of them, whether layers know it too."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

from trtflow.reference.record.onnx.errors import UnsupportedForm
from trtflow.reference.record.onnx.inference import Told
from trtflow.reference.record.onnx.sizes import Size, fixed
from trtflow.reference.record.tensor import ITensor


def memory(array: np.ndarray) -> tuple[int, int]:
    """Return where an array lies and how long it is: reshaping leaves both as they are."""
    return array.__array_interface__["data"][0], array.nbytes


def is_whole(value: Any) -> bool:
    """Whether a value is a constant that is no weights: sizes, axes, truths."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "iub"


def row(told: Told) -> np.ndarray | None:
    """Return known values as numbers, -1 where they are only known at run time."""
    if told.known is None:
        return None
    return np.array([int(item) if not isinstance(item, Size) else -1 for item in told.known.ravel()])


def _has_unknown(values: np.ndarray) -> bool:
    return any(isinstance(item, Size) for item in values.ravel().tolist())


def exactly(results: list[Told]) -> list[np.ndarray] | None:
    """Return outputs of which every value is known, None where one is not or does not fit its type."""
    made = []
    for told in results:
        if told.known is None or _has_unknown(told.known):
            return None
        try:
            made.append(np.asarray(told.known).astype(helper.tensor_dtype_to_np_dtype(told.elem_type)))
        except OverflowError:
            return None
    return made


def check_shapes(node: onnx.NodeProto, values: list[Any], results: list[Told]) -> None:
    """Raise UnsupportedForm where layers know less of a shape than ONNX does: what follows may need it."""
    names = list(node.output)
    told = dict(zip([name for name in names if name], results, strict=True))
    for name, value in zip(names, values, strict=False):
        if name and isinstance(value, ITensor):
            shape = fixed(told[name].shape or ())
            if len(shape) != len(value.shape) or any(
                size >= 0 and size != found for size, found in zip(shape, value.shape, strict=True)
            ):
                raise UnsupportedForm
