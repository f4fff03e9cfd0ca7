"""Darknet's `.cfg`: sections in brackets, each with lines of `option=value`; `#` and `;` begin comments.

The first section, `[net]`, is the network itself, each later one a layer (github.com/pjreddie/darknet, src/parser.c).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_text

COMMENTS = ("#", ";")


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        kind: name in the brackets.
        options: values by option, as text without blanks.
        line: number of its line in the file, which errors name; it takes no part in comparisons.
    """

    kind: str
    options: dict[str, str]
    line: int = field(default=0, compare=False)


def read_cfg(path: Path) -> list[Section]:
    """Return the sections of a file.

    Raises:
        FormatError: a line is no section, option or comment, an option is there twice, or the first section is not
            [net].
    """
    sections: list[Section] = []
    for number, text in enumerate(_lines(path), 1):
        line = "".join(text.split())
        if not line or line.startswith(COMMENTS):
            continue
        if line.startswith("[") and line.endswith("]"):
            sections.append(Section(line[1:-1], {}, number))
            continue
        key, sign, value = line.partition("=")
        if not sections or not sign or not key:
            raise FormatError(
                path, f"line {number} is no [section], option=value or #comment: {text[:60]!r}", "Mend it."
            )
        if key in sections[-1].options:
            raise FormatError(path, f"line {number} gives {key} of [{sections[-1].kind}] again", "Delete one of them.")
        sections[-1].options[key] = value
    if not sections or sections[0].kind not in ("net", "network"):
        raise FormatError(path, "its first section is not [net]", "Take a network's .cfg.")
    return sections


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(
            path, f"not a text ({error})", "Take a network's .cfg; weights have the ending .weights."
        ) from error


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
