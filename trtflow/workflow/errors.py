"""The error of a plan that cannot be made."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PlanError(Exception):
    """Something in the configuration or in the files it names is wrong: where, what, and the way out."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return "unknown sample 'sdd'. Did you mean 'ssd'? Known: …."."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}.{guess} Known: {', '.join(names)}."
