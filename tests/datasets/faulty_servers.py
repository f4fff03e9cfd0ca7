"""A server on this machine that answers each request with the bytes of a list, however wrong."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

DATA = bytes(range(256)) * 400  # 102,400 bytes
TAG = '"one"'
Answer = Callable[[socket.socket, int], None]  # the connection, and the byte that was asked for


class FaultyServer:
    """Gives each request to the next answer of a list; the last one stays.

    Args:
        answers: what to do.

    Attributes:
        url: where it listens.
        asked: the first byte that each request asked for.
    """

    def __init__(self, answers: list[Answer]) -> None:
        self._answers, self.asked = list(answers), list[int]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended, self._connections = False, list[socket.socket]()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/file"

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        for each in [self._listener, *self._connections]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while not self._ended:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            found = re.search(rb"[Rr]ange: bytes=(\d+)-", head)
            start = int(found[1]) if found else 0
            self.asked.append(start)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            answer(connection, start)


def head(status: str = "200 OK", **headers: object) -> bytes:
    """Return the head of an answer; names have underscores for hyphens, None leaves one out."""
    given = {"Connection": "close", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def says(*pieces: bytes, pause: float = 0.0) -> Answer:
    """Return an answer of these bytes, with pauses between."""

    def answer(connection: socket.socket, start: int) -> None:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return answer


def whole(data: bytes = DATA, **headers: object) -> Answer:
    """Return an answer that has the whole file, whatever was asked for."""
    return says(head(**{"Content_Length": len(data), **headers}), data)


def part(status: str = "206 Partial Content", data: bytes = DATA, most: int | None = None, **headers: object) -> Answer:
    """Return an answer that keeps to the range that was asked for, with at most so many bytes of it."""

    def answer(connection: socket.socket, start: int) -> None:
        if not start and most is None:
            connection.sendall(head(Content_Length=len(data), ETag=TAG) + data)
            return
        body = data[start:][:most]
        span = f"bytes {start}-{start + len(body) - 1}/{len(data)}"
        given = {"Content_Length": len(body), "Content_Range": span, "ETag": TAG, **headers}
        connection.sendall(head(status, **given) + body)

    return answer


def cut(count: int = 50_000, data: bytes = DATA, **headers: object) -> Answer:
    """Return an answer that ends in the middle of the file."""
    return says(head(**{"Content_Length": len(data), "ETag": TAG, **headers}), data[:count])


def chunks(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Return a body in chunks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


def drip(first: bytes, piece: bytes, pause: float = 0.05) -> Answer:
    """Return an answer that goes on with a piece now and then, for ever."""

    def answer(connection: socket.socket, start: int) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return answer


def flood(first: bytes, piece: bytes = bytes(1 << 16)) -> Answer:
    """Return an answer that goes on for ever, as fast as it can."""
    return drip(first, piece, 0.0)
