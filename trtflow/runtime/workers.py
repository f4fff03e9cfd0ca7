"""Worker processes, each with its own context on the same plan, fed from one queue.

The queue is the parent's: it hands out spans of queries, takes back what a worker that died had not answered, and gives
what a worker that was stopped has in hand to others as well; the first answer counts. So no lock is shared that a dying
process could keep. The queries are in a file without a name, which a worker maps when it comes to it, and no end of a
connection is ever waited for alone: a worker may die or stop at any moment, starting included.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from trtflow.formats import UserError
from trtflow.runtime.frames import PIECE, Frame, Reader, to_bytes

Feeds = dict[str, np.ndarray]
Span = tuple[int, int]  # first query and number of queries

RUNS = 16  # of an engine, in a span: what handing it out costs becomes small
DEPTH = 2  # spans that a worker has: it begins the next while the parent takes the answer to the last
TIMEOUT_S = 120.0  # without a word from any worker
END_S = 10.0  # that workers have to end when they are asked to
STALLED_S = 1.0  # without a word, from which on others take what a worker has in hand, where no span lasts so long
LATE_S = 5.0  # that a pool waits for the last of its workers, where the others did not take so long to start
LONGER = 5  # times as long as others is too long
ALIGNMENT = 64
ROOT = Path(__file__).resolve().parents[2]  # where this package is imported from, whatever the folder of the run has
PROGRAM = "import sys; sys.path[0] = sys.argv.pop(1); from trtflow.runtime.worker import main; main()"


class Worker:
    """A process and this end of the connection to it.

    Attributes:
        ready: whether it has its engine.
        pending: tasks that it was given and has not answered.
        heard: when it last said something, or was given something to do after it had nothing.
    """

    def __init__(self, queries: int, given: Mapping[str, Any]) -> None:
        self.connection, theirs = socket.socketpair()
        # a fork would inherit a context of the GPU that it cannot use
        command = [sys.executable, "-c", PROGRAM, str(ROOT), str(theirs.fileno()), str(queries)]
        with theirs:  # this process's copy, or its death would not end the connection
            self.process = subprocess.Popen(command, pass_fds=(theirs.fileno(), queries), stdin=subprocess.DEVNULL)
        self.connection.setblocking(False)
        self.ready, self.heard = False, time.monotonic()
        self.pending: set[int] = set()
        self._reader = Reader()
        self.send(given)

    def send(self, header: Mapping[str, Any]) -> None:
        """Tell it something that a connection's buffer always holds; where it is dead, `receive` will say so."""
        with contextlib.suppress(OSError):
            self.connection.sendall(to_bytes(header))

    def receive(self) -> list[Frame]:
        """Return what it said since, as far as it is whole.

        Raises:
            EOFError: it is dead or failed; the message says of what.
        """
        try:
            piece = self.connection.recv(PIECE)
        except BlockingIOError:
            return []
        except OSError:
            piece = b""
        if not piece:
            raise EOFError(f"worker {self.process.pid} died: {self._cause()}")
        self.heard = time.monotonic()
        frames = list(self._reader.feed(piece))
        for header, _ in frames:
            if "error" in header:
                raise EOFError(f"worker {self.process.pid} failed: {header['error']}")
        return frames

    def _cause(self) -> str:
        try:
            code = self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def has_stalled(self, patience: float) -> bool:
        """Whether it has something in hand and has said nothing for so many seconds."""
        return bool(self.pending) and time.monotonic() - self.heard > patience

    def end(self, moment: float) -> None:
        """Wait until it has ended, and kill it where that moment comes first."""
        self.connection.close()
        try:
            self.process.wait(max(0.0, moment - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class WorkerPool:
    """Processes that answer the same queries together. Use it in a `with` block.

    Args:
        plan: the engine, with its origin beside it, as `load_engine` takes it.
        backend: the backend that is to run it.
        feeds: all queries: an array [queries, ...] for each input.
        processes: number of workers.
        batch_size: queries a run of an engine.
        timeout_s: seconds without a word from any worker after which they are given up.

    Attributes:
        lost: what became of each worker that died.

    Raises:
        UserError: no worker came up.
    """

    def __init__(
        self,
        plan: Path,
        backend: dict[str, Any],
        feeds: Feeds,
        processes: int,
        batch_size: int,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.lost: list[str] = []
        self._queries, self._span = len(next(iter(feeds.values()))), RUNS * batch_size
        self._timeout_s, self._longest_s, self._tasks = timeout_s, 0.0, 0
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        try:
            with tempfile.TemporaryFile() as file:
                given = {"plan": str(plan), "backend": backend, "feeds": _lay(file, feeds), "batch_size": batch_size}
                for cores in _shares(processes, backend):
                    worker = Worker(file.fileno(), {**given, "cores": sorted(cores)})
                    self._workers.append(worker)
                    self._selector.register(worker.connection, selectors.EVENT_READ, worker)
            self._come_up()
        except BaseException:
            self.close(0.0)
            raise

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        self.close(END_S if kind is None else 0.0)

    @property
    def pids(self) -> list[int]:
        """Return the process numbers of the workers that live."""
        return [worker.process.pid for worker in self._workers]

    def close(self, patience_s: float = END_S) -> None:
        """End all workers, and kill those that have not ended in time; harmless when that was done."""
        end = time.monotonic() + patience_s
        for worker in self._workers:
            worker.send({"end": True})
        for worker in self._workers:
            worker.end(end)
        self._workers = []
        self._selector.close()

    def answer(self) -> Feeds:
        """Return the outputs of all queries, in their order.

        Raises:
            UserError: all workers died, or fell silent.
        """
        found = dict(self.answers())
        parts = [found[span] for span in sorted(found)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def answers(self) -> Iterator[tuple[Span, Feeds]]:
        """Yield spans of queries and their outputs as they come, each once; errors as `answer`."""
        firsts = range(0, self._queries, self._span)
        spans = ((first, min(self._span, self._queries - first)) for first in firsts)
        return self._run(spans, keep=True)

    def measure(self, seconds: float) -> float:
        """Return queries a second, of all workers together, that were computed and copied back; errors as `answer`."""
        start, answered = time.perf_counter(), 0
        for (_, count), _ in self._run(self._endless(start + seconds), keep=False):
            answered += count
        return answered / (time.perf_counter() - start)

    def _endless(self, end: float) -> Iterator[Span]:
        first = 0
        while time.perf_counter() < end:
            yield first, self._span
            first = (first + self._span) % self._queries

    def _come_up(self) -> None:
        """Wait until all workers are ready; where one takes far longer than the others, it may join them later."""
        start, enough = time.monotonic(), float("inf")
        while any(not worker.ready for worker in self._workers) and time.monotonic() < enough:
            self._messages(min(enough - time.monotonic(), self._timeout_s))
            if enough == float("inf") and any(worker.ready for worker in self._workers):
                enough = time.monotonic() + max(LATE_S, LONGER * (time.monotonic() - start))
        late = [str(worker.process.pid) for worker in self._workers if not worker.ready]
        if late:
            print(f"worker {', '.join(late)} takes too long to start; the others begin", flush=True)

    def _run(self, spans: Iterable[Span], *, keep: bool) -> Iterator[tuple[Span, Feeds]]:
        """Hand out spans until there are no more, those of the dead and the stopped again; yield what comes first."""
        coming, returned = iter(spans), deque[int]()
        unanswered: dict[int, Span] = {}
        while True:
            for worker in [worker for worker in self._workers if worker.ready]:
                while len(worker.pending) < DEPTH:
                    task = self._next_task(worker, coming, returned, unanswered)
                    if task is None:
                        break
                    if not worker.pending:
                        worker.heard = time.monotonic()
                    worker.pending.add(task)
                    worker.send({"task": task, "span": unanswered[task], "keep": keep})
            if not unanswered:
                return
            before = set(self._workers)
            for task, outputs in self._messages(self._timeout_s):
                if task in unanswered:
                    yield unanswered.pop(task), outputs
            for worker in before - set(self._workers):
                returned.extend(worker.pending)

    def _next_task(
        self, worker: Worker, coming: Iterator[Span], returned: deque[int], unanswered: dict[int, Span]
    ) -> int | None:
        """Return what a worker is to do next: what a dead one left, what is new, or what a stopped one has in hand."""
        while returned:
            task = returned.popleft()
            if task in unanswered and not any(task in other.pending for other in self._workers):
                return task
        span = next(coming, None)
        if span is not None:
            self._tasks += 1
            unanswered[self._tasks] = span
            return self._tasks
        if worker.pending:
            return None
        stalled = [other for other in self._workers if other.has_stalled(self._patience_s)]
        others = [other.pending for other in self._workers if other not in stalled]
        held = {task for other in stalled for task in other.pending if task in unanswered}
        return min(held.difference(*others), default=None)

    @property
    def _patience_s(self) -> float:
        return max(STALLED_S, LONGER * self._longest_s)

    def _messages(self, timeout_s: float) -> list[tuple[int, Feeds]]:
        """Wait until some worker says something or has stalled, and return answers; the dead are taken off the list."""
        last = max(worker.heard for worker in self._workers)
        while not (ready := self._selector.select(min(self._patience_s, timeout_s))):
            if time.monotonic() - last > self._timeout_s:
                raise UserError(
                    f"none of {len(self._workers)} workers has answered for {self._timeout_s:g} s, so they were ended. "
                    "Look at the messages above this line and at what else the device does (nvidia-smi)."
                )
            if timeout_s < self._timeout_s or any(worker.has_stalled(self._patience_s) for worker in self._workers):
                return []
        found: list[tuple[int, Feeds]] = []
        for key, _ in ready:
            found += self._heard(key.data)
        return found

    def _heard(self, worker: Worker) -> list[tuple[int, Feeds]]:
        """Return the answers that a worker gave."""
        since, found = worker.heard, []
        try:
            frames = worker.receive()
        except EOFError as error:
            self._bury(worker, str(error))
            return []
        for header, arrays in frames:
            worker.ready = True
            if "task" in header:
                self._longest_s = max(self._longest_s, min(worker.heard - since, STALLED_S))
                worker.pending.discard(header["task"])
                found.append((header["task"], arrays))
        return found

    def _bury(self, worker: Worker, why: str) -> None:
        """Take a dead worker off the list and say so; without any other there is nobody left to answer."""
        self._workers.remove(worker)
        self._selector.unregister(worker.connection)
        worker.end(0.0)
        self.lost.append(why)
        print(f"{why}; {len(self._workers)} others go on", flush=True)
        if not self._workers:
            raise UserError(f"all {len(self.lost)} workers died. The last one: {why}.")


def _lay(file: IO[bytes], feeds: Feeds) -> list[list[Any]]:
    """Write all queries to a file; return name, type, shape and place of each input."""
    described: list[list[Any]] = []
    for name, values in feeds.items():
        file.write(bytes(-file.tell() % ALIGNMENT))
        described.append([name, values.dtype.str, list(values.shape), file.tell()])
        file.write(np.ascontiguousarray(values).data)
    file.flush()
    return described


def _shares(processes: int, backend: dict[str, Any]) -> list[set[int]]:
    """Return the processor cores of each worker: of the reference runtime its share, so that they do not get in each
    other's way; for a GPU none in particular."""
    if backend["name"] != "reference" or not hasattr(os, "sched_getaffinity"):
        return [set() for _ in range(processes)]
    cores = sorted(os.sched_getaffinity(0))
    return [set(cores[index::processes] or [cores[index % len(cores)]]) for index in range(processes)]
