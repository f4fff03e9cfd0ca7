"""From TensorFlow's frozen graphs to UFF, as NVIDIA's `uff` did for TensorFlow 1 (guide chapters 4, 13, 19, 22)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtflow.converters.uff.convert import from_tensorflow, from_tensorflow_frozen_model

__all__ = ["from_tensorflow", "from_tensorflow_frozen_model"]


def __getattr__(name: str) -> Any:
    """Return a function of `convert`, which is loaded with the first: `convert-to-uff --help` needs none.

    `model` is NVIDIA's package of that name, as far as scripts read it: `model.uff_pb2` has the messages of UFF.
    """
    if name == "model":
        from trtflow.formats import uff  # noqa: PLC0415

        return uff
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trtflow.converters.uff import convert  # noqa: PLC0415

    return getattr(convert, name)
