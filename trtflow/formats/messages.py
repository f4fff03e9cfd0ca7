"""Messages of Protocol Buffers that come from outside."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError


def parse_message(message: Any, data: bytes) -> Any:
    """Fill a message from bytes, and return it.

    Raises:
        DecodeError: they are no such message, or a text in it is none: protobuf looks at a text of proto2 when it is
            asked for, which may be anywhere.
    """
    message.ParseFromString(data)
    check_texts(message)
    return message


def check_texts(message: Any) -> None:
    """Read all texts of a message, and of those in it.

    Raises:
        DecodeError: one is not UTF-8.
    """
    try:
        _read_texts(message)
    except UnicodeDecodeError as error:
        raise DecodeError(f"a text in it is not UTF-8: {error.object[:40]!r}") from error


def _read_texts(message: Any) -> None:
    """Read them; no deeper than protobuf parses, which is a hundred levels."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING and field.is_repeated:
            _ = [*value]
        elif field.message_type is None:
            continue
        elif field.message_type.GetOptions().map_entry:
            for key in value:
                if field.message_type.fields_by_name["value"].message_type is not None:
                    _read_texts(value[key])
        elif field.is_repeated:
            for item in value:
                _read_texts(item)
        else:
            _read_texts(value)
