"""TensorRT's timing cache in a file that builds share, also when several run at once.

The file is TensorRT's own, so that trtexec reads it too; `<file>.sha256` beside it holds the checksum of what was
written. A file that was damaged since, or comes from elsewhere without one, is used no more than one of another GPU is.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trtflow.formats.files import write_bytes, write_text

FOLDER = Path("timing_caches")  # beside results/, so that cleaning up leaves what is dear to measure
KEPT = Path("auto")  # the file that the workflow keeps for a GPU and a TensorRT
LOCK_S = 60.0  # that another build is waited for: it holds the file for as long as writing takes
logger = logging.getLogger(__name__)


def kept_timing_cache(backend: Mapping[str, str]) -> Path:
    """Return the file that the workflow keeps for a GPU and a TensorRT, in the folder that it runs in.

    Args:
        backend: version, device, compute_capability and driver, as `results/backend.json` has them: what engines belong
            to, kernel times do too.
    """
    gpu = f"{backend['device']} {backend['compute_capability']}"
    name = f"{gpu} TensorRT {backend['version']} driver {backend['driver']}"
    return FOLDER / f"{re.sub('[^A-Za-z0-9.]+', '-', name)}.cache"


def use_timing_cache(config: Any, path: Path) -> None:
    """Give a builder configuration the kernel times of a file; none where it does not exist yet.

    One of another TensorRT or GPU is of no use: TensorRT says so in its log, and the cache begins empty.
    """
    cache = config.create_timing_cache(_read(path)) or config.create_timing_cache(b"")
    if not config.set_timing_cache(cache, ignore_mismatch=False):
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def keep_timing_cache(config: Any, path: Path) -> None:
    """Add the kernel times of a build to a file, together with what other builds have added meanwhile.

    Where another build holds the file for a minute, as one that was stopped does, they are left out: a later build
    measures them again.
    """
    cache = config.get_timing_cache()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path) as mine:
        if not mine:
            logger.warning("%s: another build holds it for %g s; these kernel times are not kept", path, LOCK_S)
            return
        known = _read(path)
        if known and (others := config.create_timing_cache(known)) is not None:
            cache.combine(others, ignore_mismatch=False)
        data = bytes(cache.serialize())
        write_bytes(path, data)
        write_text(_record(path), f"{hashlib.sha256(data).hexdigest()}  {path.name}\n")


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _read(path: Path) -> bytes:
    """Return what the file holds; nothing where it is not there, or not as it was written."""
    if not path.exists():
        return b""
    data, record = path.read_bytes(), _record(path)
    known = record.read_text(errors="replace").split() if record.exists() else []
    if known[:1] == [hashlib.sha256(data).hexdigest()]:
        return data
    logger.warning("%s: its checksum is not the one in %s; kernels are timed anew", path, record.name)
    return b""


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the file alone; yields False where another process does for too long."""
    end = time.monotonic() + LOCK_S
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > end:
                    yield False
                    return
                time.sleep(0.1)
                continue
            yield True
            return
