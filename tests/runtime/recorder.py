"""A device that records as a GPU does, on the CPU: for tests of what CUDA graphs do with addresses and copies."""

import numpy as np

from trtflow.runtime.devices import HostBuffer, HostDevice


class Recorder(HostDevice):
    """Does what it is given at once, or notes it while it records; a launch does what was noted, with its addresses.

    Args:
        able: whether it can record.
    """

    def __init__(self, able=True):
        self.able, self.tape = able, None
        self.recorded = self.launched = self.freed = 0

    def do(self, work):
        if self.tape is None:
            work()
        else:
            self.tape.append(work)

    def allocate(self, nbytes):
        return Memory(self, nbytes)

    def capture(self, enqueue, stream):
        if not self.able:
            raise RuntimeError("this TRT engine is not stream capturable")
        self.tape = []
        try:
            enqueue()
        finally:
            tape, self.tape = self.tape, None
        self.recorded += 1
        return Graph(self, tape)

    def engine(self, engine):
        """Return an engine that runs here."""
        return Engine(self, engine)


class Memory(HostBuffer):
    """Memory apart from the host's, which only copies reach."""

    def __init__(self, device, nbytes):
        super().__init__(nbytes)
        self.device, self.host = device, np.zeros(nbytes, np.uint8)

    def stage(self, values):
        raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self.host[: raw.size] = raw

    def upload(self, nbytes, stream):
        self.device.do(lambda: self._memory.__setitem__(slice(nbytes), self.host[:nbytes]))

    def download(self, nbytes, stream):
        self.device.do(lambda: self.host.__setitem__(slice(nbytes), self._memory[:nbytes]))

    def copy_rows(self, source, rows, nbytes, pitches, offset, stream):
        self.device.do(lambda: super(Memory, self).copy_rows(source, rows, nbytes, pitches, offset, stream))

    def clear(self, stream):
        self.device.do(lambda: super(Memory, self).clear(stream))

    def values(self, shape, dtype):
        return self.host[: int(np.prod(shape)) * dtype.itemsize].view(dtype).reshape(shape).copy()


class Graph:
    def __init__(self, device, tape):
        self.device, self.tape = device, tape

    def launch(self):
        self.device.launched += 1
        for work in self.tape:
            work()

    def free(self):
        self.device.freed += 1


class Engine:
    def __init__(self, device, engine):
        self.device, self.inner = device, engine

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def create_execution_context(self):
        return Context(self.device, self.inner.create_execution_context())


class Context:
    def __init__(self, device, context):
        self.device, self.inner = device, context

    @property
    def profiler(self):
        return self.inner.profiler

    @profiler.setter
    def profiler(self, profiler):
        self.inner.profiler = profiler

    def execute_async(self, batch, bindings, stream):
        found, given = [], list(bindings)
        self.device.do(lambda: found.append(self.inner.execute_async(batch, given, stream)))
        return all(found)
