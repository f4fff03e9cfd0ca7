"""A process of a `WorkerPool`: loads an engine and answers spans of queries, until it is told to end or left alone."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.runtime.frames import Frame, Reader, receive, to_bytes
from trtflow.runtime.session import Session

Feeds = dict[str, np.ndarray]


def main() -> None:
    """Take the first message for what to load, all others for spans of queries.

    The command line has two numbers of file descriptors: one end of a socket pair, and the file with all queries.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        frames = receive(connection, Reader())
        try:
            first = next(frames, None)
            if first is not None:
                _work(connection, frames, first.header, int(sys.argv[2]))
        except ConnectionError:  # the parent is gone
            return
        except (UserError, OSError, MemoryError) as error:
            connection.sendall(to_bytes({"error": str(error) or type(error).__name__}))


def _work(connection: socket.socket, frames: Iterator[Frame], given: Mapping[str, Any], queries: int) -> None:
    if given["cores"]:
        os.sched_setaffinity(0, given["cores"])
    feeds = _queries(queries, given["feeds"])
    with Session.load(Path(given["plan"]), given["backend"]) as session:
        connection.sendall(to_bytes({"ready": True}))
        for header, _ in frames:
            if "span" not in header:
                return
            outputs = _answered(session, feeds, header["span"], given["batch_size"], keep=header["keep"])
            connection.sendall(to_bytes({"task": header["task"]}, outputs))


def _queries(descriptor: int, described: list[list[Any]]) -> Feeds:
    """Return the queries of a file, which all workers share, by the name, type, shape and place of each."""
    if not any(np.prod(shape) for _, _, shape, _ in described):
        return {name: np.zeros(shape, dtype) for name, dtype, shape, _ in described}
    memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    return {
        name: np.frombuffer(memory, dtype, int(np.prod(shape, dtype=np.int64)), offset).reshape(shape)
        for name, dtype, shape, offset in described
    }


def _answered(session: Session, feeds: Feeds, span: list[int], batch_size: int, *, keep: bool) -> Feeds:
    """Return the outputs of a span of queries, which goes on at the beginning where it passes the end."""
    first, count = span
    places = np.arange(first, first + count) % len(next(iter(feeds.values())))
    runs = (places[at : at + batch_size] for at in range(0, count, batch_size))
    batches = ({name: each[run] for name, each in feeds.items()} for run in runs)
    parts = list(session.run_all(batches))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if keep else {}
