"""The timing cache: of TensorRT the times of kernels, here the forms of layers that were built.

The reference runtime times no kernels, so an entry says which form of a layer was seen and no time. Caches are merged,
kept and given back as TensorRT's are; those of TensorRT itself are another format, and are not taken.
"""

from __future__ import annotations

import hashlib

from trtflow.reference.errors import BuildError
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.values import IHostMemory
from trtflow.reference.version import __version__

HEADER = f"trtflow timing cache, TensorRT {__version__}\n".encode()
ENTRY = hashlib.sha256().digest_size


class ITimingCache(Sealed):
    """Forms of layers; made by `IBuilderConfig.create_timing_cache`."""

    def __init__(self, entries: frozenset[bytes] = frozenset()) -> None:
        self._entries = set(entries)

    def serialize(self) -> IHostMemory:
        """Return the cache's bytes; the same entries give the same ones."""
        return IHostMemory(HEADER + b"".join(sorted(self._entries)))

    def combine(self, input_cache: ITimingCache, ignore_mismatch: bool) -> bool:
        """Take the entries of another cache.

        Args:
            input_cache: the other cache.
            ignore_mismatch: whether it may come from another GPU; on a CPU none does.
        """
        self._entries |= input_cache._entries
        return True

    def reset(self) -> bool:
        """Forget all entries."""
        self._entries.clear()
        return True

    def note(self, form: str) -> None:
        """Add the form of a layer that is built."""
        self._entries.add(hashlib.sha256(form.encode()).digest())


def read_timing_cache(data: bytes) -> ITimingCache:
    """Return the cache that `ITimingCache.serialize` gave; an empty one of no bytes.

    Raises:
        BuildError: the bytes are no such cache.
    """
    if not data:
        return ITimingCache()
    body = data[len(HEADER) :]
    if not data.startswith(HEADER) or len(body) % ENTRY:
        raise BuildError(
            "no timing cache of the reference runtime, or one of another version. Start with an empty one."
        )
    return ITimingCache(frozenset(body[place : place + ENTRY] for place in range(0, len(body), ENTRY)))
