"""One published file from one server, which may do whatever it likes: it ends, and nothing wrong is kept.

What has come stays beside where the file goes, from the first byte on, so that another try or process goes on from
there. A server's Content-Range counts more than its status, and no number of its own more than what is known.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import ipaddress
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

import requests
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from urllib3.exceptions import HTTPError

from trtflow import progress
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import read_json, replace_durably, write_json

ALGORITHMS = {"sha256": "SHA-256", "sha1": "SHA-1", "md5": "MD5", "git_sha1": "name as a file of git"}
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that another try may not meet again
LONGEST_WAIT = 600.0  # seconds that a server may ask for; the next source is asked sooner
PIECE = 1 << 20
LARGEST = 1 << 30  # bytes of a file of which nothing is known
SLACK = 16_000_000  # bytes beyond twice of about how many there are


class RefusedError(Exception):
    """A source that does not have the file, however often it is asked."""


class InterruptedTransferError(Exception):
    """A try that failed, where the next may not.

    Attributes:
        pause: seconds that the server asked for.
        is_slow: whether it was slower than it may be.
    """

    def __init__(self, message: str, pause: float = 0.0, is_slow: bool = False) -> None:
        super().__init__(message)
        self.pause, self.is_slow = pause, is_slow


@dataclass(frozen=True)
class Artefact:
    """A published file.

    Args:
        file: its path in a mirror, and its name in config/downloads.yaml.
        urls: where it is published, the best place first.
        size: bytes; None where it was not published.
        checksums: hexadecimal digests by algorithm (`ALGORITHMS`), all of which it must have.
        made: how to come by what has no address.
        about_mb: megabytes, where the size is not known exactly.
    """

    file: str
    urls: tuple[str, ...] = ()
    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    about_mb: float | None = None

    @property
    def most(self) -> int:
        """Bytes that are too many for it when one more comes."""
        if self.size is not None:
            return self.size
        return LARGEST if self.about_mb is None else int(2e6 * self.about_mb) + SLACK


@dataclass(frozen=True)
class Patience:
    """How long a source is waited for.

    Args:
        attempts: tries in a row that may bring nothing new.
        timeout: seconds without a byte that end a try.
        pause: seconds before the second try; doubled before each further one.
        least_speed: bytes a second that must come, in each `timeout` seconds.
    """

    attempts: int = 4
    timeout: float = 30.0
    pause: float = 1.0
    least_speed: float = 1024.0


def new_digest(name: str, size: int) -> hashlib._Hash:
    """Return what takes the digest of a file of `size` bytes.

    The name of a file in git, which every public repository shows, is the SHA-1 of `blob <size>`, a zero and the bytes.
    """
    if name == "git_sha1":
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.new(name, usedforsecurity=False)


def digests(path: Path, names: list[str]) -> dict[str, str]:
    """Return digests of a file by algorithm, read once."""
    found = {name: new_digest(name, path.stat().st_size) for name in names}
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            for digest in found.values():
                digest.update(piece)
    return {name: digest.hexdigest() for name, digest in found.items()}


def fault_in(artefact: Artefact, size: int, found: Mapping[str, str]) -> str | None:
    """Return in what a file of this size and these digests is not the artefact."""
    if artefact.size is not None and size != artefact.size:
        return f"it has {size} bytes, not {artefact.size}"
    if size > artefact.most:
        return f"it has {size} bytes, more than {artefact.most}"
    for name, wanted in artefact.checksums.items():
        if found[name] != wanted:
            return f"its {ALGORITHMS[name]} is {found[name]}, not {wanted}"
    return None


def fault_of(artefact: Artefact, path: Path) -> str | None:
    """Return in what a file is not the artefact."""
    return fault_in(artefact, path.stat().st_size, digests(path, list(artefact.checksums)))


def check_scheme(artefact: Artefact, url: str) -> None:
    """Refuse an address whose answer anybody on the way could change unnoticed: plain http without a checksum."""
    parts = urlsplit(url)
    if parts.scheme == "https" or artefact.checksums or _is_this_machine(parts.hostname or ""):
        return
    raise RefusedError(f"{parts.scheme} is not https, and there is no checksum")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Span(NamedTuple):
    """Which part of a file an answer has: its first byte, the one behind its last, and the size of the whole file."""

    start: int
    end: int | None
    total: int | None


class Part:
    """What has come of a file so far, beside where it goes, so that another process can go on from there.

    Without a checksum a part is gone on with only if the same server says that the file is still the same.
    """

    def __init__(self, artefact: Artefact, url: str, target: Path) -> None:
        self.artefact, self.url = artefact, url
        self.path = target.with_name(f".{target.name}.part")
        self.origin = target.with_name(f".{target.name}.part.json")
        known = self._read_origin()
        validator = known.get("validator") if known.get("url") == url else None
        self.validator = validator if isinstance(validator, str) and validator.isprintable() else None
        self.resumed = False
        is_file = self.path.is_file() and not self.path.is_symlink()
        unknown = not artefact.checksums and self.validator is None
        if not is_file or self.size > artefact.most or (self.size and unknown):
            self.drop()

    def _read_origin(self) -> dict[str, Any]:
        try:
            return dict(read_json(self.origin))
        except (OSError, FormatError, ValueError, TypeError):
            return {}

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def drop(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)
        self.origin.unlink(missing_ok=True)
        self.validator = None

    def receive(self, patience: Patience) -> None:
        """Ask for what is missing and append it.

        Raises:
            InterruptedTransferError: the connection failed, or was too slow; what came is kept.
            RefusedError: the server has another file, or none.
            UserError: it cannot be written.
        """
        have = self.size
        self.resumed = have > 0
        if have and have == self.artefact.size:
            return
        _Try(self, have, patience).run()

    def headers(self, have: int) -> dict[str, str]:
        """Return what to ask with."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "trtflow"}  # bytes as they are stored
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.validator:
                headers["If-Range"] = self.validator
        return headers

    def begin(self, answer: requests.Response, have: int) -> _Span:
        """Check an answer before its body is read, and make place for it; return what part of the file it has."""
        self._check_status(answer)
        for passed in [*answer.history, answer]:
            check_scheme(self.artefact, str(passed.url))
        encoding = answer.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise RefusedError(f"the server encodes it ({encoding})")
        span = _span(answer)
        if span.start not in (0, have):
            self.drop()
            raise InterruptedTransferError(f"asked for byte {have}, the server began at {span.start}")
        if span.total is not None and self.artefact.size not in (None, span.total):
            raise RefusedError(f"it has {span.total} bytes, not {self.artefact.size}")
        if span.total is not None and span.total > self.artefact.most:
            raise RefusedError(f"it has {span.total} bytes, more than {self.artefact.most}")
        if not self.artefact.checksums:
            _check_unknown(answer, span)
        tag = _validator(answer)
        if span.start == 0:  # a first try, or a server that ignores ranges
            self.drop()
            self.resumed, self.validator = False, tag
            write_json(self.origin, {"url": self.url, "validator": tag})
        elif self.validator and tag and tag != self.validator:
            self.drop()
            raise InterruptedTransferError("the file has changed since the first part of it came")
        return span

    def _check_status(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status == 416:
            self.drop()
            raise InterruptedTransferError("the server has no more than what is there")
        if status in PASSING:
            raise _passing(status, _seconds(answer.headers.get("Retry-After")))
        if status not in (200, 206):
            raise RefusedError(f"status {status}")

    def check_end(self, span: _Span) -> None:
        """Check what is there when an answer has ended as it said."""
        total = self.artefact.size or span.total
        if span.end is not None and self.size > span.end:
            self.drop()
            raise RefusedError(f"it sent more than the {span.end - span.start} bytes that it said")
        wanted = total if total is not None else span.end
        if wanted is not None and self.size < wanted:
            raise InterruptedTransferError(f"{self.size} of {wanted} bytes came")

    def finish(self, target: Path) -> None:
        """Check the whole file and move it into place; a resumed one that is wrong is worth one whole try."""
        fault = fault_of(self.artefact, self.path)
        if fault is None:
            replace_durably(self.path, target)
            self.origin.unlink(missing_ok=True)
            return
        self.drop()
        raise InterruptedTransferError(fault) if self.resumed else RefusedError(fault)


class _Try:
    """One request, in a thread of its own: nothing that a server does not send, and no name service, holds up a run.

    A thread that is given up writes nothing any more, and ends with its connection.
    """

    def __init__(self, part: Part, have: int, patience: Patience) -> None:
        self._part, self._have, self._patience = part, have, patience
        self._came, self._wanted = 0, True
        self._lock = threading.Lock()
        self._answer: requests.Response | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the request and watch over it."""
        window = self._patience.timeout
        thread = threading.Thread(target=self._attempt, daemon=True)
        thread.start()
        before = 0
        while True:
            thread.join(window)
            if not thread.is_alive():
                break
            if self._came - before < self._patience.least_speed * window:
                self._give_up()
                raise InterruptedTransferError(f"slower than {self._patience.least_speed:g} bytes/s", is_slow=True)
            before = self._came
        if self._error is not None:
            raise self._error

    def _give_up(self) -> None:
        with self._lock:
            self._wanted = False
        if self._answer is not None:
            with contextlib.suppress(Exception):  # whatever state it is in
                self._answer.raw.shutdown()

    def _attempt(self) -> None:
        try:
            self._receive()
        except (RefusedError, InterruptedTransferError) as error:
            self._error = error
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            self._error = InterruptedTransferError(f"the connection failed ({type(error).__name__})")
        except (requests.RequestException, UnicodeError, ValueError) as error:
            self._error = RefusedError(f"{type(error).__name__}: {error}")
        except OSError as error:
            self._error = _unwritable(self._part.path, error)
        except BaseException as error:  # for the thread that waits
            self._error = error

    def _receive(self) -> None:
        part = self._part
        asked = part.headers(self._have)
        with requests.get(part.url, headers=asked, stream=True, timeout=self._patience.timeout) as answer:
            self._answer = answer
            with self._lock:
                if not self._wanted:
                    return
                span = part.begin(answer, self._have)
            with part.path.open("ab") as file:
                self._append(answer, file, span)
            if self._wanted:
                part.check_end(span)

    def _append(self, answer: requests.Response, file: IO[bytes], span: _Span) -> None:
        """Append the body as it comes, so that what came before an interruption is kept."""
        artefact = self._part.artefact
        with shown_progress("Downloading", artefact.file, span.start, artefact.size or span.total) as advance:
            for piece in _pieces(answer):
                with self._lock:
                    if not self._wanted:
                        return
                    file.write(piece)
                self._came += len(piece)
                advance(len(piece))
                if file.tell() > artefact.most:
                    file.close()
                    self._part.drop()
                    raise RefusedError(f"it has more than {artefact.most} bytes")


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """Yield the bytes of a body as soon as they are there."""
    try:
        while piece := answer.raw.read1(PIECE // 4):
            yield piece
    except HTTPError as error:
        raise requests.ConnectionError(error) from error


def _unwritable(path: Path, error: OSError) -> UserError:
    if error.errno == errno.ENOSPC:
        return UserError(f"{path}: no space left on the disk. Free some and run it again: it goes on from there.")
    return UserError(f"{path}: cannot be written ({error.strerror or error}).")


def _validator(answer: requests.Response) -> str | None:
    """Return what tells whether the file is still the same: a strong ETag, or when it was changed."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _span(answer: requests.Response) -> _Span:
    """Return which part of the file the body has, as far as the server says so: Content-Range before the status."""
    length = answer.headers.get("Content-Length", "")
    given = answer.headers.get("Content-Range")
    if given is None:
        if answer.status_code == 206:
            raise RefusedError("part of a file without a Content-Range")
        total = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        return _Span(0, total, total)
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", given.strip())
    if found is None:
        raise RefusedError(f"a Content-Range that is none ({given[:60]!r})")
    start, end, total = int(found[1]), int(found[2]) + 1, None if found[3] == "*" else int(found[3])
    if end <= start or (total is not None and end > total):
        raise RefusedError(f"a Content-Range that cannot be ({given[:60]!r})")
    return _Span(start, end, total)


def _check_unknown(answer: requests.Response, span: _Span) -> None:
    """Refuse what no checksum would tell from the file: a page in its place, or a body whose end cannot be told."""
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/html"):
        raise RefusedError("the server sent a page in its place")
    if span.total is None and (span.end is not None or not answer.raw.chunked):
        raise RefusedError("the server does not say how long it is, and there is no checksum")


def _passing(status: int, pause: float) -> InterruptedTransferError | RefusedError:
    """Return the error of a status that another try may not meet again, unless that try is too far away."""
    if pause > LONGEST_WAIT:
        return RefusedError(f"status {status}, and it asks to wait {pause:.0f} s")
    return InterruptedTransferError(f"status {status}", pause)


def _seconds(header: str | None) -> float:
    """Return the seconds that a Retry-After asks to wait, given as such or as a date (RFC 9110, 10.2.3), or 0."""
    if not header or header.isdecimal():
        return float(header or 0)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    if date.tzinfo is None:  # "-0000", which RFC 5322 reads as UTC
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())


@contextmanager
def shown_progress(what: str, file: str, start: int, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, elsewhere a line now and then; yields what to tell how many bytes came."""
    if not sys.stderr.isatty():
        yield _lines(what, start, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task(file, total=total, completed=start)
        yield lambda count: bar.advance(task, count)


def _lines(what: str, start: int, total: int | None) -> Callable[[int], None]:
    """Return what to tell how many bytes came; from time to time it writes a line, as all progress does."""
    begun = last = time.monotonic()
    came = 0

    def advance(count: int) -> None:
        nonlocal last, came
        came += count
        now = time.monotonic()
        if now - last >= progress.PAUSE:
            last = now
            progress.tell(progress.megabytes_line(what, came, start, total, now - begun))

    return advance
