"""Changes to other modules that are taken back."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any

_MISSING = object()


class Patches:
    """Things that were changed, each with how to take it back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], Any]] = []

    def later(self, undo: Callable[[], Any]) -> None:
        """Have a function called when all is taken back."""
        self._undo.append(undo)

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute of a module or class.

        Args:
            owner: whose attribute it is.
            name: of the attribute.
            value: its new value.
        """
        before = vars(owner).get(name, _MISSING)
        setattr(owner, name, value)
        self.later(partial(delattr, owner, name) if before is _MISSING else partial(setattr, owner, name, before))

    def set_item(self, mapping: MutableMapping[str, Any], key: str, value: Any) -> None:
        """Set an entry of a mapping, such as the environment or the loaded modules."""
        before = mapping.get(key, _MISSING)
        mapping[key] = value
        if before is _MISSING:
            self.later(partial(mapping.pop, key, None))
        else:
            self.later(partial(mapping.__setitem__, key, before))

    def add(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute where there is none of that name."""
        if not hasattr(owner, name):
            self.set(owner, name, value)

    def undo(self) -> None:
        """Take all back, the last first."""
        while self._undo:
            self._undo.pop()()
