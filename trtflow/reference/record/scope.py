"""What TensorRT's objects have in common that a `with` statement takes."""

from __future__ import annotations

from typing import TypeVar

from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.values import common_enter, common_exit

Self = TypeVar("Self", bound="Scope")


class Scope(Sealed):
    """An object that a `with` statement takes; leaving it frees nothing, as since TensorRT 8.0."""

    def __enter__(self: Self) -> Self:
        common_enter(self)
        return self

    def __exit__(self, *exception: object) -> None:
        common_exit(self, *exception)

    def __del__(self) -> None:
        """Do nothing: Python frees the object."""
