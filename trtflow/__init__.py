"""NVIDIA's TensorRT samples as one reproducible workflow, and its Python API on a CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtflow.nvidia import nvidia_names

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime for Linux sends its use to Microsoft else

__version__ = "0.1.0"
__all__ = ["nvidia_names"]


def __getattr__(name: str) -> Any:
    if name == "nvidia_names":
        from trtflow.nvidia import nvidia_names  # noqa: PLC0415 - of use to scripts, and to no step of the workflow

        return nvidia_names
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
