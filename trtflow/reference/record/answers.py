"""How TensorRT tells of errors: it logs them, gives them to the error recorder, and answers None or False.

Inside the reference runtime errors are exceptions. The calls that TensorRT answers so are marked with `answers`;
within `raising` the exception comes through, for those who want to see its class.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar

from trtflow.formats import UserError
from trtflow.reference.record.enums import ErrorCodeTRT
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.values import ILogger, Logger

Method = TypeVar("Method", bound=Callable[..., Any])
_raising: ContextVar[bool] = ContextVar("raising", default=False)


class IErrorRecorder:
    """Takes the errors of the objects that it is set for; a subclass has all of the methods."""

    MAX_DESC_LENGTH = property(lambda self: 127, doc="Most characters of a description.")

    def num_errors(self) -> int:
        """Return the number of errors since the recorder was last cleared."""
        raise NotImplementedError

    def get_error_code(self, arg0: int) -> ErrorCodeTRT:
        """Return the kind of an error."""
        raise NotImplementedError

    def get_error_desc(self, arg0: int) -> str:
        """Return the description of an error."""
        raise NotImplementedError

    def has_overflowed(self) -> bool:
        """Whether errors were lost."""
        raise NotImplementedError

    def clear(self) -> None:
        """Forget all errors."""
        raise NotImplementedError

    def report_error(self, arg0: ErrorCodeTRT, arg1: str) -> bool:
        """Take an error."""
        raise NotImplementedError


class Reporter(Sealed):
    """An object of TensorRT's that has errors to tell.

    Attributes:
        error_recorder: takes each error beside the log; an object that another one makes begins with that one's.
        default_code: the kind of an error that has none.
    """

    default_code: ClassVar[ErrorCodeTRT] = ErrorCodeTRT.INVALID_ARGUMENT

    def __init__(self, logger: ILogger | None = None, error_recorder: IErrorRecorder | None = None) -> None:
        self._logger = Logger() if logger is None else logger
        self.error_recorder = error_recorder

    def _error(self, message: str, code: ErrorCodeTRT | None = None) -> bool:
        """Tell of an error and return False."""
        self._logger.log(ILogger.ERROR, message)
        recorder = self.error_recorder
        if recorder is not None:
            recorder.report_error(code or self.default_code, message[: recorder.MAX_DESC_LENGTH])
        return False

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell of an error instead of raising it."""
        try:
            yield
        except UserError as error:
            if _raising.get():
                raise
            self._error(str(error), getattr(error, "code", None))


def answers(value: Any) -> Callable[[Method], Method]:
    """Mark a method of a `Reporter` whose errors are told, and answered with a value in place of what it returns."""

    def mark(method: Method) -> Method:
        @functools.wraps(method)
        def answering(self: Any, *args: Any, **kwargs: Any) -> Any:
            if _raising.get():  # also where one such call makes another: the first one tells
                return method(self, *args, **kwargs)
            try:
                with raising():
                    return method(self, *args, **kwargs)
            except UserError as error:
                self._error(str(error), getattr(error, "code", None))
            except OSError as error:
                self._error(f"{error.filename}: {error.strerror}")
            return value

        return answering  # type: ignore[return-value]

    return mark


@contextmanager
def raising() -> Iterator[None]:
    """Let errors through as exceptions. (TensorRT has no such thing.)"""
    before = _raising.set(True)
    try:
        yield
    finally:
        _raising.reset(before)
