"""Published files, from a mirror or the places that publish them: resumed, checked, and moved into place whole.

A server may drop the connection, ignore the range that is asked for, send another file, or none. Whatever it
does, a file is where it belongs only when it is the one that is meant.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
import yaml
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from trtflow import progress
from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import read_text, refuse_damage
from trtflow.formats.files import atomic_path, read_json, write_json, write_text

ALGORITHMS = {"sha256": "SHA-256", "sha1": "SHA-1", "md5": "MD5"}
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that another try may not meet again
LONGEST_PAUSE = 60.0  # seconds between two tries, where the server does not say
LONGEST_WAIT = 600.0  # seconds that a server may ask for; the next source is asked sooner
PIECE = 1 << 20
RECORD = re.compile(r"\s*([0-9a-f]{64})\b")  # of the first download


class _RefusedError(Exception):
    """A source that does not have the file, however often it is asked."""


class _InterruptedError(Exception):
    """A try that failed, where the next may not; `pause` is how many seconds the server asked for."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


@dataclass(frozen=True)
class Artefact:
    """A published file.

    Args:
        file: its path in a mirror, and its name in config/downloads.yaml.
        urls: where it is published, the best place first.
        size: bytes; None where it was not published.
        checksums: hexadecimal digests by algorithm (sha256, sha1, md5), all of which it must have.
        made: how to come by what has no address.
    """

    file: str
    urls: tuple[str, ...] = ()
    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    made: str = ""


@dataclass(frozen=True)
class Patience:
    """How long a source is waited for.

    Args:
        attempts: tries in a row that may bring nothing new.
        timeout: seconds without a byte that end a try.
        pause: seconds before the second try; doubled before each further one.
    """

    attempts: int = 4
    timeout: float = 30.0
    pause: float = 1.0


def read_artefact(path: str | os.PathLike[str], file: str) -> Artefact:
    """Read what config/downloads.yaml says of a file.

    Raises:
        FormatError: it says nothing of it.
    """
    with refuse_damage(path, "not a list of published files", "Correct it.", (yaml.YAMLError,)):
        known = dict(yaml.safe_load(read_text(path)))
        if file not in known:
            raise FormatError(path, f"no artefact {file!r}", f"Known: {', '.join(map(str, known))}.")
        entry = known[file]
        checksums = {name: str(entry[name]) for name in ALGORITHMS if name in entry}
        return Artefact(file, tuple(map(str, entry["urls"])), entry.get("size"), checksums, entry.get("made", ""))


def fetch(artefact: Artefact, out: str | os.PathLike[str], mirror: str = "", patience: Patience | None = None) -> None:
    """Write a published file to `out`, from the first source that has it as it is meant; one that is there stays.

    Where no SHA-256 was published, that of the first file that is accepted, one that is there included, is recorded in
    `<out>.sha256` and holds from then on.

    Args:
        mirror: folder or address that is tried first, by the paths of the files; may be empty.

    Raises:
        UserError: no source has it; names each with its fault.
    """
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted = _with_record(artefact, target)
    if not (target.exists() and _fault_of(wanted, target) is None):
        _fetch_from_any(wanted, target, mirror, patience or Patience())
    if "sha256" not in wanted.checksums:
        write_text(_record(target), f"{_digests(target, ['sha256'])['sha256']}  {target.name}\n")


def _fetch_from_any(wanted: Artefact, target: Path, mirror: str, patience: Patience) -> None:
    """Write the file from the first source that has it."""
    faults = []
    for source in _sources(wanted, mirror):
        try:
            if "://" in source:
                _download(wanted, source, target, patience)
            else:
                _copy(wanted, Path(source), target)
            return
        except _RefusedError as fault:
            faults.append(f"{source}: {fault}")
            print(f"{faults[-1]}", file=sys.stderr)
    made = [f"no address has it, it is made: {wanted.made}"] if wanted.made else []
    tried = "; ".join(faults + made)
    raise UserError(f"{wanted.file}: {tried}. Set mirror in config/config.yaml to a folder or an address that has it.")


def _sources(artefact: Artefact, mirror: str) -> Iterator[str]:
    """Yield the paths and addresses to try, in order."""
    if "://" in mirror:
        yield f"{mirror.rstrip('/')}/{quote(artefact.file)}"
    elif mirror:
        yield os.path.join(mirror, artefact.file)
    yield from artefact.urls


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _with_record(artefact: Artefact, target: Path) -> Artefact:
    """Return the artefact with the SHA-256 of its first download, where only that is known."""
    record = _record(target)
    if "sha256" in artefact.checksums or not record.exists():
        return artefact
    match = RECORD.match(read_text(record))
    if match is None:
        raise FormatError(record, "not the SHA-256 of a file", f"Delete it, and {target.name} unless you trust it.")
    return replace(artefact, checksums={"sha256": match[1], **artefact.checksums})


def _digests(path: Path, names: list[str]) -> dict[str, str]:
    """Return digests of a file by algorithm, read once."""
    found = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            for digest in found.values():
                digest.update(piece)
    return {name: digest.hexdigest() for name, digest in found.items()}


def _fault(artefact: Artefact, size: int, found: Mapping[str, str]) -> str | None:
    """Return in what a file of this size and these digests is not the artefact."""
    if artefact.size is not None and size != artefact.size:
        return f"it has {size} bytes, not {artefact.size}"
    for name, wanted in artefact.checksums.items():
        if found[name] != wanted:
            return f"its {ALGORITHMS[name]} is {found[name]}, not {wanted}"
    return None


def _fault_of(artefact: Artefact, path: Path) -> str | None:
    return _fault(artefact, path.stat().st_size, _digests(path, list(artefact.checksums)))


def _copy(artefact: Artefact, source: Path, target: Path) -> None:
    """Take the file from a mirror that is a folder."""
    if not source.is_file():
        raise _RefusedError("the mirror has no such file")
    found = {name: hashlib.new(name, usedforsecurity=False) for name in artefact.checksums}
    with atomic_path(target) as temporary:
        shown = _progress("Copying", artefact.file, 0, source.stat().st_size)
        with source.open("rb") as file, temporary.open("wb") as copy, shown as advance:
            for piece in iter(lambda: file.read(PIECE), b""):
                copy.write(piece)
                advance(len(piece))
                for digest in found.values():
                    digest.update(piece)
        digests = {name: digest.hexdigest() for name, digest in found.items()}
        fault = _fault(artefact, temporary.stat().st_size, digests)
        if fault:
            raise _RefusedError(fault)


def _download(artefact: Artefact, url: str, target: Path, patience: Patience) -> None:
    """Take the file from a server, going on after each interruption; a try that brings more is no failure."""
    part = _Part(artefact, url, target)
    most, failures = part.size, 0
    while True:
        try:
            part.receive(patience.timeout)
            part.finish(target)
            return
        except _InterruptedError as error:
            if part.size > most:
                most, failures = part.size, 0
            failures += 1
            if failures >= patience.attempts:
                raise _RefusedError(f"{error} ({failures} tries)") from error
            pause = max(error.pause, min(patience.pause * 2 ** (failures - 1), LONGEST_PAUSE))
            progress.tell(f"{url}: {error}; trying again from byte {part.size} in {pause:.0f} s")
            time.sleep(pause)


class _Part:
    """What has come of a file so far, beside where it goes, so that another process can go on from there.

    Without a checksum a part is gone on with only if the same server says that the file is still the same.
    """

    def __init__(self, artefact: Artefact, url: str, target: Path) -> None:
        self.artefact, self.url = artefact, url
        self.path = target.with_name(f".{target.name}.part")
        self.origin = target.with_name(f".{target.name}.part.json")
        known = self._read_origin()
        self.validator = known.get("validator") if known.get("url") == url else None
        self.resumed = False
        if self.size and not artefact.checksums and self.validator is None:
            self.drop()

    def _read_origin(self) -> dict[str, Any]:
        try:
            return dict(read_json(self.origin))
        except (OSError, FormatError, TypeError, ValueError):  # whatever it is, the part is not gone on with
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

    def receive(self, timeout: float) -> None:
        """Ask for what is missing and append it."""
        have = self.size
        self.resumed = have > 0
        if have and have == self.artefact.size:
            return
        try:
            with requests.get(self.url, headers=self._headers(have), stream=True, timeout=timeout) as answer:
                start, total = self._start(answer, have)
                self._append(answer, start, total)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise _InterruptedError(f"the connection failed ({type(error).__name__})") from error
        except (requests.RequestException, UnicodeError) as error:
            raise _RefusedError(f"{type(error).__name__}: {error}") from error

    def _headers(self, have: int) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity", "User-Agent": "trtflow"}  # bytes as they are stored
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.validator:
                headers["If-Range"] = self.validator
        return headers

    def _start(self, answer: requests.Response, have: int) -> tuple[int, int | None]:
        """Check an answer before its body is read; return where in the file the body begins, and the file's size."""
        status = answer.status_code
        if status == 416:
            self.drop()
            raise _InterruptedError("the server has no more than what is there")
        if status in PASSING:
            raise _passing(status, _seconds(answer.headers.get("Retry-After")))
        if status not in (200, 206) or (status == 206 and not have):
            raise _RefusedError(f"status {status}")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise _RefusedError(f"the server encodes it ({answer.headers['Content-Encoding']})")
        start, total = _span(answer)
        if start not in (0, have):
            self.drop()
            raise _InterruptedError(f"asked for byte {have}, the server began at {start}")
        if total is not None and self.artefact.size not in (None, total):
            raise _RefusedError(f"it has {total} bytes, not {self.artefact.size}")
        if not self.artefact.checksums:
            _check_unknown(answer, total)
        return start, self.artefact.size or total

    def _append(self, answer: requests.Response, start: int, total: int | None) -> None:
        if start == 0:  # a first try, or a server that ignores ranges
            self.drop()
            self.resumed = False
            tag = answer.headers.get("ETag", "")
            self.validator = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")
            write_json(self.origin, {"url": self.url, "validator": self.validator})
        shown = _progress("Downloading", self.artefact.file, start, total)
        with self.path.open("ab") as file, shown as advance:
            for piece in answer.iter_content(PIECE // 16):
                file.write(piece)
                advance(len(piece))
                if self.artefact.size is not None and file.tell() > self.artefact.size:
                    break
        if self.artefact.size is not None and self.size > self.artefact.size:
            self.drop()
            raise _RefusedError(f"it has more than {self.artefact.size} bytes")
        if self.artefact.size is not None and self.size < self.artefact.size:
            raise _InterruptedError(f"{self.size} of {self.artefact.size} bytes came")

    def finish(self, target: Path) -> None:
        """Check the whole file and move it into place; a resumed one that is wrong is worth one whole try."""
        fault = _fault_of(self.artefact, self.path)
        if fault is None:
            os.replace(self.path, target)
            self.origin.unlink(missing_ok=True)
            return
        self.drop()
        raise _InterruptedError(fault) if self.resumed else _RefusedError(fault)


def _span(answer: requests.Response) -> tuple[int, int | None]:
    """Return where in the file the body begins, and how long the file is, where the server says so."""
    if answer.status_code == 200:
        length = answer.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if found is None:
        raise _RefusedError("part of a file without a Content-Range")
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _check_unknown(answer: requests.Response, total: int | None) -> None:
    """Refuse what no checksum would tell from the file: a page in its place, or a body whose end cannot be told."""
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/html"):
        raise _RefusedError("the server sent a page in its place")
    if total is None and answer.headers.get("Transfer-Encoding") != "chunked":
        raise _RefusedError("the server does not say how long it is, and there is no checksum")


def _passing(status: int, pause: float) -> _InterruptedError | _RefusedError:
    """Return the error of a status that another try may not meet again, unless that try is too far away."""
    if pause > LONGEST_WAIT:
        return _RefusedError(f"status {status}, and it asks to wait {pause:.0f} s")
    return _InterruptedError(f"status {status}", pause)


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
def _progress(what: str, file: str, start: int, total: int | None) -> Iterator[Callable[[int], None]]:
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
