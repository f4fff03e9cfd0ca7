"""Which implementation of TensorRT's API runs, and on what."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import read_json
from trtflow.runtime.probe import preload_libraries
from trtflow.runtime.probe import probe as probe_here

BACKENDS = ("reference", "tensorrt")
CHOICES = ("auto", *BACKENDS)
KEYS = ("name", "version", "device", "compute_capability", "driver")
BEYOND = "beyond_tensorrt"  # of the reference: whether it runs operators of ONNX that TensorRT refuses
PROVIDER = "provider"  # of the reference: what it runs in, where that is not ONNX Runtime
PROVIDERS = ("onnxruntime", "openvino")  # the first is what the reference runs in unless told
ROOT = Path(__file__).resolve().parents[2]
SWITCHED = "TRTFLOW_SWITCHED_TO"  # keeps a Python without TensorRT from starting itself for ever
PROBE_S = 120  # a first import from a cold network disk takes long
REMEDY = (
    "Set engine_python to a Python 3.10 with TensorRT 8.6 (`make engine-env` makes one), or backend to reference, "
    "which needs no GPU."
)


def check_device(backend: dict[str, Any], path: str | Path = "results/backend.json") -> None:
    """Open the GPU; refuse to go on where it or the TensorRT of this process is another than the backend says.

    Raises:
        FormatError: it is another.
        UserError: there is none, or no memory is free on it.
    """
    if backend["name"] != "tensorrt":
        return
    found = probe_here()
    if "error" in found:
        raise UserError(f"backend tensorrt: {found['error']}")
    for key in ("version", "device", "compute_capability"):
        if found[key] != backend[key]:
            fault = f"{key} is {backend[key]}, but this process has {found[key]}"
            raise FormatError(
                path, fault, "Delete it and run snakemake again, which rebuilds the engines for this GPU."
            )
    from trtflow.runtime.devices import open_gpu  # noqa: PLC0415 - NumPy, which most readers of backends do not need

    open_gpu()


def load(name: str) -> ModuleType:
    """Return the module that answers TensorRT's API under a backend's name."""
    if name == "tensorrt":
        try:
            preload_libraries()
            import tensorrt  # noqa: PLC0415 - only the backend that runs is loaded
        except ImportError as error:
            raise UserError(f"backend tensorrt: this Python cannot import tensorrt ({error}). {REMEDY}") from error
        return tensorrt
    if name != "reference":
        raise UserError(f"unknown backend {name!r}. Set backend in config/config.yaml to {' or '.join(CHOICES)}.")
    import trtflow.reference  # noqa: PLC0415 - only the backend that runs is loaded

    return trtflow.reference


def load_backend(backend: dict[str, Any]) -> ModuleType:
    """Return the module that answers TensorRT's API, set as `results/backend.json` says."""
    trt = load(backend["name"])
    if backend.get(BEYOND):
        trt.OnnxParser.beyond_tensorrt = True
    if PROVIDER in backend:
        from trtflow.reference.run.providers import version_of  # noqa: PLC0415 - needs what the reference needs

        version_of(backend[PROVIDER])  # an error where it is not installed
        trt.ICudaEngine.provider = backend[PROVIDER]
    return trt


def open_backend(path: Path) -> tuple[ModuleType, dict[str, Any]]:
    """Return the module of the backend of `results/backend.json`, and the backend; a GPU is opened.

    Raises:
        FormatError: the file is damaged, or this process has another GPU or TensorRT than it says.
        UserError: the backend is not here, or no memory is free on the GPU.
    """
    backend = read_backend(path)
    trt = load_backend(backend)
    check_device(backend, path)
    return trt, backend


def describe(
    choice: str,
    engine_python: str = "python3.10",
    beyond_tensorrt: bool = False,
    provider: str = PROVIDERS[0],
) -> dict[str, Any]:
    """Return what engines of a backend depend on: name, version, device, compute capability, driver.

    Args:
        choice: reference, tensorrt, or auto, which takes TensorRT where the engine's Python and a GPU answer.
        engine_python: the Python that has TensorRT; a command or a path.
        beyond_tensorrt: whether the reference is to run operators of ONNX that TensorRT refuses.
        provider: what the reference runs in, onnxruntime or openvino.

    Returns:
        for TensorRT also `python`, that Python; for auto that took the reference also `why`.

    Raises:
        UserError: the provider is not installed, or TensorRT was asked for, and its Python, TensorRT itself, the GPU
            or its driver is not there.
    """
    reference: dict[str, Any] = {BEYOND: True} if beyond_tensorrt else {}
    if provider != PROVIDERS[0]:
        reference[PROVIDER] = provider
    if choice == "reference":
        return {**_describe_reference(provider), **reference}
    if choice not in CHOICES:
        load(choice)
    try:
        return {"name": "tensorrt", **probe(engine_python), "python": engine_python}
    except UserError as error:
        if choice == "tensorrt":
            raise
        return {**_describe_reference(provider), **reference, "why": str(error)}


def _describe_reference(provider: str) -> dict[str, Any]:
    trt = load("reference")
    from trtflow.reference.run.providers import version_of  # noqa: PLC0415 - needs what the reference needs

    return {
        "name": "reference",
        "version": f"{trt.__version__} on {version_of(provider)}",
        "device": _processor(),
        "compute_capability": None,
        "driver": None,
    }


def probe(engine_python: str) -> dict[str, Any]:
    """Ask the engine's Python for version, device, compute capability and driver.

    Raises:
        UserError: it is not there, or says what it lacks.
    """
    command = shutil.which(engine_python)
    if command is None:
        raise UserError(f"backend tensorrt: engine_python {engine_python!r} is not there. {REMEDY}")
    try:
        done = subprocess.run(
            [command, "-m", "trtflow.runtime.probe"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PROBE_S,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"backend tensorrt: {engine_python} does not answer ({error}). {REMEDY}") from error
    except (ValueError, IndexError) as error:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"backend tensorrt: {engine_python} failed: {last}. {REMEDY}") from error
    if "error" in found:
        raise UserError(f"backend tensorrt: {engine_python}: {found['error']}")
    return dict(found)


def read_backend(path: Path) -> dict[str, Any]:
    """Return what `results/backend.json` says that engines depend on."""
    backend = _read(path)
    return {key: backend[key] for key in (*KEYS, *([BEYOND] if backend.get(BEYOND) else []))}


def other_python(path: Path) -> str | None:
    """Return the Python to switch to for the backend of `results/backend.json`; None where this one has it.

    Raises:
        UserError: that Python is not there, or was switched to and lacks TensorRT.
    """
    backend = _read(path)
    if backend["name"] != "tensorrt" or importlib.util.find_spec("tensorrt") is not None:
        return None
    python = shutil.which(backend.get("python", ""))
    if python is None:
        raise UserError(f"{path}: the engine's Python {backend.get('python')!r} is not there. {REMEDY}")
    if os.environ.get(SWITCHED) == python:
        raise UserError(f"{path}: the engine's Python {python} has no tensorrt. {REMEDY}")
    os.environ[SWITCHED] = python
    return python


def _read(path: Path) -> dict[str, Any]:
    """Return the content of `results/backend.json`."""
    with refuse_damage(path, "not a description of a backend", "Make it again with snakemake."):
        backend = dict(read_json(path))
        if missing := [key for key in KEYS if key not in backend]:
            raise KeyError(*missing)
        for key in ("name", "version", "device", "python"):
            if not isinstance(backend.get(key, ""), str):
                raise ValueError(f"{key} is {backend[key]!r}, no text")
        return backend


def processor_model() -> str:
    """Return the processor's model; "" where the system does not tell it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return (models[0] if models else "") or platform.processor()


def _processor() -> str:
    """Return the processor's model and architecture."""
    return f"{processor_model() or 'CPU'} ({platform.machine()})"
