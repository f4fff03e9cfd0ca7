"""Errors that the parser collects, and what importers raise."""

from __future__ import annotations

from trtflow.reference.record.enumeration import Enumeration
from trtflow.reference.record.sealed import Sealed


class ErrorCode(Enumeration):
    """What kind of error the parser found."""

    SUCCESS = 0
    INTERNAL_ERROR = 1
    MEM_ALLOC_FAILED = 2
    MODEL_DESERIALIZE_FAILED = 3
    INVALID_VALUE = 4
    INVALID_GRAPH = 5
    INVALID_NODE = 6
    UNSUPPORTED_GRAPH = 7
    UNSUPPORTED_NODE = 8


class ParserError(Sealed):
    """One error, with the accessors of TensorRT's."""

    def __init__(self, code: ErrorCode, description: str, node: int = -1, file: str = "") -> None:
        self._code, self._description, self._node, self._file = code, description, node, file

    def code(self) -> ErrorCode:
        """Return the kind."""
        return self._code

    def desc(self) -> str:
        """Return what is wrong, in TensorRT's words where it has some; it names the node and its operator."""
        return self._description

    def node(self) -> int:
        """Return the node's place in the graph, or -1."""
        return self._node

    def file(self) -> str:
        """Return the name of an input of the network that is wrong, else the model's path, where it has one."""
        return self._file

    def line(self) -> int:
        """Return 0: a model has no lines."""
        return 0

    def func(self) -> str:
        """Return the parser's name."""
        return "OnnxParser"

    def __str__(self) -> str:
        return f"{self._code.name}: {self._description}"


class Refusal(Exception):  # noqa: N818 - an answer, which becomes a ParserError
    """What TensorRT does not take.

    Args:
        words: TensorRT's, where it has some.
        remedy: the way out, a sentence.
        code: the kind.
    """

    def __init__(self, words: str, remedy: str = "", code: ErrorCode = ErrorCode.UNSUPPORTED_NODE) -> None:
        super().__init__(f"{words.rstrip('.')}. {remedy}".strip())
        self.code = code


class UnknownRank(Refusal):
    """The number of dimensions of a value depends on an input."""

    def __init__(self) -> None:
        remedy = "The number of dimensions of an output depends on an input. Simplify the model first."
        super().__init__("TensorRT could not compute output dimensions", remedy)


class UnsupportedForm(Exception):  # noqa: N818 - no error: another way is tried
    """A node that its operator's own layer cannot express, but the node itself can."""
