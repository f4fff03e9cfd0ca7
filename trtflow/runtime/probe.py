"""Say what TensorRT and which GPU there are, in one line of JSON; run by the engine's Python.

python3.10 -m trtflow.runtime.probe
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

LINE = "8.6"
CUDA = 12000  # TensorRT 8.6 from the package index is built for CUDA 12
LIBRARIES = ("cuda_runtime", "cublas", "cudnn")  # in the order in which they need one another
INSTALL = "Install it there (`make engine-env` makes such a Python)."


def preload_libraries() -> None:
    """Load the CUDA libraries that came as packages: TensorRT looks for them by name and not in their folders."""
    spec = importlib.util.find_spec("nvidia")
    for root in spec.submodule_search_locations or () if spec else ():
        for package in LIBRARIES:
            for path in sorted(Path(root, package, "lib").glob("lib*.so.*")):
                try:
                    ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
                except OSError:
                    continue  # one that needs another of the folder that is missing; TensorRT says what it lacks


class MissingError(Exception):
    """TensorRT, PyCUDA, a GPU or its driver is not there; the message says what to do."""


def probe() -> dict[str, Any]:
    """Return version, device, compute capability and driver, or what is missing as `error`."""
    try:
        version = _tensorrt_version()
        return {"version": version, **_gpu()}
    except MissingError as error:
        return {"error": str(error)}


def _tensorrt_version() -> str:
    preload_libraries()
    try:
        import tensorrt  # noqa: PLC0415 - its absence is an answer
    except ImportError as error:
        raise MissingError(f"TensorRT cannot be imported ({error}). {INSTALL}") from error
    if not tensorrt.__version__.startswith(f"{LINE}."):
        last = f"{LINE} is needed, the last one with Caffe, UFF and implicit batches"
        raise MissingError(f"TensorRT {tensorrt.__version__} is there, but {last}. {INSTALL}")
    return str(tensorrt.__version__)


def _gpu() -> dict[str, Any]:
    try:
        import pycuda.driver as cuda  # noqa: PLC0415
    except ImportError as error:
        raise MissingError(f"PyCUDA cannot be imported ({error}). {INSTALL}") from error
    try:
        cuda.init()
        devices, supported = cuda.Device.count(), cuda.get_driver_version()
    except cuda.Error as error:
        raise MissingError(
            f"no GPU that works ({error}). Check it with nvidia-smi, and CUDA_VISIBLE_DEVICES."
        ) from error
    if devices == 0:
        raise MissingError("no GPU: CUDA finds none. Check nvidia-smi and CUDA_VISIBLE_DEVICES.")
    if supported < CUDA:
        have = f"{supported // 1000}.{supported % 1000 // 10}"
        raise MissingError(f"the driver supports CUDA {have}, TensorRT {LINE} needs 12.0. Install driver 525 or newer.")
    device = cuda.Device(0)
    return {
        "device": device.name(),
        "compute_capability": ".".join(map(str, device.compute_capability())),
        "driver": driver_version(device.pci_bus_id()),
    }


def driver_version(bus_id: str) -> str | None:
    """Return the version of the GPU's driver, None where nvidia-smi does not tell."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id", bus_id]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


if __name__ == "__main__":
    print(json.dumps(probe()))
