"""`with trt.Builder(logger) as builder:` as TensorRT's own samples write it."""

from __future__ import annotations

from typing import TypeVar

Self = TypeVar("Self", bound="Scope")


class Scope:
    """An object that a `with` statement takes; leaving it frees nothing, as since TensorRT 8.0."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass
