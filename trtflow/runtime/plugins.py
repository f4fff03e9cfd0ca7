"""Plugins of `plugins/` for the backend that runs: from shared libraries on TensorRT, from Python on the reference."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import is_name_within, refuse_damage
from trtflow.formats.files import read_json

FOLDER = Path("results/plugins")  # where scripts/build_plugins.py puts the libraries
RECORD = "plugins.json"  # what it says about them
BUILD = "Build the plugins with scripts/build_plugins.py."
REBUILD = "Delete it and build the plugins again with scripts/build_plugins.py."


def load_plugins(trt: ModuleType, names: Iterable[str], folder: Path = FOLDER) -> None:
    """Make plugins known to the plugin registry; harmless when they are.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        names: types of plugins, such as "FCPlugin".
        folder: where the libraries and `plugins.json` lie; the reference needs neither.

    Raises:
        UserError: nothing of that name.
        FormatError: a library is missing, is damaged, was built for another TensorRT, or does not register its plugin.
    """
    for name in names:
        if is_reference(trt):
            _register_reference(name)
        else:
            _load_library(trt, name, folder)


def fc_plugin_factory(trt: ModuleType, folder: Path = FOLDER) -> Any:
    """Return a factory for `CaffeParser.plugin_factory_v2` that makes FCPlugin of layer ip2.

    Raises:
        FormatError: as `load_plugins`, for the Python module fc_plugin.
    """
    load_plugins(trt, ["FCPlugin"], folder)
    if is_reference(trt):
        return trt.FCPluginFactory()
    module = read_record(trt, folder).get("module")
    if module is None:
        raise FormatError(folder / RECORD, "the plugins were built without the Python module fc_plugin", BUILD)
    return _import_module("fc_plugin", _checked(folder, module["file"])).FCPluginFactory()


def is_reference(trt: ModuleType) -> bool:
    """Whether the API is answered by the reference runtime."""
    return trt.__name__.startswith("trtflow.")


def read_record(trt: ModuleType, folder: Path) -> dict[str, Any]:
    """Return what is known of the libraries in a folder.

    Raises:
        FormatError: there are none, or they were built for another TensorRT.
    """
    path = folder / RECORD
    if not path.exists():
        raise FormatError(path, "no such file, so no plugins were built", BUILD)
    with refuse_damage(path, "not a record of plugins", REBUILD):
        record = dict(read_json(path))
        built = record["tensorrt"]
        if not isinstance(built, str) or not _are_files(record["plugins"]):
            raise ValueError("it does not say for which TensorRT, or which libraries there are")
    if _line(built) != _line(trt.__version__):
        raise FormatError(path, f"the plugins were built for TensorRT {built}, this is {trt.__version__}", REBUILD)
    return record


def _are_files(libraries: Any) -> bool:
    """Whether that says which libraries lie in the folder of the record."""
    return isinstance(libraries, dict) and all(
        isinstance(file, str) and is_name_within(file) for file in libraries.values()
    )


def _line(version: str) -> list[str]:
    """Return major and minor version, within which TensorRT keeps its plugins' binary interface."""
    return version.split(".")[:2]


def _register_reference(name: str) -> None:
    from trtflow.reference.record import mnist_plugins  # noqa: PLC0415 - absent where TensorRT is the backend

    if name not in mnist_plugins.CREATORS:
        raise UserError(f"unknown plugin {name!r}. The reference runtime has {', '.join(mnist_plugins.CREATORS)}.")
    mnist_plugins.register(name)


def _load_library(trt: ModuleType, name: str, folder: Path) -> None:
    known = read_record(trt, folder)["plugins"]
    if name not in known:
        raise UserError(f"unknown plugin {name!r}. {folder / RECORD} has {', '.join(known)}.")
    path = _checked(folder, known[name])
    try:
        ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        fault = f"cannot be loaded ({error}): it is damaged, or was built for other libraries than those found here"
        raise FormatError(path, fault, REBUILD) from error
    if trt.get_plugin_registry().get_plugin_creator(name, "1", "") is None:
        raise FormatError(path, f"it does not register a plugin {name!r}", REBUILD)


def _checked(folder: Path, name: str) -> Path:
    """Return a library of the folder; one that lies elsewhere, by its name or by a link, is none of ours to run."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise FormatError(folder / RECORD, f"the library {name!r} does not lie in {folder}", REBUILD)
    if not path.exists():
        raise FormatError(path, "the library is missing", BUILD)
    return path


def _import_module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as error:
        raise FormatError(path, f"Python cannot import it ({error})", REBUILD) from error
    return module
