"""What else `import tensorrt` gives: the module's own names, and classes of plugins from before TensorRT 5.1."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import Any

from trtflow.reference.record.enums import EngineCapability, FieldType
from trtflow.reference.record.plugins import IPluginRegistry, get_plugin_registry
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.values import ILogger

CURDIR = os.path.dirname(os.path.realpath(__file__))  # where TensorRT's module has its libraries
# variables that loops of TensorRT's module leave behind
attr, value = "VERBOSE", ILogger.VERBOSE
lib = "libnvinfer_plugin.so."
ONNX_PARSER_VERSION = 100  # 0.1.0, of TensorRT 8.6's parser


class FallbackString(Sealed):
    """Text in UTF-8, of which a plugin's field takes the name."""

    def __init__(self, arg0: str) -> None:
        self._text = arg0

    def __str__(self) -> str:
        return self._text


class FieldMap(Sealed):
    """One attribute of a plugin, as it was before creators."""

    def __init__(self, name: str, data: Any, type: FieldType, length: int = 1) -> None:
        self.name, self.data, self.type, self.length = name, data, type, length


class FieldCollection(Sealed):
    """Attributes of a plugin, as they were before creators."""

    def __init__(self) -> None:
        self.num_fields = 0
        self.fields: Any = None


def get_builder_plugin_registry(arg0: EngineCapability) -> IPluginRegistry:
    """Return the registry for engines of a capability: there is one for all."""
    return get_plugin_registry()


def get_nv_onnx_parser_version() -> int:
    """Return the version of the ONNX parser: major * 10000 + minor * 100 + patch."""
    return ONNX_PARSER_VERSION


def shutdown_protobuf_library() -> None:
    """Do nothing: Python's protobuf holds no memory of the parsers'."""


def find_lib(name: str) -> str:
    """Return the path of a library in the folders of PATH.

    Raises:
        FileNotFoundError: it is in none of them.
    """
    paths = os.environ.get("PATH", "").split(os.path.pathsep)
    for path in paths:
        if os.path.isfile(found := os.path.join(path, name)):
            return found
    raise FileNotFoundError(f"Could not find: {name}. Is it on your PATH?\nNote: Paths searched were:\n{paths}")


def try_load(library: str) -> None:
    """Load a library where that can be."""
    with contextlib.suppress(OSError):
        ctypes.CDLL(library)
