"""Worker processes, each with its own context on the same plan, fed from one queue.

The queue is the parent's: it hands out spans of queries through a pipe to each worker, and takes back what a worker
that died had not answered. So no lock is shared that a dying process could keep, and nothing waits for ever.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.runtime.session import Session, load_engine

Feeds = dict[str, np.ndarray]
Span = tuple[int, int]  # first query and number of queries

RUNS = 16  # of an engine, in a span: what handing it out costs becomes small
DEPTH = 2  # spans that a worker has: it begins the next while the parent takes the answer to the last
TIMEOUT_S = 120.0  # without a word from any worker
END_S = 10.0  # that a worker has to end when it is asked to


class Worker:
    """A process and its end of the pipe.

    Attributes:
        pending: spans that it was given and has not answered.
    """

    def __init__(self, plan: Path, backend: dict[str, Any], feeds: Feeds, batch_size: int, cores: set[int]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would inherit a context of the GPU that it cannot use
        self.connection, theirs = context.Pipe()
        arguments = (theirs, plan, backend, feeds, batch_size, cores)
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()  # or its death would not end the pipe
        self.pending: deque[Span] = deque()

    def send(self, message: Any) -> None:
        """Tell it something; where it is dead, `receive` will say so."""
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def receive(self) -> Any:
        """Return what it says.

        Raises:
            EOFError: it is dead; the message says of what.
        """
        try:
            message = self.connection.recv()
        except (EOFError, OSError) as error:
            self.process.join(END_S)
            code = self.process.exitcode
            cause = f"killed by {signal.Signals(-code).name}" if code and code < 0 else f"exit status {code}"
            raise EOFError(f"worker {self.process.pid} died: {cause}") from error
        if isinstance(message, BaseException):
            raise EOFError(f"worker {self.process.pid} failed: {message}") from message
        return message

    def end(self, patience_s: float) -> None:
        """Ask it to end, and kill it if it does not."""
        self.send(None)
        self.connection.close()
        self.process.join(patience_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


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
        self._timeout_s = timeout_s
        self._workers: list[Worker] = []
        try:
            for cores in _shares(processes, backend):
                self._workers.append(Worker(plan, backend, feeds, batch_size, cores))
            ready: set[Worker] = set()
            while missing := set(self._workers) - ready:
                ready |= {worker for worker, _ in self._messages(missing)}
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
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def close(self, patience_s: float = END_S) -> None:
        """End all workers, and kill those that have not ended in time; harmless when that was done."""
        for worker in self._workers:
            worker.end(patience_s)
        self._workers = []

    def answer(self) -> Feeds:
        """Return the outputs of all queries, in their order.

        Raises:
            UserError: all workers died, or fell silent.
        """
        found = dict(self.answers())
        parts = [found[span] for span in sorted(found)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def answers(self) -> Iterator[tuple[Span, Feeds]]:
        """Yield spans of queries and their outputs as they come; errors as `answer`."""
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

    def _run(self, spans: Iterable[Span], *, keep: bool) -> Iterator[tuple[Span, Feeds]]:
        """Hand out spans until there are no more, those of the dead again; yield what comes back."""
        coming, returned = iter(spans), deque[Span]()
        while True:
            for worker in self._workers:
                while len(worker.pending) < DEPTH:
                    span = returned.popleft() if returned else next(coming, None)
                    if span is None:
                        break
                    worker.pending.append(span)
                    worker.send((span, keep))
            busy = {worker for worker in self._workers if worker.pending}
            if not busy:
                return
            for worker, (span, outputs) in self._messages(busy):
                worker.pending.remove(span)
                yield span, outputs
            for worker in busy - set(self._workers):
                returned.extend(worker.pending)

    def _messages(self, workers: Iterable[Worker]) -> Iterator[tuple[Worker, Any]]:
        """Wait until one of some workers says something, and yield what they say; the dead are taken off the list."""
        by_connection = {worker.connection: worker for worker in workers}
        ready = wait(list(by_connection), self._timeout_s)
        if not ready:
            raise UserError(
                f"none of {len(by_connection)} workers has answered for {self._timeout_s:g} s, so they were ended. "
                "Look at the messages above this line and at what else the device does (nvidia-smi)."
            )
        for connection in ready:
            worker = by_connection[connection]  # type: ignore[index]
            try:
                message = worker.receive()
            except EOFError as error:
                self._bury(worker, str(error))
                continue
            yield worker, message

    def _bury(self, worker: Worker, why: str) -> None:
        """Take a dead worker off the list and say so; without any other there is nobody left to answer."""
        self._workers.remove(worker)
        worker.end(0.0)
        self.lost.append(why)
        print(f"{why}; {len(self._workers)} others go on", flush=True)
        if not self._workers:
            raise UserError(f"all {len(self.lost)} workers died. The last one: {why}.")


def _shares(processes: int, backend: dict[str, Any]) -> list[set[int]]:
    """Return the processor cores of each worker: of the reference runtime its share, so that they do not get in each
    other's way; for a GPU none in particular."""
    if backend["name"] != "reference" or not hasattr(os, "sched_getaffinity"):
        return [set() for _ in range(processes)]
    cores = sorted(os.sched_getaffinity(0))
    return [set(cores[index::processes] or [cores[index % len(cores)]]) for index in range(processes)]


def _work(
    connection: Connection, plan: Path, backend: dict[str, Any], feeds: Feeds, batch_size: int, cores: set[int]
) -> None:
    """Answer spans of queries until the parent says None or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    try:
        if cores:
            os.sched_setaffinity(0, cores)
        with Session(*load_engine(plan, backend)) as session:
            connection.send(None)
            while (task := connection.recv()) is not None:
                span, keep = task
                outputs = _answered(session, feeds, span, batch_size, keep=keep)
                connection.send((span, outputs))
    except (EOFError, BrokenPipeError):
        return
    except UserError as error:
        connection.send(UserError(str(error)))


def _answered(session: Session, feeds: Feeds, span: Span, batch_size: int, *, keep: bool) -> Feeds:
    """Return the outputs of a span of queries, which goes on at the beginning where it passes the end."""
    first, count = span
    places = np.arange(first, first + count) % len(next(iter(feeds.values())))
    runs = (places[at : at + batch_size] for at in range(0, count, batch_size))
    batches = ({name: each[run] for name, each in feeds.items()} for run in runs)
    parts = list(session.run_all(batches))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if keep else {}
