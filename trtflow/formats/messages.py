"""Messages of Protocol Buffers that come from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError


def parse_message(message: Any, data: bytes) -> Any:
    """Fill a message from bytes, and return it.

    Raises:
        DecodeError: they are no such message, or a text in it is none: of proto2 protobuf does not look.
    """
    message.ParseFromString(data)
    check_texts(message)
    return message


def check_texts(message: Any) -> None:
    """Look at all texts of a message and of those in it; no deeper than protobuf parses, which is a hundred levels.

    Raises:
        DecodeError: one is not UTF-8. Protobuf gives it as bytes, or raises a UnicodeDecodeError.
    """
    try:
        for field, value in message.ListFields():
            if field.type == field.TYPE_STRING:
                _check(value if field.is_repeated else [value])
            elif field.message_type is not None:
                _check_inner(field, value)
    except UnicodeDecodeError as error:
        raise DecodeError(f"a text in it is not UTF-8: {error.object[:40]!r}") from error


def _check_inner(field: Any, value: Any) -> None:
    """Look at the texts of a message, of several, or of the keys and values of a map."""
    if field.message_type.GetOptions().map_entry:
        _check(key for key in value if isinstance(key, (str, bytes)))
        kind = field.message_type.fields_by_name["value"]
        if kind.message_type is not None:
            for key in value:
                check_texts(value[key])
        elif kind.type == kind.TYPE_STRING:
            _check(value.values())
    else:
        for item in value if field.is_repeated else [value]:
            check_texts(item)


def _check(texts: Iterable[Any]) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise DecodeError(f"a text in it is not UTF-8: {text[:40]!r}")
