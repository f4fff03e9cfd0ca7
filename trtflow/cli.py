"""What every script shares: one way to run, one way to fail."""

from __future__ import annotations

import argparse
import faulthandler
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from trtflow.formats import UserError
from trtflow.unforeseen import UNFORESEEN, in_one_line
from trtflow.workflow.closing import error_in

LAST = 200  # lines of a program's output in which its error is looked for


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; a user's error, and one of the system or of memory, becomes one line and exit status 1.

    Where standard error is a log file the traceback goes in front of that line; on a
    terminal the line stands alone. Where a library ends the process, as TensorRT does by
    an assertion of a parser or a fault of a kernel, Python's stack is written first.
    """
    faulthandler.enable()
    try:
        main()
    except UserError as error:
        if not sys.stderr.isatty():
            traceback.print_exc()
        sys.exit(f"error: {error}")
    except UNFORESEEN as error:
        if not sys.stderr.isatty():
            traceback.print_exc()
        sys.exit(f"error: {in_one_line(error)}")


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
