"""Published files, from a mirror or the places that publish them: resumed, checked, and moved into place whole.

A server may drop the connection, ignore the range that is asked for, send another file, or none. Whatever it
does, a file is where it belongs only when it is the one that is meant.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import yaml

from trtflow import progress
from trtflow.datasets.transfers import (
    ALGORITHMS,
    PIECE,
    Artefact,
    InterruptedTransferError,
    Part,
    Patience,
    RefusedError,
    check_scheme,
    digests,
    fault_in,
    fault_of,
    new_digest,
    shown_progress,
)
from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import read_text, refuse_damage
from trtflow.formats.files import atomic_path, write_text

RECORD = re.compile(r"\s*([0-9a-f]{64})\b")  # of the first download
LONGEST_PAUSE = 60.0  # seconds between two tries, where the server does not say
PROGRESS = 1 << 14  # bytes that a try must bring to be no failure


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
        urls, size, about = tuple(map(str, entry["urls"])), entry.get("size"), entry.get("about_mb")
        return Artefact(file, urls, size, checksums, entry.get("made", ""), about)


def fetch(artefact: Artefact, out: str | os.PathLike[str], mirror: str = "", patience: Patience | None = None) -> None:
    """Write a published file to `out`, from the first source that has it as it is meant; one that is there stays.

    Where no SHA-256 was published, that of the first file that is accepted, one that is there included, is recorded in
    `<out>.sha256` and holds from then on.

    Args:
        mirror: folder or address that is tried first, by the paths of the files; may be empty.

    Raises:
        UserError: no source has it; names each with its fault. Or there is no such mirror.
    """
    target = Path(out)
    if mirror and "://" not in mirror and not os.path.isdir(mirror):
        raise UserError(f"mirror: {mirror}: no such folder. Correct mirror in config/config.yaml, or leave it empty.")
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted = _with_record(artefact, target)
    if not (target.exists() and fault_of(wanted, target) is None):
        _fetch_from_any(wanted, target, mirror, patience or Patience())
    if "sha256" not in wanted.checksums:
        write_text(_record(target), f"{digests(target, ['sha256'])['sha256']}  {target.name}\n")


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
        except RefusedError as fault:
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


def _copy(artefact: Artefact, source: Path, target: Path) -> None:
    """Take the file from a mirror that is a folder."""
    if not source.is_file():
        raise RefusedError("the mirror has no such file")
    found = {name: new_digest(name, source.stat().st_size) for name in artefact.checksums}
    with atomic_path(target) as temporary:
        shown = shown_progress("Copying", artefact.file, 0, source.stat().st_size)
        with source.open("rb") as file, temporary.open("wb") as copy, shown as advance:
            for piece in iter(lambda: file.read(PIECE), b""):
                copy.write(piece)
                advance(len(piece))
                for digest in found.values():
                    digest.update(piece)
        came = {name: digest.hexdigest() for name, digest in found.items()}
        fault = fault_in(artefact, temporary.stat().st_size, came)
        if fault:
            raise RefusedError(fault)


def _download(artefact: Artefact, url: str, target: Path, patience: Patience) -> None:
    """Take the file from a server, going on after each interruption; a try that brings much is no failure."""
    check_scheme(artefact, url)
    part = Part(artefact, url, target)
    most, failures = part.size, 0
    while True:
        try:
            part.receive(patience)
            part.finish(target)
            return
        except InterruptedTransferError as error:
            if part.size >= most + PROGRESS and not error.is_slow:
                most, failures = part.size, 0
            failures += 1
            if failures >= patience.attempts:
                raise RefusedError(f"{error} ({failures} tries)") from error
            pause = max(error.pause, min(patience.pause * 2 ** (failures - 1), LONGEST_PAUSE))
            progress.tell(f"{url}: {error}; trying again from byte {part.size} in {pause:.0f} s")
            time.sleep(pause)
