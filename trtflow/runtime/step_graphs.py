"""CUDA graphs of what is given to a stream again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any

from trtflow.formats import UserError
from trtflow.runtime.devices import Device

MOST = 128  # graphs of one cache: each has memory of its own

logger = logging.getLogger(__name__)


class StepGraphs:
    """Graphs by what tells one work from another, as the addresses that it reads and writes.

    What is new is given directly, for TensorRT gets ready in its first run; the second time it is recorded, and from
    then on launched. Where something cannot be recorded, all is given directly from then on.

    Args:
        device: what records.
        stream: what the work is given to.
    """

    def __init__(self, device: Device, stream: Any) -> None:
        self._device, self._stream = device, stream
        self._graphs: dict[Hashable, Any] = {}
        self._recordable = True

    def run(self, key: Hashable, enqueue: Callable[[], None]) -> None:
        """Give work to the stream.

        Args:
            key: equal for equal work.
            enqueue: gives it; waits for nothing.

        Raises:
            UserError: what `enqueue` raises.
        """
        graph = self._graphs.get(key)
        if graph is None and self._recordable and key in self._graphs:
            graph = self._record(key, enqueue)
        if graph is not None:
            graph.launch()
            return
        if self._recordable and len(self._graphs) < MOST:
            self._graphs.setdefault(key)
        enqueue()

    def _record(self, key: Hashable, enqueue: Callable[[], None]) -> Any:
        """Return the graph, None where there can be none."""
        try:
            graph = self._device.capture(enqueue, self._stream)
        except (RuntimeError, UserError) as error:
            self._recordable = False
            logger.debug("steps are given one by one, for they cannot be recorded as a CUDA graph: %s", error)
            return None
        self._graphs[key] = graph
        return graph

    def free(self) -> None:
        """Forget all; harmless when that was done."""
        for graph in self._graphs.values():
            if graph is not None:
                graph.free()
        self._graphs = {}
