"""The way of one batch through a device: copied there, computed, copied back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from trtflow.formats import UserError
from trtflow.formats.layouts import Layout
from trtflow.runtime.devices import Buffer, Device
from trtflow.runtime.open_outputs import OpenMemory

Way = tuple[Callable[[], object], ...]  # calls that send a batch through the device


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


@dataclass
class Lane:
    """A context and the streams of the batches that it computes; `shapes` are those that its inputs have now."""

    context: Any
    streams: Streams
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


class Slot:
    """Buffers for one batch, and the moments of its way.

    Args:
        device: where they are.
        lane: what its batches go through.
        inputs, outputs: largest size of each in bytes.
        opened: layouts of those outputs besides whose sizes depend on values.

    Attributes:
        buffers: memory of inputs and outputs, by name.
        opened: memory of the outputs whose sizes depend on values.
        allocators: what TensorRT asks for these, which the session makes.

    Raises:
        UserError: the device has not so much memory.
    """

    def __init__(
        self,
        device: Device,
        lane: Lane,
        inputs: Mapping[str, int],
        outputs: Mapping[str, int],
        opened: Mapping[str, Layout],
    ) -> None:
        self.lane = lane
        self.buffers: dict[str, Buffer] = {}
        self.opened = {name: OpenMemory(device, layout) for name, layout in opened.items()}
        self.allocators: dict[str, Any] = {}
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

    def way(self, sizes: Mapping[str, int], enqueue: Callable[[], None]) -> Way:
        """Return the calls that send what is staged on its way, in their order.

        They are made ready beforehand, for a batch that goes the same way again and again: what the host does between
        the events is part of the times that they tell.

        Args:
            sizes: bytes of each input and output; what depends on values is copied back as large as it came out.
            enqueue: gives the execution to the compute stream.
        """

        def execute() -> None:
            start = time.perf_counter()
            enqueue()
            self._enqueue_ms = (time.perf_counter() - start) * 1000

        streams = self.lane.streams
        upload, compute, download = streams.upload, streams.compute, streams.download
        return (
            self._sent.recording(upload),
            *(self.buffers[name].uploading(sizes[name], upload) for name in self._inputs),
            self._there.recording(upload),
            compute.waiting(self._there),
            self._begun.recording(compute),
            execute,
            self._computed.recording(compute),
            download.waiting(self._computed),
            self._returning.recording(download),
            *(self.buffers[name].downloading(sizes[name], download) for name in self._outputs),
            *(partial(memory.download, download) for memory in self.opened.values()),
            self._back.recording(download),
        )

    def send(self, way: Way) -> None:
        """Send the batch that is staged on its way."""
        for call in way:
            call()

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
        for memory in self.opened.values():
            memory.free()
