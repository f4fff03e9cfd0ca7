"""What TensorRT says, kept for the errors that it causes.

TensorRT answers None or False where it fails, and tells why its logger alone. So the logger is ours, and an error of
ours ends with the last one that TensorRT wrote.
"""

from __future__ import annotations

import sys
from collections import deque
from types import ModuleType
from typing import Any

KEPT = 20  # errors
# what the builder says last after whatever went wrong, and which tells nothing of it
EMPTY = ("Assertion engine != nullptr failed",)

_errors: deque[str] = deque(maxlen=KEPT)
_loggers: dict[str, Any] = {}


def logger_of(trt: ModuleType) -> Any:
    """Return the logger of this process: warnings and errors go to standard error, and errors are kept.

    There is one, for TensorRT itself takes the first that it is given for all that has none, as its parsers.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
    """
    if trt.__name__ not in _loggers:
        _loggers[trt.__name__] = _make(trt)
    return _loggers[trt.__name__]


def because(fault: str, way_out: str = "") -> str:
    """Return a fault, what else to do about it, and last the error that TensorRT wrote last, if it wrote one."""
    text = f"{fault.rstrip('.')}. {way_out}".strip()
    said = [error for error in _errors if not any(phrase in error for phrase in EMPTY)]
    return f"{text} TensorRT says: {said[-1]}" if said else text


def _make(trt: ModuleType) -> Any:
    class KeepingLogger(trt.ILogger):  # type: ignore[name-defined]
        """TensorRT's own logger in what it prints."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            """Keep an error; print it, or a warning."""
            words = " ".join(message.split())
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                _errors.append(words)
            elif severity != trt.ILogger.WARNING:
                return
            letter = "W" if severity == trt.ILogger.WARNING else "E"
            print(f"[TRT] [{letter}] {words}", file=sys.stderr, flush=True)

    return KeepingLogger()
