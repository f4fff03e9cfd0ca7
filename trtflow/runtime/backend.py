"""Which implementation of TensorRT's API runs, and on what."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.formats import FormatError, UserError

BACKENDS = ("reference",)


def load(name: str) -> ModuleType:
    """Return the module that answers TensorRT's API under a backend's name."""
    if name not in BACKENDS:
        raise UserError(f"unknown backend {name!r}. Set backend in config/config.yaml to {' or '.join(BACKENDS)}.")
    import trtflow.reference  # noqa: PLC0415 - only the backend that runs is loaded

    return trtflow.reference


def describe(name: str) -> dict[str, Any]:
    """Return what engines of a backend depend on: name, version, device, compute capability, driver."""
    trt = load(name)
    import onnxruntime  # noqa: PLC0415 - absent where TensorRT is the backend

    return {
        "name": name,
        "version": f"{trt.__version__} on ONNX Runtime {onnxruntime.__version__}",
        "device": _processor(),
        "compute_capability": None,
        "driver": None,
    }


def read_backend(path: Path) -> dict[str, Any]:
    """Return the content of `results/backend.json`."""
    try:
        backend = json.loads(path.read_text())
        return {key: backend[key] for key in ("name", "version", "device", "compute_capability", "driver")}
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(path, f"not a description of a backend ({error})", "Make it again with snakemake.") from error


def _processor() -> str:
    """Return the processor's model and architecture."""
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = lines[0] if lines else ""
    return f"{model or platform.processor() or 'CPU'} ({platform.machine()})"
