"""Errors of the reference runtime; each names the layer, tensor or file.

An error recorder is told their kind as TensorRT 8.6 tells it, in the number that begins the line of its log: 3, API
usage, for what a call refuses at once (INVALID_ARGUMENT); 4 for a network, profile or set of weights that does not hold
together (INVALID_CONFIG); 1 for CUDA's faults and for plans that cannot be read (UNSPECIFIED_ERROR); 6 for plans of
another version (FAILED_INITIALIZATION); 7 for assertions and for shapes that contradict each other in a run
(FAILED_EXECUTION).
"""

from __future__ import annotations

from trtflow.formats import UserError
from trtflow.reference.record.enums import ErrorCodeTRT


class NetworkError(UserError):
    """A layer cannot be recorded, lowered or run; who tells of it says by its kind of error when that was."""

    def __init__(self, name: str, fault: str, remedy: str = "") -> None:
        super().__init__(f"layer {name!r}: {fault}. {remedy}".strip())


class CodedError(UserError):
    """An error with a kind.

    Args:
        message: what is wrong, where, and how to mend it.
        code: the kind; by default the one that is usual of those who tell of it (`Reporter.default_code`).
    """

    def __init__(self, message: str, code: ErrorCodeTRT | None = None) -> None:
        super().__init__(message)
        self.code = code


class BuildError(CodedError):
    """An engine cannot be built."""


class PlanError(CodedError):
    """A serialised plan cannot be used here, or not so."""


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
