"""Shapes with names for their dimensions, which TensorRT had until 7."""

from __future__ import annotations

from enum import IntEnum
from operator import itemgetter
from types import ModuleType
from typing import Any

from trtflow.nvidia.eras.warning import warn
from trtflow.nvidia.patches import Patches


class DimensionType(IntEnum):
    """What a dimension was of, until TensorRT 6; nothing depends on it."""

    SPATIAL = 0
    CHANNEL = 1
    INDEX = 2
    SEQUENCE = 3


def _dims(name: str, letters: str) -> type:
    """Return a class of shapes whose sizes have letters."""

    def new(cls: type, *sizes: Any) -> Any:
        warn(f"tensorrt.{name}", f"a tuple of {len(letters)} sizes")
        given = tuple(map(int, sizes[0] if len(sizes) == 1 else sizes))
        if len(given) != len(letters):
            raise ValueError(f"{name} has {len(letters)} sizes, not {len(given)}")
        return tuple.__new__(cls, given)

    members: dict[str, Any] = {"__new__": new, "__doc__": f"A shape of {', '.join(letters)}."}
    for index, letter in enumerate(letters.lower()):
        members[letter] = property(itemgetter(index), doc=f"Size of the dimension {letter}.")
    return type(name, (tuple,), members)


def give(patches: Patches, trt: ModuleType) -> None:
    """Give the shapes that 8.6 has no longer."""
    patches.set(trt, "DimsCHW", _dims("DimsCHW", "CHW"))
    patches.set(trt, "DimsNCHW", _dims("DimsNCHW", "NCHW"))
    patches.add(trt, "DimsHW", _dims("DimsHW", "HW"))
    patches.set(trt, "DimensionType", DimensionType)
