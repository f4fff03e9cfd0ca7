"""Progress bars for whatever lasts longer than a few seconds; on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import track as rich_track

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items, showing on a terminal how many are done."""
    if not sys.stderr.isatty():
        yield from items
        return
    yield from rich_track(items, description, total=total)
