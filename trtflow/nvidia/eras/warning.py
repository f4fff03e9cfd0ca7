"""The warnings of old members: one for each, at the line that uses it."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

from trtflow.formats import UserError

LIBRARY = str(Path(__file__).parents[2])
_SAID: set[str] = set()


class EraWarning(FutureWarning):
    """A member that TensorRT 8.6 has no longer."""


def forget() -> None:
    """Warn again of each member."""
    _SAID.clear()


def warn(old: str, today: str) -> None:
    """Warn once that a member is gone.

    Args:
        old: its name.
        today: what to write instead.
    """
    if old not in _SAID:
        _SAID.add(old)
        warnings.warn(f"{old} is gone since TensorRT 8; today: {today}", EraWarning, stacklevel=_level_of_user())


def _level_of_user() -> int:
    """Return the stack level of the first line that is not of this library, counted from the caller."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(LIBRARY):
        level, frame = level + 1, frame.f_back
    return level


def refuse(old: str, today: str) -> NoReturn:
    """Say that a member of the era cannot be given.

    Raises:
        UserError: always.
    """
    raise UserError(f"{old} cannot be given on a CPU: {today}")


def refused(old: str, today: str) -> property:
    """Return a property that cannot be set, and is None."""

    def refuse_value(self: Any, value: Any) -> None:
        if value is not None:
            refuse(old, today)

    return property(lambda self: None, refuse_value, doc=f"Refused; {today}")
