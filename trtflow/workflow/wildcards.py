"""Wildcard constraints."""

from __future__ import annotations

import re
from collections.abc import Iterable


def one_of(names: Iterable[str], *, literal: bool = False) -> str:
    """Return the regular expression of one of these names, or of nothing at all.

    Args:
        names: what a wildcard may be.
        literal: whether they are file names, which mean no more than they say.
    """
    return "|".join(map(re.escape, names) if literal else names) or "(?!)"
