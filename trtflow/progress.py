"""Progress bars for whatever lasts longer than a few seconds; on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items, showing on a terminal how many are done."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import track as rich_track  # noqa: PLC0415 - a Python without a terminal needs no rich

    yield from rich_track(items, description, total=total)
