"""Darknet's `.cfg`: sections in brackets, each with lines of `option=value`; `#` and `;` begin comments.

The first section, `[net]`, is the network itself, each later one a layer (github.com/pjreddie/darknet, src/parser.c;
github.com/AlexeyAB/darknet, the same file). Blanks count nowhere. A value ends at a `#` behind it, as Darknet's own
conversion of numbers stops there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_text

COMMENTS = ("#", ";")


class Repeat(NamedTuple):
    """An option that its section has had already; Darknet takes the first value."""

    line: int
    option: str
    value: str


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        kind: name in the brackets.
        options: values by option, as text without blanks; the first one of an option that is there twice.
        line: number of its line in the file, which errors name; it takes no part in comparisons.
        repeats: the later values of options that are there twice; they take no part in comparisons.
    """

    kind: str
    options: dict[str, str]
    line: int = field(default=0, compare=False)
    repeats: list[Repeat] = field(default_factory=list, compare=False)


def read_cfg(path: Path) -> list[Section]:
    """Return the sections of a file.

    Raises:
        FormatError: a line is no section, option or comment, or the first section is not [net].
    """
    sections: list[Section] = []
    for number, text in enumerate(_lines(path), 1):
        line = "".join(text.split())
        if not line or line.startswith(COMMENTS):
            continue
        if line.startswith("["):
            sections.append(Section(_kind(path, number, line), {}, number))
            continue
        key, sign, value = line.partition("=")
        if not sections or not sign or not key:
            fault = f"line {number} is no [section], option=value or #comment: {text[:60]!r}"
            raise FormatError(path, fault, "Mend it.")
        _add(sections[-1], number, key, value.partition("#")[0])
    if not sections or sections[0].kind not in ("net", "network"):
        raise FormatError(path, "its first section is not [net]", "Take a network's .cfg.")
    return sections


def _kind(path: Path, number: int, line: str) -> str:
    name, bracket, rest = line[1:].partition("]")
    if not bracket or (rest and not rest.startswith(COMMENTS)):
        raise FormatError(path, f"line {number}: the bracket of {line[:60]!r} is not closed", "Mend it.")
    return name


def _add(section: Section, number: int, key: str, value: str) -> None:
    if key in section.options:
        section.repeats.append(Repeat(number, key, value))
    else:
        section.options[key] = value


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    if b"\0" in data:
        raise FormatError(path, "not a text", "Take a network's .cfg; weights have the ending .weights.")
    # comments may be in any encoding, and nothing but comments is outside ASCII
    return data.decode("utf-8-sig", errors="replace").splitlines()


def format_cfg(sections: Sequence[Section]) -> str:
    """Return the text of sections, in Darknet's own layout."""
    blocks = [
        "\n".join([f"[{section.kind}]", *(f"{key}={value}" for key, value in section.options.items())])
        for section in sections
    ]
    return "\n\n".join(blocks) + "\n"


def write_cfg(path: Path, sections: Sequence[Section]) -> None:
    """Write sections."""
    write_text(path, format_cfg(sections))
