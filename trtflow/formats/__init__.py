"""File formats: pure readers and writers that import nothing else of trtflow."""

from trtflow.formats.errors import FormatError, UserError

__all__ = ["FormatError", "UserError"]
