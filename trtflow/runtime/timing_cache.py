"""TensorRT's timing cache in a file that builds share, also when several run at once."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

from trtflow.formats.files import write_bytes


def use_timing_cache(config: Any, path: Path) -> None:
    """Give a builder configuration the kernel times of a file; none where it does not exist yet.

    One of another TensorRT or GPU is of no use: TensorRT says so in its log, and the cache begins empty.
    """
    data = path.read_bytes() if path.exists() else b""
    cache = config.create_timing_cache(data) or config.create_timing_cache(b"")
    if not config.set_timing_cache(cache, ignore_mismatch=False):
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def keep_timing_cache(config: Any, path: Path) -> None:
    """Add the kernel times of a build to a file, together with what other builds have added meanwhile."""
    cache = config.get_timing_cache()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists() and (others := config.create_timing_cache(path.read_bytes())) is not None:
            cache.combine(others, ignore_mismatch=False)
        write_bytes(path, bytes(cache.serialize()))
