"""`pycuda.compiler`, which a CPU cannot answer: each name is there and refuses what it is given."""

from __future__ import annotations

from typing import Any

from trtflow.nvidia.pycuda.errors import refuse_kernels


class SourceModule:
    """A module of kernels.

    Raises:
        CompileError: always.
    """

    def __init__(self, source: str, *options: Any, **more: Any) -> None:
        raise refuse_kernels(f"pycuda.compiler.{type(self).__name__}")


class DynamicSourceModule(SourceModule):
    """A module of kernels that is linked later."""


class DynamicModule(SourceModule):
    """A module that is linked of others."""

    def __init__(self, *options: Any, **more: Any) -> None:
        super().__init__("", *options, **more)


def compile(source: str, *options: Any, **more: Any) -> bytes:
    """Refuse to compile.

    Raises:
        CompileError: always.
    """
    raise refuse_kernels("pycuda.compiler.compile")
