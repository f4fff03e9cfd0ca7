"""The way of one batch through a device: copied there, computed, copied back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trtflow.formats import UserError
from trtflow.runtime.devices import Buffer, Device


@dataclass(frozen=True)
class Query:
    """How long the parts of one query took, in milliseconds, by the device's clock.

    Attributes:
        h2d, compute, d2h: copies to the device, execution, copies back.
        enqueue: what giving the execution to the device took of the host's time.
        start, end: of the first and the last part, from the beginning of the measurement.
    """

    h2d: float
    compute: float
    d2h: float
    enqueue: float
    start: float
    end: float

    @property
    def latency(self) -> float:
        """Return the three parts together, which is what trtexec calls latency."""
        return self.h2d + self.compute + self.d2h


class Streams:
    """One stream each for copies to the device, computing and copies back, so that they can overlap."""

    def __init__(self, device: Device) -> None:
        self.upload, self.compute, self.download = (device.create_stream() for _ in range(3))


class Slot:
    """Buffers for one batch, and the moments of its way.

    Args:
        device: where they are.
        inputs, outputs: largest size of each in bytes.

    Raises:
        UserError: the device has not so much memory.
    """

    def __init__(self, device: Device, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> None:
        self.buffers: dict[str, Buffer] = {}
        self.graph: Any = None
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)
        self._sent, self._there, self._begun = (device.create_event() for _ in range(3))
        self._computed, self._returning, self._back = (device.create_event() for _ in range(3))
        self._enqueue_ms = 0.0
        try:
            for name, nbytes in {**inputs, **outputs}.items():
                self.buffers[name] = device.allocate(nbytes)
        except UserError:
            self.free()
            raise

    def send(self, streams: Streams, sizes: Mapping[str, int], enqueue: Callable[[], None]) -> None:
        """Send the batch that is staged on its way.

        Args:
            streams: what it goes through.
            sizes: bytes of each input and output.
            enqueue: gives the execution to the compute stream.
        """
        self._sent.record(streams.upload)
        for name in self._inputs:
            self.buffers[name].upload(sizes[name], streams.upload)
        self._there.record(streams.upload)
        streams.compute.wait(self._there)
        self._begun.record(streams.compute)
        start = time.perf_counter()
        enqueue()
        self._enqueue_ms = (time.perf_counter() - start) * 1000
        self._computed.record(streams.compute)
        streams.download.wait(self._computed)
        self._returning.record(streams.download)
        for name in self._outputs:
            self.buffers[name].download(sizes[name], streams.download)
        self._back.record(streams.download)

    def wait(self) -> None:
        """Wait until the batch is back."""
        self._back.synchronize()

    def times(self, origin: Any) -> Query:
        """Wait until the batch is back; return how long its way took, from the event `origin`."""
        self.wait()
        return Query(
            h2d=self._there.ms_since(self._sent),
            compute=self._computed.ms_since(self._begun),
            d2h=self._back.ms_since(self._returning),
            enqueue=self._enqueue_ms,
            start=self._sent.ms_since(origin),
            end=self._back.ms_since(origin),
        )

    def free(self) -> None:
        """Give the memory back; harmless when that was done."""
        if self.graph is not None:
            self.graph.free()
        for buffer in self.buffers.values():
            buffer.free()
