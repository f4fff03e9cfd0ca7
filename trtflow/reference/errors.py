"""Errors of the reference runtime; each names the layer, tensor or file."""

from __future__ import annotations

from trtflow.formats import UserError


class NetworkError(UserError):
    """A layer cannot be recorded, lowered or run."""

    def __init__(self, name: str, fault: str, remedy: str = "") -> None:
        super().__init__(f"layer {name!r}: {fault}. {remedy}".strip())


class BuildError(UserError):
    """An engine cannot be built."""


class PlanError(UserError):
    """A serialised plan cannot be used here."""
