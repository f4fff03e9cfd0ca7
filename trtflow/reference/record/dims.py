"""Shapes and orders of axes, as TensorRT gives and takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, overload

MAX_DIMS = 8


class _Sizes:
    """A row of whole numbers, each of which can be set.

    Raises:
        ValueError: more of them than the eight dimensions that TensorRT takes.
    """

    __slots__ = ("_sizes",)

    def __init__(self, shape: Iterable[int] = ()) -> None:
        self._sizes = [int(size) for size in shape]
        if len(self._sizes) > MAX_DIMS:
            raise ValueError(f"{len(self._sizes)} dimensions, but TensorRT takes at most {MAX_DIMS}")

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(self._sizes))

    def __repr__(self) -> str:
        return repr(tuple(self._sizes))


class Dims(_Sizes):
    """A shape: it equals the list or tuple of its sizes, and part of it is a tuple."""

    __slots__ = ()

    MAX_DIMS = property(lambda self: MAX_DIMS, doc="The most dimensions that there can be.")

    @overload
    def __getitem__(self, key: int) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[int, ...]: ...
    def __getitem__(self, key: int | slice) -> int | tuple[int, ...]:
        return tuple(self._sizes[key]) if isinstance(key, slice) else self._sizes[key]

    def __setitem__(self, key: int | slice, value: Any) -> None:
        sizes = list(self._sizes)
        if isinstance(key, slice):
            sizes[key] = [int(size) for size in value]
        else:
            sizes[key] = int(value)
        if len(sizes) != len(self._sizes):
            raise ValueError("the sizes that are set must be as many as those that they replace")
        self._sizes = sizes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (Dims, list, tuple)) and self._sizes == list(other)

    __hash__ = None  # type: ignore[assignment] # as its sizes can be set


class _Counted(Dims):
    """A shape of a fixed number of dimensions, given one by one, as a sequence, or not at all."""

    __slots__ = ()
    count = 0

    def __init__(self, *sizes: Any) -> None:
        given = sizes[0] if len(sizes) == 1 else sizes
        super().__init__(given if sizes else (0,) * self.count)
        if len(self) != self.count:
            raise ValueError(f"{type(self).__name__} has {self.count} dimensions, not {len(self)}")


class Dims2(_Counted):
    """A shape of two dimensions."""

    __slots__ = ()
    count = 2

    def __init__(self, dim0: Any = 0, dim1: Any = None) -> None:
        super().__init__(*_given(dim0, dim1))


class DimsHW(Dims2):
    """Height and width."""

    __slots__ = ()

    def __init__(self, h: Any = 0, w: Any = None) -> None:
        super().__init__(h, w)

    h = property(lambda self: self[0], lambda self, size: self.__setitem__(0, size), doc="Height.")
    w = property(lambda self: self[1], lambda self, size: self.__setitem__(1, size), doc="Width.")


class Dims3(_Counted):
    """A shape of three dimensions."""

    __slots__ = ()
    count = 3

    def __init__(self, dim0: Any = 0, dim1: Any = None, dim2: Any = None) -> None:
        super().__init__(*_given(dim0, dim1, dim2))


class Dims4(_Counted):
    """A shape of four dimensions."""

    __slots__ = ()
    count = 4

    def __init__(self, dim0: Any = 0, dim1: Any = None, dim2: Any = None, dim3: Any = None) -> None:
        super().__init__(*_given(dim0, dim1, dim2, dim3))


def _given(first: Any, *others: Any) -> tuple[Any, ...]:
    """Return sizes, or the one sequence that stands for them; nothing where none are given."""
    if others[0] is None:
        return () if isinstance(first, int) and first == 0 else (first,)
    return (first, *others)


class Permutation(_Sizes):
    """An order of axes; it has eight entries, and a layer reads as many as its input has axes."""

    __slots__ = ()

    def __init__(self, order: Iterable[int] = ()) -> None:
        super().__init__(order)
        self._sizes += [0] * (MAX_DIMS - len(self._sizes))

    def __getitem__(self, index: int) -> int:
        return self._sizes[index]

    def __setitem__(self, index: int, axis: int) -> None:
        self._sizes[index] = int(axis)


def sizes_of(shape: Iterable[int]) -> tuple[int, ...]:
    """Return a shape as a tuple, which nobody can change.

    Raises:
        ValueError: more dimensions than TensorRT takes.
    """
    return tuple(Dims(shape))


class InvalidDims(Dims):
    """What TensorRT answers where there is no shape: it has no length, and no sizes."""

    __slots__ = ()

    def __len__(self) -> int:
        raise ValueError("__len__() should return >= 0")

    def __iter__(self) -> Iterator[int]:
        raise ValueError("an invalid shape has no sizes")

    def __getitem__(self, key: Any) -> Any:
        raise IndexError("an invalid shape has no sizes")
