"""One input given to one reader: what came of it, how long it took, and how much memory."""

from __future__ import annotations

import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtflow.formats import UserError

SECONDS = 2.0  # of the processor that an input may take
SLACK, RATIO = 64 << 20, 16  # memory that an input may take: these bytes, and so many times its own size
VIRTUAL = 4 << 30  # bytes that a process may reserve beyond what it starts with: more is refused by the kernel
LIBRARY = re.compile(r"/trtflow/(.*)$")


@dataclass(frozen=True)
class Reader:
    """A reader of outside bytes.

    Attributes:
        name: of it, for people.
        read: does with a file what the project does with such a one.
        seeds: files that it takes.
        file: the file's name, whose ending may count.
        form: how the bytes are built, of `mutations.FORMS`.
        words: what may stand in such files.
        errors: what it may raise.
        prepare: writes into the file's folder what has to lie beside it.
        memory: bytes that it may take whatever the input's size; more than `SLACK` is argued in docs/fuzzing.md.
    """

    name: str
    read: Callable[[Path], object]
    seeds: Sequence[bytes]
    file: str = "input"
    form: str = "bytes"
    words: Sequence[bytes] = ()
    errors: tuple[type[BaseException], ...] = (UserError,)
    prepare: Callable[[Path], None] | None = None
    memory: int = SLACK


@dataclass(frozen=True)
class Outcome:
    """What came of an input.

    Attributes:
        kind: read, refused, or a fault: raw, slow, large.
        said: of an error its class and text; of a fault also where it came from.
        seconds: of the processor.
        bytes: of memory, at the most, beyond what was in use before.
    """

    kind: str
    said: str
    seconds: float
    bytes: int
    error: BaseException | None = field(default=None, compare=False)

    @property
    def is_fault(self) -> bool:
        """Whether that must not be."""
        return self.kind not in ("read", "refused")

    @property
    def signature(self) -> str:
        """What tells one outcome from another of its kind: the text without the numbers and names in it."""
        if self.kind == "raw":
            return f"raw {self.said.split(':')[0]} {self.said.rpartition(' at ')[2]}"
        return f"{self.kind} {re.sub(r'[0-9]+|[bu]?(?P<q>[^A-Za-z ]).*?(?P=q)', '', self.said)[:90]}"


class SlowError(BaseException):
    """The time is over; no reader catches it."""


class Trial:
    """Gives inputs to a reader, each as a file of its own content.

    Args:
        reader: the reader.
        folder: where the file is written, better in memory.
    """

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.reader = reader
        self.path = folder / reader.file
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if reader.prepare is not None:
            reader.prepare(self.path.parent)

    def check(self, data: bytes) -> Outcome:
        """Read an input."""
        self.path.write_bytes(data)
        forget_peak()
        memory, start = peak(), time.process_time()
        kind, said, error = self._read()
        seconds, used = time.process_time() - start, peak() - memory
        if kind in ("read", "refused"):
            if seconds > SECONDS:
                kind, said = "slow", f"{seconds:.1f} s of the processor: {said}"
            elif used > max(self.reader.memory, SLACK) + RATIO * len(data):
                kind, said = "large", f"{used >> 20} MiB for {len(data)} bytes: {said}"
        return Outcome(kind, said, seconds, used, error)

    def _read(self) -> tuple[str, str, BaseException | None]:
        signal.signal(signal.SIGPROF, _too_slow)
        signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)
        try:
            found = self.reader.read(self.path)
        except self.reader.errors as error:
            return "refused", f"{type(error).__name__}: {error}".replace(str(self.path), "it"), error
        except SlowError as error:
            return "slow", f"no end after {2 * SECONDS:.0f} s of the processor, at {place_of(error)}", error
        except Exception as error:
            return "raw", f"{type(error).__name__}: {str(error)[:200]} at {place_of(error)}", error
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return "read", type(found).__name__, None


def _too_slow(*_: Any) -> None:
    raise SlowError


def place_of(error: BaseException) -> str:
    """Return the last line of the library that an error passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if LIBRARY.search(frame.filename)]
    if not frames:
        return "no line of the library"
    name = LIBRARY.search(frames[-1].filename)
    assert name is not None
    return f"{name[1]}:{frames[-1].lineno} {frames[-1].name}"


def forget_peak() -> None:
    """Let `peak` count from now on; where Linux cannot do that it counts from the start of the process."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def peak() -> int:
    """Return the most memory that was in use since `forget_peak`, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def limit_memory() -> None:
    """Let the kernel refuse what no input may ask for, so that a fault is one of this process alone."""
    if not Path("/proc/self/statm").exists():
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + VIRTUAL,) * 2)
