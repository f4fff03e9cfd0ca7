"""Errors that a user can mend; a script shows them as one line (`trtflow.cli`)."""

from __future__ import annotations

from os import PathLike


class UserError(Exception):
    """Something outside the code is wrong; the message says what, where and how to mend it."""


class FormatError(UserError):
    """A file is not what its name or its place promises.

    Args:
        path: the file.
        fault: what is wrong with it, without a full stop.
        remedy: what the user can do, a whole sentence; may be empty.
    """

    def __init__(self, path: str | PathLike[str], fault: str, remedy: str = "") -> None:
        self.path, self.fault, self.remedy = str(path), fault, remedy
        super().__init__(f"{path}: {fault}. {remedy}".strip())
