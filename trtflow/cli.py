"""What every script and command shares: one way to run, one way to fail, plain tables."""

from __future__ import annotations

import argparse
import atexit
import faulthandler
import gc
import json
import logging
import math
import os
import subprocess
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trtflow.formats import UserError
from trtflow.formats.times import TIMES, started_at, time_line
from trtflow.unforeseen import UNFORESEEN, in_one_line
from trtflow.workflow.closing import error_in

LAST = 200  # lines of a program's output in which its error is looked for
# packages that not every part needs, by the module that is missing, and the extra of pyproject.toml that brings them
EXTRAS = {
    "cv2": "migrate",
    "jsonschema": "workflow",
    "rich": "workflow",
    "tensorflow": "tensorflow",
    "torch": "torch",
    "yaml": "workflow",
}


def run(main: Callable[[], None], trace: bool = True) -> None:
    """Run a script's `main`; a user's error, and one of the system or of memory, becomes one line and exit status 1.

    Where standard error is a log file the traceback goes in front of that line, unless `trace` is False; on a
    terminal the line stands alone. Where a library ends the process, as TensorRT does by an assertion of a parser or a
    fault of a kernel, Python's stack is written first. Where the variable TRTFLOW_TIMES is set, a last line says how
    long it took to start and to work, which `trtflow list --times` reads in logs.
    """
    # at its end Python looks for cycles among all that the frameworks have made, a second of PyTorch and two of
    # TensorFlow, for memory that goes with the process anyway
    atexit.register(gc.freeze)
    with suppress(ValueError):  # of a standard error that is no file, as where another program runs a command
        faulthandler.enable()
    begun = time.time()
    try:
        main()
        if os.environ.get(TIMES):
            print(time_line(started_at(), begun, time.time()), file=sys.stderr)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` reads no more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python's own flush at the end fails again
        sys.exit(1)
    except (UserError, ModuleNotFoundError, *UNFORESEEN) as error:
        text = _told(error)
        if text is None:
            raise
        if trace and not sys.stderr.isatty():
            traceback.print_exc()
        sys.exit(f"error: {text}")


def _told(error: BaseException) -> str | None:
    """Return what a user can mend as one line; None where it is a fault of the code."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        extra = EXTRAS.get(package)
        return extra and f"this needs {package}, which is not installed. Install it: pip install 'trtflow[{extra}]'"
    return str(error) if isinstance(error, UserError) else in_one_line(error)


def columns(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text, a line a row, two blanks between columns."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (heading, *rows))
    return "\n".join(line.rstrip() for line in lines)


def json_text(value: Any) -> str:
    """Return a value as JSON, indented; an infinite number, or what is none, as text, for JSON has no such numbers."""
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def quiet_tensorflow() -> None:
    """Set what TensorFlow reads from its environment when it is loaded: call this before.

    No notes on CPU instructions or on old functions, and constants that are computed ahead are the same on every
    processor.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # no notes on functions of its own that are to go


def run_command(command: Sequence[object]) -> None:
    """Run another program; what it writes goes to standard output, line by line.

    Raises:
        UserError: it failed; the message ends with its own.
    """
    lines: deque[str] = deque(maxlen=LAST)
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.strip())
    if process.returncode:
        said = list(filter(None, lines))
        cause = error_in(said) or (said[-1] if said else f"exit status {process.returncode}")
        raise UserError(f"{Path(str(command[0])).name} failed: {cause}")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return an argument parser that shows defaults and keeps the description's lines."""

    class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
        pass

    return argparse.ArgumentParser(description=description, formatter_class=Formatter)
