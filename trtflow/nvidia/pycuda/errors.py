"""PyCUDA's exceptions, and the turning of ours into them."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager

from trtflow.nvidia.host import AddressError


class Error(Exception):
    """Base of PyCUDA's exceptions."""


class LogicError(Error):
    """The driver was used wrongly: no context, freed memory, a copy beyond an allocation."""


class RuntimeError(Error):
    """The driver could not do what it was asked for."""


class LaunchError(Error):
    """A kernel failed."""


class MemoryError(Error):
    """There is not so much memory."""


class CompileError(Error):
    """CUDA source cannot be compiled."""


@contextmanager
def driver_call(name: str) -> Iterator[None]:
    """Let faults in the body be PyCUDA's exceptions, with the words of the driver's call.

    Args:
        name: of the call in CUDA's driver API, such as "cuMemAlloc".
    """
    try:
        yield
    except builtins.MemoryError as error:
        raise MemoryError(f"{name} failed: out of memory: {error}") from error
    except AddressError as error:
        raise LogicError(f"{name} failed: invalid argument: {error}") from error


def refuse_kernels(what: str) -> CompileError:
    """Return the error for what compiles CUDA code."""
    return CompileError(
        f"{what} compiles CUDA code, which needs a GPU: it cannot run on a CPU. Compute it with NumPy here, "
        "or run the script where there is a GPU."
    )
