"""Shared libraries that scripts load by `ctypes`: CUDA's runtime and TensorRT's own are answered, plugins are not.

A library of plugins registers creators with TensorRT's own registry when it is loaded. It is linked with TensorRT and
has code for a GPU, so a CPU can use none of it. Where the reference has each of its plugins, as those of NVIDIA's
samples, those are taken; else the error names its creators, and `--plugins FILE.py` gives their reference.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trtflow.formats import UserError
from trtflow.nvidia.patches import Patches

_TENSORRT = re.compile(r"(lib)?(nvinfer|nvonnxparser|nvparsers|nvcaffe_parser)\w*(\.\w+)*")
_CUDART = re.compile(r"(lib)?cudart\w*(\.\w+)*")
_NEEDED = (b"libnvinfer.so", b"libnvinfer_plugin.so", b"nvinfer_10.dll", b"nvinfer.dll")
_TYPE_NAME = re.compile(rb"N?(?:\d+[A-Za-z_]\w*)+E?(?=\0)")
_BASES = {"IPluginCreator", "BaseCreator"}


class PluginLibraryError(UserError, OSError):
    """A compiled plugin cannot run on a CPU."""


def creators_in(data: bytes) -> list[str]:
    """Return the classes of plugin creators of a library, from the names that C++ keeps of its types."""
    found = set()
    for match in _TYPE_NAME.finditer(data):
        text = match.group().decode().removeprefix("N").removesuffix("E")
        name = ""
        while (size := re.match(r"\d+", text)) and len(text) >= size.end() + int(size.group()):
            name, text = text[size.end() : size.end() + int(size.group())], text[size.end() + int(size.group()) :]
        if not text and name.endswith("Creator") and name not in _BASES:
            found.add(name)
    return sorted(found)


def is_answered(path: Path, plugins: Sequence[Path]) -> bool:
    """Tell whether a library is one of plugins that the reference, or files of the user's, have.

    Args:
        path: the library.
        plugins: the user's files of plugins, which are the reference of what it has; an empty file may then stand for
            a library that cannot be built without CUDA.

    Raises:
        PluginLibraryError: it is one of plugins that nothing answers.
    """
    data = path.read_bytes() if path.is_file() else None
    if data is None or (data and not any(name in data for name in _NEEDED)):
        return False
    if plugins or not data:
        return bool(plugins)
    creators = creators_in(data)
    known = _register_known(data)
    if known and len(known) >= len(creators):
        print(f"note: {path}: the reference answers {', '.join(known)}", file=sys.stderr)
        return True
    named = f"registers {', '.join(creators)}" if creators else "is linked with TensorRT"
    raise PluginLibraryError(
        f"{path}: it {named}, compiled for a GPU: it cannot run on a CPU. Give a file with their reference: "
        "trtflow run --plugins FILE.py (docs/plugins.md)."
    )


def _register_known(data: bytes) -> list[str]:
    """Register those plugins of the reference whose names a library has among its texts, and return the names."""
    import trtflow.reference as trt  # noqa: PLC0415 - children load as little as they can
    from trtflow.reference.record import mnist_plugins  # noqa: PLC0415

    trt.init_libnvinfer_plugins(trt.Logger(), "")
    of_library = {creator.name for creator in trt.get_plugin_registry().plugin_creator_list}
    found = [name for name in sorted(of_library | set(mnist_plugins.CREATORS)) if b"\0" + name.encode() + b"\0" in data]
    for name in found:
        if name in mnist_plugins.CREATORS:
            mnist_plugins.register(name)
    return found


def _answers(name: str) -> dict[str, Callable[..., Any]] | None:
    """Return the functions of a library that is answered on the host, or None."""
    base = os.path.basename(name)
    if _CUDART.fullmatch(base):
        from trtflow.nvidia.cuda.library import FUNCTIONS  # noqa: PLC0415 - as few modules as a child process needs

        return FUNCTIONS
    if _TENSORRT.fullmatch(base):
        return {"initLibNvInferPlugins": _init_plugins, "getInferLibVersion": lambda: 8600}
    return None


def _init_plugins(logger: Any = None, namespace: Any = b"") -> bool:
    import trtflow.reference as trt  # noqa: PLC0415

    return trt.init_libnvinfer_plugins(trt.Logger(), "")


def library_class(original: type[ctypes.CDLL], plugins: Sequence[Path]) -> type[ctypes.CDLL]:
    """Return a class like `ctypes.CDLL` that answers CUDA's and TensorRT's libraries and refuses compiled plugins.

    Args:
        original: the class.
        plugins: the user's files of plugins.
    """

    class CDLL(original):  # type: ignore[misc,valid-type]
        """A shared library; see `ctypes.CDLL`."""

        def __init__(self, name: Any, *options: Any, **more: Any) -> None:
            path = None if name is None else os.fsdecode(name)
            self._answered = None if path is None else _answers(path)
            if self._answered is None and path is not None and is_answered(Path(path), plugins):
                self._answered = {}
            if self._answered is None:
                super().__init__(name, *options, **more)
            else:
                self._name, self._handle = path, 0

        def __getitem__(self, name: Any) -> Any:
            if self._answered is None:
                return super().__getitem__(name)
            if name not in self._answered:
                raise AttributeError(f"{self._name} is answered on the host, and has no {name} there")
            return self._answered[name]

    return CDLL


def patch_ctypes(patches: Patches, plugins: Sequence[Path]) -> None:
    """Put our class in the place of `ctypes.CDLL`, also where `ctypes.cdll` loads a library."""
    kind = library_class(ctypes.CDLL, plugins)
    patches.set(ctypes, "CDLL", kind)
    patches.set(ctypes.cdll, "_dlltype", kind)
