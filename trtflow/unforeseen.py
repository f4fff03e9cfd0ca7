"""The last net under every script and command: errors of the system and of memory that no reader or writer foresaw."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path, PurePath
from types import FrameType

UNFORESEEN = (OSError, UnicodeDecodeError, MemoryError, RecursionError)
FULL = (errno.ENOSPC, errno.EDQUOT)
SHORT_WRITE = re.compile(r"\d+ requested and \d+ written|No space left|errno = 28")  # of NumPy and HDF5, without errno
TEMPORARY = re.compile(r"\.(.+)\.\d+\.tmp")  # a file that is being written, and moved into its place when it is whole
MEGABYTE = 1e6
ROOM = (
    "Free some and run again: results of samples that are done with, results/downloads and .snakemake are the largest; "
    "what is half written is removed."
)


def in_one_line(error: BaseException) -> str:
    """Return what happened, to which file, and the way out.

    Args:
        error: one of `UNFORESEEN`, with its traceback: where it names no file, the one at hand is named.
    """
    file = _file_of(error)
    if isinstance(error, FileNotFoundError):
        return f"{file}: no such file. Make it with snakemake, or correct the path."
    if isinstance(error, OSError) and (error.errno in FULL or SHORT_WRITE.search(str(error))):
        return f"{file}: {_left_at(file)}. {ROOM}"
    if isinstance(error, OSError):
        said = (error.strerror or str(error) or type(error).__name__).lower()
        return f"{file}: {said}. Correct the path, or its permissions."
    if isinstance(error, UnicodeDecodeError):
        return (
            f"{file}: not a text in {error.encoding.upper()} ({error.reason} at byte {error.start}). Save it as UTF-8."
        )
    if isinstance(error, MemoryError):
        said = " ".join(str(error).split())
        remedy = "Lower the batch size, or give the step more memory; a damaged file may ask for too much, too."
        return f"{file}: there is not enough memory{f' ({said})' if said else ''}. {remedy}"
    return f"{file}: nested too deeply to be read. It may be damaged: make it again, or take it from where it came."


def _left_at(file: str) -> str:
    """Say that the disk of a file is full, and how much of it is free."""
    place = Path(file).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return "no space is left on its disk"
    free, total = usage.free / MEGABYTE, usage.total / MEGABYTE
    return f"no space is left on its disk, or in its quota ({free:.0f} of {total:.0f} MB are free)"


def _file_of(error: BaseException) -> str:
    """Return the file that an error names, or else the path that the innermost call with one had in hand."""
    named = getattr(error, "filename", None)
    if isinstance(named, (str, bytes, PurePath)) and named:
        return _in_place(PurePath(named.decode(errors="replace") if isinstance(named, bytes) else named))
    frames: list[FrameType] = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    for frame in reversed(frames):
        paths = [value for value in frame.f_locals.values() if isinstance(value, PurePath)]
        if paths:
            return _in_place(paths[0])
    return "a file that is not known (the log has the calls)"


def _in_place(path: PurePath) -> str:
    """Return the name that a file has once it is whole."""
    match = TEMPORARY.fullmatch(path.name)
    return str(path.with_name(match[1]) if match else path)
