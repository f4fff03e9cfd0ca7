"""What TensorRT's enumerations have in common: those of pybind11, which are no numbers."""

from __future__ import annotations

from enum import Enum, EnumMeta
from typing import Any


class _Closed(EnumMeta):
    """pybind11's enumerations are no containers: their members are told by `__members__` alone."""

    def __iter__(cls) -> Any:
        raise TypeError(f"{cls.__name__!r} is not iterable; take {cls.__name__}.__members__.values()")

    def __len__(cls) -> int:
        raise TypeError(f"{cls.__name__!r} has no len(); take {cls.__name__}.__members__")

    def __getitem__(cls, name: str) -> Any:
        raise TypeError(f"{cls.__name__!r} is not subscriptable; take {cls.__name__}.__members__[{name!r}]")


class Enumeration(Enum, metaclass=_Closed):
    """A value with a name: `int(x)` is its number, `str(x)` is `Type.NAME`; it equals its own kind alone."""

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __repr__(self) -> str:
        return f"<{self}: {self.value}>"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return int(self.value)

    def __hash__(self) -> int:
        return int(self.value)


class OrderedEnumeration(Enumeration):
    """An enumeration whose values can be ordered too, among themselves (py::arithmetic)."""

    def __lt__(self, other: Any) -> bool:
        return int(self) < self._number(other)

    def __le__(self, other: Any) -> bool:
        return int(self) <= self._number(other)

    def __gt__(self, other: Any) -> bool:
        return int(self) > self._number(other)

    def __ge__(self, other: Any) -> bool:
        return int(self) >= self._number(other)

    def _number(self, other: Any) -> int:
        if type(other) is not type(self):
            raise TypeError("Expected an enumeration of matching type!")
        return int(other)


def members(kind: type[Any]) -> list[Any]:
    """Return the values of an enumeration, each once."""
    return list(dict.fromkeys(kind.__members__.values()))


def bits(kind: type[Any], mask: int) -> list[Any]:
    """Return the values of an enumeration whose bits are set."""
    return [value for value in members(kind) if mask >> int(value) & 1]
