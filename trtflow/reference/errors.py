"""Errors of the reference runtime; each names the layer, tensor or file."""

from __future__ import annotations

from trtflow.formats import UserError
from trtflow.reference.record.enums import ErrorCodeTRT


class NetworkError(UserError):
    """A layer cannot be recorded, lowered or run."""

    code = ErrorCodeTRT.INVALID_ARGUMENT

    def __init__(self, name: str, fault: str, remedy: str = "") -> None:
        super().__init__(f"layer {name!r}: {fault}. {remedy}".strip())


class BuildError(UserError):
    """An engine cannot be built."""

    code = ErrorCodeTRT.INVALID_CONFIG


class PlanError(UserError):
    """A serialised plan cannot be used here."""

    code = ErrorCodeTRT.FAILED_INITIALIZATION


class RangeError(BuildError, RuntimeError):
    """Shapes of a profile contradict each other; TensorRT raises RuntimeError."""


class ProfileError(PlanError, RuntimeError):
    """A profile or binding that an engine does not have; TensorRT raises RuntimeError."""


class RefitError(PlanError, TypeError):
    """An engine that cannot be refitted; TensorRT makes no refitter of it, which raises TypeError."""


class DeviceError(UserError, RuntimeError):
    """What needs a GPU, or a library that is compiled for one."""

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(f"{what}: the reference runtime runs on a CPU, where that cannot be. {way_out}")
