"""What every script shares: one way to run, one way to fail."""

from __future__ import annotations

import argparse
import faulthandler
import sys
import traceback
from collections.abc import Callable

from trtflow.formats import UserError


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; a user's error becomes one line and exit status 1.

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
    except FileNotFoundError as error:
        if not sys.stderr.isatty():
            traceback.print_exc()
        sys.exit(f"error: {error.filename}: no such file. Make it with snakemake, or correct the path.")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return an argument parser that shows defaults and keeps the description's lines."""

    class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
        pass

    return argparse.ArgumentParser(description=description, formatter_class=Formatter)
