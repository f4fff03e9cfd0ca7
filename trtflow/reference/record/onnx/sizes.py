"""Sizes that are only known at run time: whole numbers made of the unknown sizes of inputs.

TensorRT finds that `Reshape` to [N, 4 * C / 4, -1] keeps the channels though N is unknown. So sizes are carried through
a parse as polynomials in named unknowns, and what two of them give together is found wherever it is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Monomial = tuple[str, ...]  # the names in it, sorted; () is the constant


class Size:
    """A polynomial with whole coefficients in named sizes, each of them at least 0."""

    def __init__(self, terms: dict[Monomial, int]) -> None:
        self.terms = {names: count for names, count in terms.items() if count}

    @classmethod
    def named(cls, name: str) -> Size:
        """Return the size of that name."""
        return cls({(name,): 1})

    def __str__(self) -> str:
        parts = ["*".join([*([str(count)] if count != 1 or not names else []), *names]) for names, count in self._key()]
        return " + ".join(parts) or "0"

    __repr__ = __str__

    def _key(self) -> list[tuple[Monomial, int]]:
        return sorted(self.terms.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (Size, int)) and self.terms == _terms(other)

    def __hash__(self) -> int:
        return hash(tuple(self._key()))

    def __add__(self, other: Any) -> Any:
        total = dict(self.terms)
        for names, count in _terms(other).items():
            total[names] = total.get(names, 0) + count
        return simple(Size(total))

    def __mul__(self, other: Any) -> Any:
        total: dict[Monomial, int] = {}
        for names, count in self.terms.items():
            for others, factor in _terms(other).items():
                together = tuple(sorted((*names, *others)))
                total[together] = total.get(together, 0) + count * factor
        return simple(Size(total))

    def __neg__(self) -> Any:
        return self * -1

    def __sub__(self, other: Any) -> Any:
        return self + other * -1

    def __rsub__(self, other: Any) -> Any:
        return self * -1 + other

    __radd__, __rmul__ = __add__, __mul__

    def is_never(self, number: int) -> bool:
        """Whether no sizes make it that number: it is negative, and no term can be."""
        return number < 0 and all(count > 0 for count in self.terms.values())


Known = int | Size
Shape = tuple[Known, ...]


def _terms(value: Any) -> dict[Monomial, int]:
    return value.terms if isinstance(value, Size) else {(): int(value)} if value else {}


def simple(size: Size) -> Known:
    """Return a size without unknowns as a number."""
    return size.terms.get((), 0) if set(size.terms) <= {()} else size


def product(sizes: Iterable[Known]) -> Known:
    """Return the product of sizes."""
    total: Known = 1
    for size in sizes:
        total = total * size
    return total


def quotient(size: Known, divisor: Known) -> Known:
    """Return a size divided by another, rounded down; where that is not exact, a new size named by what it is."""
    if isinstance(size, int) and isinstance(divisor, int) and divisor:
        return size // divisor
    over, under = _terms(size), _terms(divisor)
    if size == divisor:
        return 1
    if len(under) == 1:
        ((names, factor),) = under.items()
        parts = {left: (_without(left, names), count) for left, count in over.items()}
        if all(rest is not None and count % factor == 0 for rest, count in parts.values()):
            return simple(Size({rest: count // factor for rest, count in parts.values() if rest is not None}))
    return Size.named(f"({size})/({divisor})")


def _without(names: Monomial, divisor: Monomial) -> Monomial | None:
    left = list(names)
    for name in divisor:
        if name not in left:
            return None
        left.remove(name)
    return tuple(left)


def fixed(shape: Shape) -> tuple[int, ...]:
    """Return a shape with -1 where a size is only known at run time."""
    return tuple(size if isinstance(size, int) else -1 for size in shape)
