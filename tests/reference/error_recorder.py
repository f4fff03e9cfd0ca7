"""An error recorder that keeps what it is told, for the reference or NVIDIA's tensorrt."""

from __future__ import annotations

from types import ModuleType
from typing import Any


def recorder_class(trt: ModuleType) -> Any:
    """Return the class; `told` has the kind and the text of each error."""

    class Recorder(trt.IErrorRecorder):  # type: ignore[name-defined]
        def __init__(self) -> None:
            trt.IErrorRecorder.__init__(self)
            self.told: list[tuple[Any, str]] = []

        def num_errors(self) -> int:
            return len(self.told)

        def get_error_code(self, arg0: int) -> Any:
            return self.told[arg0][0]

        def get_error_desc(self, arg0: int) -> str:
            return self.told[arg0][1]

        def has_overflowed(self) -> bool:
            return False

        def clear(self) -> None:
            self.told.clear()

        def report_error(self, arg0: Any, arg1: str) -> bool:
            self.told.append((arg0, arg1))
            return True

    return Recorder
